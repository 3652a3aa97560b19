"""Results as files: one npz archive each, without pickle, written whole or not at all.

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

from rdcsolve.certificates import Certificate
from rdcsolve.errors import SaveFailed, UnreadableFile
from rdcsolve.solvers.result import Result, StepRecord
from rdcsolve.solvers.status import Proof, Status

_FORMAT, _VERSION = "rdcsolve result", 1

_TEXTS = ("objective", "fingerprint", "method", "message", "unit")
_REALS = ("objective_lower", "objective_upper", "rate_lower", "rate_upper", "seconds")
_MAPPINGS = ("losses", "multipliers", "minimum")
_ARRAYS = {"channel": 2, "letters": 1, "q": 1, "d_tilted": 1, "reproduction": 2}
_CERTIFICATE_ARRAYS = {"u": 1, "multipliers": 1, "letters": 1, "channel": 2}
_PREFIX = "certificate_"
_DECISIONS = "decisions_"


def save(result: Result, path: str | os.PathLike[str]) -> None:
    """Write a result as one npz file, without pickle, whole or not at all.

    Parameters
    ----------
    result : Result
    path : path-like
        Used exactly as given. An existing file is replaced only once the new one is complete.

    Raises
    ------
    SaveFailed
        If the file cannot be written; an existing file is left as it was, and nothing half-written stays.
    """
    arrays = {name: _stored(getattr(result, name), name) for name in _ARRAYS}
    arrays |= {f"{_DECISIONS}{k}": _stored(soft, _DECISIONS) for k, soft in enumerate(result.decisions)}
    if result.certificate is not None:
        for name in _CERTIFICATE_ARRAYS:
            values = _stored(getattr(result.certificate, name), name)
            if name not in arrays or not _same(values, arrays[name]):  # what the result holds is not repeated
                arrays[_PREFIX + name] = values
    header = json.dumps(_described(result), ensure_ascii=True)
    with _whole_file(Path(path)) as stream:
        np.savez(stream, header=np.array(header), **arrays)  # type: ignore[arg-type]


def load(path: str | os.PathLike[str]) -> Result:
    """Return the result that `Result.save` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Result
        Equal to the one saved, to the last bit. Whether it belongs to a problem is checked with
        ``result.certificate.verify(problem)``.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, pickled, of an unknown version, or not a result.
    """
    path = Path(path)
    arrays = _read(path)
    if "header" not in arrays or arrays["header"].dtype.kind != "U" or arrays["header"].ndim:
        raise UnreadableFile(f"{path} is an npz archive but not a saved result; write it with Result.save")
    try:
        header = json.loads(str(arrays["header"]))
        _check(isinstance(header, dict) and header.get("format") == _FORMAT, "it is not a saved result")
        version = header.get("version")
        _check(version == _VERSION, f"version {version!r} is not known to this rdcsolve; upgrade it")
        return _restored(header, arrays)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path} cannot be loaded: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path} is damaged: its header is not JSON ({error})") from error


# ------------------------------------------------------------------------------------------- writing


def _stored(values: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(values, dtype=np.int64 if name == "letters" else np.float64)


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return left is right or (left.shape == right.shape and left.tobytes() == right.tobytes())


def _described(result: Result) -> dict[str, Any]:
    """Return all of a result but its arrays, as JSON knows it."""
    header: dict[str, Any] = {"format": _FORMAT, "version": _VERSION}
    header |= {name: getattr(result, name) for name in _TEXTS}
    header |= {name: float(getattr(result, name)) for name in _REALS}
    for name in _MAPPINGS:
        header[name] = {key: float(value) for key, value in getattr(result, name).items()}
    header |= {"status": result.status.name, "proof": result.proof.name, "steps": int(result.steps)}
    header["history"] = [
        [
            int(record.step),
            float(record.seconds),
            float(record.lower),
            float(record.value),
            [float(multiplier) for multiplier in record.multipliers],
            int(record.n_letters),
        ]
        for record in result.history
    ]
    certificate = result.certificate
    header["certificate"] = certificate and {
        "objective": certificate.objective,
        "lower": float(certificate.lower),
        "upper": float(certificate.upper),
        "fingerprint": certificate.fingerprint,
    }
    return header


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
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


# ------------------------------------------------------------------------------------------- reading


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


def _restored(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Result:
    fields: dict[str, Any] = {name: _field(header, name, _text) for name in _TEXTS}
    fields |= {name: _field(header, name, _real) for name in _REALS}
    fields |= {name: _field(header, name, _mapping) for name in _MAPPINGS}
    fields |= {name: _array(arrays, name, ndim) for name, ndim in _ARRAYS.items()}
    status, proof = _field(header, "status", _text), _field(header, "proof", _text)
    _check(status in Status.__members__, f"status {status!r} is unknown")
    _check(proof in Proof.__members__, f"proof {proof!r} is unknown")
    _check(fields["unit"] in ("nat", "bit"), f"unit {fields['unit']!r} is unknown")
    _check(fields["losses"].keys() == fields["multipliers"].keys(), "losses and multipliers differ in names")
    k = fields["letters"].size
    _check_channel(fields["channel"], fields["letters"], "channel")
    _check(fields["q"].shape == (k,), f"q has shape {fields['q'].shape} for {k} letters")
    n_x = fields["channel"].shape[0]
    _check(not k or fields["d_tilted"].shape == (n_x,), f"d_tilted does not have one entry for {n_x} rows")
    places = fields["reproduction"].shape
    _check(places[0] in (0, k), f"reproduction has shape {places} for {k} letters")
    n_labels = sum(name.startswith(_DECISIONS) for name in arrays)
    decisions = tuple(_array(arrays, f"{_DECISIONS}{index}", 2) for index in range(n_labels))
    for soft in decisions:
        _check(soft.shape[0] == k, f"decisions have {soft.shape[0]} rows for {k} letters")
    certificate = _certificate(header, arrays)
    if certificate is not None and fields["losses"]:
        n_losses = len(fields["losses"])
        _check(certificate.multipliers.size == n_losses, f"the certificate is not for {n_losses} losses")
    return Result(
        status=Status[status],
        proof=Proof[proof],
        steps=_field(header, "steps", _count),
        history=tuple(_record(entry) for entry in _field(header, "history", _list)),
        certificate=certificate,
        decisions=decisions,
        **fields,
    )


def _certificate(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Certificate | None:
    _check("certificate" in header, "its header has no certificate")
    described = header["certificate"]
    if described is None:
        return None
    _check(isinstance(described, dict), "its certificate is malformed")
    held = {}
    for name, ndim in _CERTIFICATE_ARRAYS.items():
        is_shared = name in _ARRAYS and _PREFIX + name not in arrays
        held[name] = _array(arrays, name if is_shared else _PREFIX + name, ndim)
    _check_channel(held["channel"], held["letters"], "the certificate's channel")
    n_x = held["channel"].shape[0]
    _check(held["u"].shape == (n_x,), f"the certificate's u does not have one entry for {n_x} rows")
    return Certificate(
        objective=_field(described, "objective", _text),
        lower=_field(described, "lower", _real),
        upper=_field(described, "upper", _real),
        fingerprint=_field(described, "fingerprint", _text),
        **held,
    )


def _record(entry: Any) -> StepRecord:
    _check(isinstance(entry, list) and len(entry) == 6, "a record of its history is malformed")
    step, seconds, lower, value, multipliers, n_letters = entry
    return StepRecord(
        step=_count(step),
        seconds=_real(seconds),
        lower=_real(lower),
        value=_real(value),
        multipliers=tuple(_real(multiplier) for multiplier in _list(multipliers)),
        n_letters=_count(n_letters),
    )


def _check_channel(channel: np.ndarray, letters: np.ndarray, name: str) -> None:
    k = letters.size
    _check(channel.shape[1] == k, f"{name} has {channel.shape[1]} columns for {k} letters")
    _check(not k or letters.min() >= 0, f"{name} has a negative letter")


def _array(arrays: dict[str, np.ndarray], name: str, ndim: int) -> np.ndarray:
    _check(name in arrays, f"it lacks the array {name}")
    values = arrays[name]
    wanted = np.int64 if name.endswith("letters") else np.float64
    _check(values.dtype == wanted, f"{name} holds {values.dtype}, not {np.dtype(wanted)}")
    _check(values.ndim == ndim, f"{name} has shape {values.shape}, not {ndim} dimensions")
    return values


def _field(header: dict[str, Any], name: str, kind: Callable[[Any], Any]) -> Any:
    _check(name in header, f"its header has no {name}")
    return kind(header[name])


def _text(value: Any) -> str:
    _check(isinstance(value, str), f"{value!r} stands where a text should")
    return value


def _real(value: Any) -> float:
    _check(isinstance(value, float), f"{value!r} stands where a real number should")
    return value


def _count(value: Any) -> int:
    _check(type(value) is int, f"{value!r} stands where a whole number should")
    return value


def _list(value: Any) -> list[Any]:
    _check(isinstance(value, list), f"{value!r} stands where a list should")
    return value


def _mapping(value: Any) -> dict[str, float]:
    _check(isinstance(value, dict), f"{value!r} stands where losses by name should")
    return {name: _real(number) for name, number in value.items()}


def _check(is_right: bool, fault: str) -> None:
    if not is_right:
        raise UnreadableFile(fault)
