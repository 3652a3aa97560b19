"""Results written to files: what of a result is an array, and what is text."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rdcsolve.certificates.law_proof import packed as packed_laws
from rdcsolve.files import write
from rdcsolve.results.channel import Channel

FORMAT, WITH_CHANNEL_BY_MASSES, WITH_LAWS, WITHOUT_LAWS = "rdcsolve result", 4, 3, 2
# what needs nothing newer stays readable for older versions

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
BY_MASSES = ("channel_masses", "channel_multipliers")  # in place of a channel whose rows are made on demand


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
    version = WITH_LAWS if result.perceptions else WITHOUT_LAWS
    if "channel" not in arrays or PREFIX + BY_MASSES[0] in arrays:
        version = WITH_CHANNEL_BY_MASSES
    write(path, {"format": FORMAT, "version": version} | header, arrays)


def packed(result: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return all of a result but its arrays, as JSON knows it, and its arrays by name."""
    arrays = _channel(result.channel) | {
        name: _stored(getattr(result, name), name) for name in ARRAYS if name != "channel"
    }
    arrays |= {f"{DECISIONS}{k}": _stored(soft, DECISIONS) for k, soft in enumerate(result.decisions)}
    if result.certificate is not None:
        held = {
            name: _stored(getattr(result.certificate, name), name) for name in CERTIFICATE_ARRAYS if name != "channel"
        }
        channel = _channel(result.certificate.channel)
        if not all(name in arrays and _same(values, arrays[name]) for name, values in channel.items()):
            arrays |= {PREFIX + name: values for name, values in channel.items()}  # all that one channel is made of
        for name, values in held.items():
            if name not in arrays or not _same(values, arrays[name]):  # what the result holds is not repeated
                arrays[PREFIX + name] = values
        arrays[REST] = _stored(result.certificate.u_rest, REST)
        if result.certificate.proof is not None:
            arrays |= {PROOF + name: values for name, values in result.certificate.proof.packed().items()}
        arrays |= {LAW + name: values for name, values in packed_laws(result.certificate.laws).items()}
    if result.output_law.size:
        arrays[OUTPUT_LAW] = _stored(result.output_law, OUTPUT_LAW)
    return _described(result), arrays


def _channel(channel: Any) -> dict[str, np.ndarray]:
    """Return a channel as an array, or the masses and multipliers of one whose rows are made on demand."""
    if not isinstance(channel, Channel):
        return {"channel": _stored(channel, "channel")}
    return dict(zip(BY_MASSES, (_stored(channel.q, ""), _stored(channel.multipliers, "")), strict=True))


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
