"""Files of results: npz archives with one JSON header, without pickle, written whole or not at all.

Arrays are stored as they are. Everything else is one JSON text, in which floats keep every digit.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.errors import UnreadableFile
from rdcsolve.writing import whole_file

MOST_BYTES = 1 << 30
"""How much the arrays of a compressed archive may take in memory, unless the file itself is larger."""

_PACKED = "its arrays were compressed, which a saved result never is; save it again with Result.save"


def write(path: str | os.PathLike[str], header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write a header and arrays as one npz file, whole or not at all.

    Parameters
    ----------
    path : path-like
        Used exactly as given. An existing file is replaced only once the new one is complete.
    header : dict
        Of what JSON knows.
    arrays : dict of str to numpy.ndarray

    Raises
    ------
    SaveFailed
        If the file cannot be written; an existing file is left as it was, and nothing half-written stays.
    """
    described = json.dumps(header, ensure_ascii=True)
    with whole_file(options.path(path)) as stream:
        np.savez(stream, header=np.array(described), **arrays)  # type: ignore[arg-type]


def read(
    path: str | os.PathLike[str], saved: str = "result; write it with Result.save"
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a file that `write` wrote; nothing is unpickled or inflated.

    Parameters
    ----------
    path : path-like
    saved : str, optional
        What the file should be and how it is written, for the error.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, pickled, packed again, or has no header.
    """
    path = options.path(path)
    arrays = read_arrays(path, packed=False)
    if "header" not in arrays or arrays["header"].dtype.kind != "U" or arrays["header"].ndim:
        raise UnreadableFile(f"{path} is an npz archive but not a saved {saved}")
    try:
        header = json.loads(str(arrays.pop("header")))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path} is damaged: its header is not JSON ({error})") from error
    return header if isinstance(header, dict) else {}, arrays


def read_arrays(
    path: Path, wanted: Callable[[str], object] | None = None, *, packed: bool = True, most_bytes: int = MOST_BYTES
) -> dict[str, np.ndarray]:
    """Return arrays of an npz archive, by name, refusing pickles and sizes beyond a limit before anything is read.

    Parameters
    ----------
    path : Path
    wanted : callable, optional
        Of a name: whether the array is to be read; others are not touched. By default all.
    packed : bool, optional
        Whether arrays may be compressed. Stored as they are, they cannot be larger than the file.
    most_bytes : int, optional
        How much compressed arrays may take in memory together.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, pickled, not an archive of arrays, or larger inside than it may be.
    """
    try:
        with open(options.ordinary_file(path), "rb") as stream:
            check(stream.read(6) != b"\x93NUMPY", "it is a single array; save the arrays by name, with numpy.savez")
        with open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
            entries = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if wanted is not None:
                entries = [info for info in entries if wanted(info.filename.removesuffix(".npy"))]
            check(packed or all(info.compress_type == zipfile.ZIP_STORED for info in entries), _PACKED)
            check(len({info.filename for info in entries}) == len(entries), "it holds two arrays of one name")
            declared = sum(info.file_size for info in entries)
            limit = max(most_bytes, 2 * os.fstat(stream.fileno()).st_size)
            check(declared <= limit, f"its arrays take {declared:,} bytes, more than {limit:,}; save smaller ones")
            return {info.filename.removesuffix(".npy"): _array(archive, info) for info in entries}
    except FileNotFoundError as error:
        raise UnreadableFile(f"{path} does not exist; check the path (the current folder is {Path.cwd()})") from error
    except UnreadableFile as error:
        raise UnreadableFile(f"{path} cannot be read: {error}") from error
    except Exception as error:  # damage makes zipfile, zlib and numpy raise nearly anything
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise UnreadableFile(f"{path} is damaged, pickled, or not a saved archive ({reason})") from error


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Return one array, once its own header agrees with the size that the archive declares."""
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        reading = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reading(stream)
        check(not dtype.hasobject, f"{info.filename} is pickled")
        size = math.prod(shape) * dtype.itemsize
        check(stream.tell() + size == info.file_size, f"{info.filename} is not of the size that its header declares")
    with archive.open(info) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def array(arrays: dict[str, np.ndarray], name: str, ndim: int, kind: Any = np.float64) -> np.ndarray:
    """Return an array of these dimensions and this type, or raise."""
    check(name in arrays, f"it lacks the array {name}")
    values = arrays[name]
    check(values.dtype == kind, f"{name} holds {values.dtype}, not {np.dtype(kind)}")
    check(values.ndim == ndim, f"{name} has shape {values.shape}, not {ndim} dimensions")
    return values


def field(header: dict[str, Any], name: str, kind: Callable[[Any], Any]) -> Any:
    """Return what the header has by this name, as `kind` accepts it."""
    check(name in header, f"its header has no {name}")
    return kind(header[name])


def text(value: Any) -> str:
    """Return a text, or raise."""
    check(isinstance(value, str), f"{value!r} stands where a text should")
    return value


def real(value: Any) -> float:
    """Return a real number, or raise."""
    check(isinstance(value, float), f"{value!r} stands where a real number should")
    return value


def count(value: Any) -> int:
    """Return a whole number, or raise."""
    check(type(value) is int, f"{value!r} stands where a whole number should")
    return value


def listed(value: Any) -> list[Any]:
    """Return a list, or raise."""
    check(isinstance(value, list), f"{value!r} stands where a list should")
    return value


def mapping(value: Any) -> dict[str, float]:
    """Return real numbers by name, or raise."""
    check(isinstance(value, dict), f"{value!r} stands where losses by name should")
    return {name: real(number) for name, number in value.items()}


def check(is_right: bool, fault: str) -> None:
    """Raise with this fault unless all is right."""
    if not is_right:
        raise UnreadableFile(fault)
