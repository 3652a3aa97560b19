"""Results written to files: what of a result is an array, and what is text."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rdcsolve.certificates.law_proof import packed as packed_laws
from rdcsolve.files import write

FORMAT, VERSION, WITHOUT_LAWS = "rdcsolve result", 3, 2  # what needs nothing newer stays readable for older versions

TEXTS = ("objective", "fingerprint", "method", "message", "unit")
REALS = ("objective_lower", "objective_upper", "rate_lower", "rate_upper", "seconds")
MAPPINGS = ("losses", "multipliers", "minimum")
ARRAYS = {"channel": 2, "letters": 1, "q": 1, "d_tilted": 1, "reproduction": 2}
CERTIFICATE_ARRAYS = {"u": 1, "multipliers": 1, "letters": 1, "channel": 2}
KINDS = {"letters": np.int64}
PREFIX = "certificate_"
DECISIONS = "decisions_"
REST = "certificate_u_rest"
PROOF = "certificate_proof_"
LAW = "certificate_law_"
OUTPUT_LAW = "output_law"


def save(result: Any, path: str | os.PathLike[str]) -> None:
    """Write a result as one npz file, without pickle, whole or not at all.

    Parameters
    ----------
    result : Result
        By its attributes alone: `Result.save` comes here.
    path : path-like
        Used exactly as given. An existing file is replaced only once the new one is complete.

    Raises
    ------
    SaveFailed
        If the file cannot be written; an existing file is left as it was, and nothing half-written stays.
    """
    header, arrays = packed(result)
    version = VERSION if result.perceptions else WITHOUT_LAWS
    write(path, {"format": FORMAT, "version": version} | header, arrays)


def packed(result: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return all of a result but its arrays, as JSON knows it, and its arrays by name."""
    arrays = {name: _stored(getattr(result, name), name) for name in ARRAYS}
    arrays |= {f"{DECISIONS}{k}": _stored(soft, DECISIONS) for k, soft in enumerate(result.decisions)}
    if result.certificate is not None:
        for name in CERTIFICATE_ARRAYS:
            values = _stored(getattr(result.certificate, name), name)
            if name not in arrays or not _same(values, arrays[name]):  # what the result holds is not repeated
                arrays[PREFIX + name] = values
        arrays[REST] = _stored(result.certificate.u_rest, REST)
        if result.certificate.proof is not None:
            arrays |= {PROOF + name: values for name, values in result.certificate.proof.packed().items()}
        arrays |= {LAW + name: values for name, values in packed_laws(result.certificate.laws).items()}
    if result.output_law.size:
        arrays[OUTPUT_LAW] = _stored(result.output_law, OUTPUT_LAW)
    return _described(result), arrays


def _stored(values: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(values, dtype=KINDS.get(name, np.float64))


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return left is right or (left.shape == right.shape and left.tobytes() == right.tobytes())


def _described(result: Any) -> dict[str, Any]:
    """Return all of a result but its arrays, as JSON knows it."""
    header: dict[str, Any] = {name: getattr(result, name) for name in TEXTS}
    header |= {name: float(getattr(result, name)) for name in REALS}
    for name in MAPPINGS:
        header[name] = {key: float(value) for key, value in getattr(result, name).items()}
    header["information_losses"] = list(result.information_losses)
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
    if result.perceptions:
        header["perceptions"] = {key: float(value) for key, value in result.perceptions.items()}
    certificate = result.certificate
    header["certificate"] = certificate and {
        "objective": certificate.objective,
        "lower": float(certificate.lower),
        "upper": float(certificate.upper),
        "fingerprint": certificate.fingerprint,
    }
    return header
