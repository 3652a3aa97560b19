"""Streams of bytes: messages through a range coder, with a header that tells damage from data."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput, MissingExtra

_MAGIC = b"rC"
_HEADER = struct.Struct("<2sII")  # magic, number of messages, checksum of that number, the code and what follows


def pack(messages: np.ndarray, frequencies: np.ndarray, code: bytes) -> bytes:
    """Return messages as bytes.

    Parameters
    ----------
    messages : numpy.ndarray
        Shape (n,), numbers below the length of `frequencies`.
    frequencies : numpy.ndarray
        Positive, summing to one: -log of each is about what a message takes.
    code : bytes
        What identifies the code: a stream is read with the same only.
    """
    payload = b""
    if frequencies.size > 1 and messages.size:
        queue, model = _coder(frequencies)
        encoder = queue.RangeEncoder()
        encoder.encode(messages.astype(np.int32), model)
        payload = encoder.get_compressed().astype("<u4").tobytes()
    return _HEADER.pack(_MAGIC, messages.size, _checksum(messages.size, code, payload)) + payload


def unpack(stream: Any, frequencies: np.ndarray, code: bytes) -> np.ndarray:
    """Return the messages of a stream that `pack` made with the same frequencies and code.

    Raises
    ------
    InvalidInput
        If the stream is not whole, is damaged, or was made by another code.
    """
    if not isinstance(stream, (bytes, bytearray, memoryview)):
        raise InvalidInput(f"the stream is a {type(stream).__name__}; pass the bytes that encode() returned")
    stream = bytes(stream)
    if len(stream) < _HEADER.size or stream[:2] != _MAGIC:
        raise InvalidInput(f"these {len(stream)} bytes are no stream of a code; pass what encode() returned, all of it")
    _, n, checksum = _HEADER.unpack_from(stream)
    payload = stream[_HEADER.size :]
    if checksum != _checksum(n, code, payload):
        raise InvalidInput(
            f"the stream of {len(stream)} bytes is damaged, cut short, or was made by another code; read it whole, "
            "with the code that wrote it"
        )
    if frequencies.size == 1 or n == 0:
        return np.zeros(n, dtype=np.int64)
    queue, model = _coder(frequencies)
    decoder = queue.RangeDecoder(np.frombuffer(payload, dtype="<u4").astype(np.uint32))
    messages: np.ndarray = np.asarray(decoder.decode(model, n)).astype(np.int64)
    return messages


def _checksum(n: int, code: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(code, n & 0xFFFFFFFF))


def _coder(frequencies: np.ndarray) -> tuple[Any, Any]:
    try:
        import constriction
    except (ImportError, OSError) as error:
        raise MissingExtra.of("codes", "coding messages as bytes") from error
    stream = constriction.stream
    return stream.queue, stream.model.Categorical(np.asarray(frequencies, dtype=np.float64), perfect=False)
