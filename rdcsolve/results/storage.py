"""Results read from files: what must be there, and what must fit together."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.certificates.law_proof import unpacked as unpacked_laws
from rdcsolve.certificates.proof import unpacked as unpacked_proof
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.files import array, check, count, field, listed, mapping, read, real, text
from rdcsolve.results.channel import Channel
from rdcsolve.results.packing import (
    ARRAYS,
    BY_MASSES,
    CERTIFICATE_ARRAYS,
    DECISIONS,
    FORMAT,
    KINDS,
    LAW,
    MAPPINGS,
    OUTPUT_LAW,
    PREFIX,
    PROOF,
    REALS,
    REST,
    TEXTS,
    WITH_CHANNEL_BY_MASSES,
)
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status

_KNOWN_VERSIONS = (1, 2, 3, 4)  # 1 has neither a rest of u nor a proof of the largest price, 2 no laws, 3 all rows


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
        check(found == FORMAT, f"it is not a saved result (its format is {found!r}); rdcsolve.load reads others too")
        version = header.get("version")
        check(version in _KNOWN_VERSIONS, f"version {version!r} is not known to this rdcsolve; upgrade it")
        by_masses = [name for name in arrays if name.removeprefix(PREFIX) in BY_MASSES]
        check(version == WITH_CHANNEL_BY_MASSES or not by_masses, f"version {version} has no {', '.join(by_masses)}")
        return unpacked(header, arrays)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path} cannot be loaded: {error}") from error


def unpacked(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Result:
    """Return the result that `packed` took apart.

    Raises
    ------
    UnreadableFile
        If something is missing, of another type, or does not fit the rest.
    """
    fields: dict[str, Any] = {name: field(header, name, text) for name in TEXTS}
    fields |= {name: field(header, name, real) for name in REALS}
    fields |= {name: field(header, name, mapping) for name in MAPPINGS}
    fields |= {
        name: array(arrays, name, ndim, KINDS.get(name, np.float64))
        for name, ndim in ARRAYS.items()
        if name != "channel"
    }
    fields["channel"] = _channel(arrays, "", fields["letters"], fields["d_tilted"].size)
    status, proof = field(header, "status", text), field(header, "proof", text)
    check(status in Status.__members__, f"status {status!r} is unknown")
    check(proof in Proof.__members__, f"proof {proof!r} is unknown")
    check(fields["unit"] in ("nat", "bit"), f"unit {fields['unit']!r} is unknown")
    fields["perceptions"] = mapping(header["perceptions"]) if "perceptions" in header else {}
    named = [*fields["losses"], *fields["perceptions"]]
    check(named == list(fields["multipliers"]), "losses and multipliers differ in names")
    fields["output_law"] = array(arrays, OUTPUT_LAW, 1) if OUTPUT_LAW in arrays else np.empty(0)
    k = fields["letters"].size
    _check_channel(fields["channel"], fields["letters"], "channel")
    check(fields["q"].shape == (k,), f"q has shape {fields['q'].shape} for {k} letters")
    n_x = fields["channel"].shape[0]
    check(not k or fields["d_tilted"].shape == (n_x,), f"d_tilted does not have one entry for {n_x} rows")
    places = fields["reproduction"].shape
    check(places[0] in (0, k), f"reproduction has shape {places} for {k} letters")
    n_labels = sum(name.startswith(DECISIONS) for name in arrays)
    decisions = tuple(array(arrays, f"{DECISIONS}{index}", 2) for index in range(n_labels))
    for soft in decisions:
        check(soft.shape[0] == k, f"decisions have {soft.shape[0]} rows for {k} letters")
    certificate = _certificate(header, arrays, fields["channel"])
    if certificate is not None and fields["losses"]:
        n_losses = len(fields["losses"])
        check(certificate.multipliers.size == n_losses, f"the certificate is not for {n_losses} losses")
        n_laws = len(fields["perceptions"])
        check(len(certificate.laws) in (0, n_laws), f"the certificate is not for {n_laws} laws of the reproduction")
    return Result(
        information_losses=_names(header.get("information_losses", [])),
        status=Status[status],
        proof=Proof[proof],
        steps=field(header, "steps", count),
        history=tuple(_record(entry) for entry in field(header, "history", listed)),
        certificate=certificate,
        decisions=decisions,
        **fields,
    )


def _names(listing: Any) -> tuple[str, ...]:
    return tuple(text(name) for name in listed(listing))


def _channel(arrays: dict[str, np.ndarray], prefix: str, letters: np.ndarray, n_x: int) -> np.ndarray | Channel:
    """Return a channel, or what its rows are made of, if the file holds that in its place."""
    if prefix + BY_MASSES[0] not in arrays:
        check(prefix + BY_MASSES[1] not in arrays, "it holds multipliers of a channel, but no masses")
        return array(arrays, prefix + "channel", 2)
    check(prefix + "channel" not in arrays, "it holds a channel both by its rows and by masses")
    masses, multipliers = (array(arrays, prefix + name, 1) for name in BY_MASSES)
    check(masses.size == letters.size, f"the channel has {masses.size} masses for {letters.size} letters")
    check(bool((masses > 0).all() and np.isfinite(masses).all()), "the channel's masses are not all positive")
    check(bool(np.isfinite(multipliers).all()), "the channel's multipliers are not all finite")
    return Channel(None, letters, masses, multipliers, n_x)


def _certificate(
    header: dict[str, Any], arrays: dict[str, np.ndarray], channel: np.ndarray | Channel
) -> Certificate | None:
    check("certificate" in header, "its header has no certificate")
    described = header["certificate"]
    if described is None:
        return None
    check(isinstance(described, dict), "its certificate is malformed")
    held: dict[str, Any] = {}
    for name, ndim in CERTIFICATE_ARRAYS.items():
        if name == "channel":
            continue
        is_shared = name in ARRAYS and PREFIX + name not in arrays
        held[name] = array(arrays, name if is_shared else PREFIX + name, ndim, KINDS.get(name, np.float64))
    is_own = any(PREFIX + name in arrays for name in ("channel", *BY_MASSES))
    held["channel"] = _channel(arrays, PREFIX, held["letters"], held["u"].size) if is_own else channel
    _check_channel(held["channel"], held["letters"], "the certificate's channel")
    n_x = held["channel"].shape[0]
    check(held["u"].shape == (n_x,), f"the certificate's u does not have one entry for {n_x} rows")
    rest = array(arrays, REST, 1) if REST in arrays else np.zeros(n_x)
    check(rest.shape == (n_x,), f"the certificate's rest of u does not have one entry for {n_x} rows")
    return Certificate(
        u_rest=rest,
        proof=_proof(arrays),
        laws=_laws(arrays),
        objective=field(described, "objective", text),
        lower=field(described, "lower", real),
        upper=field(described, "upper", real),
        fingerprint=field(described, "fingerprint", text),
        **held,
    )


def _proof(arrays: dict[str, np.ndarray]) -> PriceProof | None:
    held = {name.removeprefix(PROOF): values for name, values in arrays.items() if name.startswith(PROOF)}
    try:
        return unpacked_proof(held) if held else None
    except InvalidInput as error:
        raise UnreadableFile(str(error)) from error


def _laws(arrays: dict[str, np.ndarray]) -> tuple[LawProof, ...]:
    held = {name.removeprefix(LAW): values for name, values in arrays.items() if name.startswith(LAW)}
    try:
        return unpacked_laws(held)
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


def _check_channel(channel: np.ndarray | Channel, letters: np.ndarray, name: str) -> None:
    k = letters.size
    check(channel.shape[1] == k, f"{name} has {channel.shape[1]} columns for {k} letters")
    check(not k or letters.min() >= 0, f"{name} has a negative letter")
