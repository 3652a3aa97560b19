"""Files of results: npz archives with one JSON header, without pickle, written whole or not at all.

Arrays are stored as they are. Everything else is one JSON text, in which floats keep every digit.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rdcsolve.errors import SaveFailed, UnreadableFile


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
    with whole_file(Path(path)) as stream:
        np.savez(stream, header=np.array(described), **arrays)  # type: ignore[arg-type]


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a file, refusing pickles.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, pickled, or has no header.
    """
    path = Path(path)
    arrays = _read(path)
    if "header" not in arrays or arrays["header"].dtype.kind != "U" or arrays["header"].ndim:
        raise UnreadableFile(f"{path} is an npz archive but not a saved result; write it with Result.save")
    try:
        header = json.loads(str(arrays.pop("header")))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path} is damaged: its header is not JSON ({error})") from error
    return header if isinstance(header, dict) else {}, arrays


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name only once it is complete and on the disk; else it is removed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial") if path.name else path
    try:
        with open(temporary, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if path.name:
            with contextlib.suppress(OSError, ValueError):
                os.unlink(temporary)
        if not isinstance(error, Exception):
            raise
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise SaveFailed(
            f"{path} was not written ({reason}); free some space there, or choose a folder you may write to"
        ) from error


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an archive, refusing pickles."""
    try:
        with open(path, "rb") as stream:  # ours to close: numpy leaves it open when the archive is damaged
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it holds a single array")
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise UnreadableFile(f"{path} does not exist; check the path (the current folder is {Path.cwd()})") from error
    except Exception as error:  # damage makes zipfile, zlib and numpy raise nearly anything
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise UnreadableFile(f"{path} is damaged, pickled, or not a saved result ({reason})") from error


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
