"""Results as files: what of a result is an array, what is text, and what must fit together."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.proof import unpacked as unpacked_proof
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.files import array, check, count, field, listed, mapping, read, real, text, write
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status

_FORMAT, _VERSION = "rdcsolve result", 2
_KNOWN_VERSIONS = (1, 2)  # version 1 has neither a rest of u nor a proof of the largest price

_TEXTS = ("objective", "fingerprint", "method", "message", "unit")
_REALS = ("objective_lower", "objective_upper", "rate_lower", "rate_upper", "seconds")
_MAPPINGS = ("losses", "multipliers", "minimum")
_ARRAYS = {"channel": 2, "letters": 1, "q": 1, "d_tilted": 1, "reproduction": 2}
_CERTIFICATE_ARRAYS = {"u": 1, "multipliers": 1, "letters": 1, "channel": 2}
_KINDS = {"letters": np.int64}
_PREFIX = "certificate_"
_DECISIONS = "decisions_"
_REST = "certificate_u_rest"
_PROOF = "certificate_proof_"


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
    header, arrays = packed(result)
    write(path, {"format": _FORMAT, "version": _VERSION} | header, arrays)


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
    header, arrays = read(path)
    try:
        found = header.get("format")
        check(found == _FORMAT, f"it is not a saved result (its format is {found!r}); rdcsolve.load reads others too")
        version = header.get("version")
        check(version in _KNOWN_VERSIONS, f"version {version!r} is not known to this rdcsolve; upgrade it")
        return unpacked(header, arrays)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path} cannot be loaded: {error}") from error


# ------------------------------------------------------------------------------------------- writing


def packed(result: Result) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return all of a result but its arrays, as JSON knows it, and its arrays by name."""
    arrays = {name: _stored(getattr(result, name), name) for name in _ARRAYS}
    arrays |= {f"{_DECISIONS}{k}": _stored(soft, _DECISIONS) for k, soft in enumerate(result.decisions)}
    if result.certificate is not None:
        for name in _CERTIFICATE_ARRAYS:
            values = _stored(getattr(result.certificate, name), name)
            if name not in arrays or not _same(values, arrays[name]):  # what the result holds is not repeated
                arrays[_PREFIX + name] = values
        arrays[_REST] = _stored(result.certificate.u_rest, _REST)
        if result.certificate.proof is not None:
            arrays |= {_PROOF + name: values for name, values in result.certificate.proof.packed().items()}
    return _described(result), arrays


def _stored(values: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(values, dtype=_KINDS.get(name, np.float64))


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return left is right or (left.shape == right.shape and left.tobytes() == right.tobytes())


def _described(result: Result) -> dict[str, Any]:
    """Return all of a result but its arrays, as JSON knows it."""
    header: dict[str, Any] = {name: getattr(result, name) for name in _TEXTS}
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


# ------------------------------------------------------------------------------------------- reading


def unpacked(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Result:
    """Return the result that `packed` took apart.

    Raises
    ------
    UnreadableFile
        If something is missing, of another type, or does not fit the rest.
    """
    fields: dict[str, Any] = {name: field(header, name, text) for name in _TEXTS}
    fields |= {name: field(header, name, real) for name in _REALS}
    fields |= {name: field(header, name, mapping) for name in _MAPPINGS}
    fields |= {name: array(arrays, name, ndim, _KINDS.get(name, np.float64)) for name, ndim in _ARRAYS.items()}
    status, proof = field(header, "status", text), field(header, "proof", text)
    check(status in Status.__members__, f"status {status!r} is unknown")
    check(proof in Proof.__members__, f"proof {proof!r} is unknown")
    check(fields["unit"] in ("nat", "bit"), f"unit {fields['unit']!r} is unknown")
    check(fields["losses"].keys() == fields["multipliers"].keys(), "losses and multipliers differ in names")
    k = fields["letters"].size
    _check_channel(fields["channel"], fields["letters"], "channel")
    check(fields["q"].shape == (k,), f"q has shape {fields['q'].shape} for {k} letters")
    n_x = fields["channel"].shape[0]
    check(not k or fields["d_tilted"].shape == (n_x,), f"d_tilted does not have one entry for {n_x} rows")
    places = fields["reproduction"].shape
    check(places[0] in (0, k), f"reproduction has shape {places} for {k} letters")
    n_labels = sum(name.startswith(_DECISIONS) for name in arrays)
    decisions = tuple(array(arrays, f"{_DECISIONS}{index}", 2) for index in range(n_labels))
    for soft in decisions:
        check(soft.shape[0] == k, f"decisions have {soft.shape[0]} rows for {k} letters")
    certificate = _certificate(header, arrays)
    if certificate is not None and fields["losses"]:
        n_losses = len(fields["losses"])
        check(certificate.multipliers.size == n_losses, f"the certificate is not for {n_losses} losses")
    return Result(
        status=Status[status],
        proof=Proof[proof],
        steps=field(header, "steps", count),
        history=tuple(_record(entry) for entry in field(header, "history", listed)),
        certificate=certificate,
        decisions=decisions,
        **fields,
    )


def _certificate(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Certificate | None:
    check("certificate" in header, "its header has no certificate")
    described = header["certificate"]
    if described is None:
        return None
    check(isinstance(described, dict), "its certificate is malformed")
    held = {}
    for name, ndim in _CERTIFICATE_ARRAYS.items():
        is_shared = name in _ARRAYS and _PREFIX + name not in arrays
        held[name] = array(arrays, name if is_shared else _PREFIX + name, ndim, _KINDS.get(name, np.float64))
    _check_channel(held["channel"], held["letters"], "the certificate's channel")
    n_x = held["channel"].shape[0]
    check(held["u"].shape == (n_x,), f"the certificate's u does not have one entry for {n_x} rows")
    rest = array(arrays, _REST, 1) if _REST in arrays else np.zeros(n_x)
    check(rest.shape == (n_x,), f"the certificate's rest of u does not have one entry for {n_x} rows")
    return Certificate(
        u_rest=rest,
        proof=_proof(arrays),
        objective=field(described, "objective", text),
        lower=field(described, "lower", real),
        upper=field(described, "upper", real),
        fingerprint=field(described, "fingerprint", text),
        **held,
    )


def _proof(arrays: dict[str, np.ndarray]) -> PriceProof | None:
    held = {name.removeprefix(_PROOF): values for name, values in arrays.items() if name.startswith(_PROOF)}
    try:
        return unpacked_proof(held) if held else None
    except InvalidInput as error:
        raise UnreadableFile(str(error)) from error


def _record(entry: Any) -> StepRecord:
    check(isinstance(entry, list) and len(entry) == 6, "a record of its history is malformed")
    step, seconds, lower, value, multipliers, n_letters = entry
    return StepRecord(
        step=count(step),
        seconds=real(seconds),
        lower=real(lower),
        value=real(value),
        multipliers=tuple(real(multiplier) for multiplier in listed(multipliers)),
        n_letters=count(n_letters),
    )


def _check_channel(channel: np.ndarray, letters: np.ndarray, name: str) -> None:
    k = letters.size
    check(channel.shape[1] == k, f"{name} has {channel.shape[1]} columns for {k} letters")
    check(not k or letters.min() >= 0, f"{name} has a negative letter")
