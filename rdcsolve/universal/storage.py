"""Universal encoders as files, and `load` for whatever this library saved."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.files import array, check, count, field, listed, mapping, read, real, text, write
from rdcsolve.problems.storage import arrays_of, problem_of
from rdcsolve.results import Proof, Result, Status, storage
from rdcsolve.universal.decoding import Decoder
from rdcsolve.universal.result import Universal

_FORMAT, _VERSION = "rdcsolve universal", 1

_REALS = ("rate_lower", "rate_upper", "penalty_lower", "penalty_upper")
_TEXTS = ("law", "message")
_PROBLEM = "problem_"


def save(universal: Universal, path: str | os.PathLike[str]) -> None:
    """Write a universal encoder with all that proves it as one npz file; see `Universal.save`."""
    header: dict[str, Any] = {"format": _FORMAT, "version": _VERSION}
    header |= {name: getattr(universal, name) for name in _TEXTS}
    header |= {name: float(getattr(universal, name)) for name in _REALS}
    header |= {name: getattr(universal, name).name for name in ("status", "proof", "penalty_proof")}
    header["targets"] = list(universal.targets)
    header["losses"] = [decoder.losses for decoder in universal.decoders]
    header["source"] = universal.problem.source.name
    arrays: dict[str, Any] = {"encoder": universal.encoder, "q": universal.q}
    for j, decoder in enumerate(universal.decoders):
        arrays[f"letters_{j}"] = np.asarray(decoder.letters, dtype=np.int64)
        if decoder.reproduction.size:
            arrays[f"reproduction_{j}"] = decoder.reproduction
        arrays |= {f"decisions_{j}_{k}": soft for k, soft in enumerate(decoder.decisions)}
    arrays |= {_PROBLEM + name: value for name, value in arrays_of(universal.problem).items()}
    distinct: dict[int, Result] = {id(one): one for one in (*universal.results, universal.result)}
    places = {name: place for place, name in enumerate(distinct)}
    header["alone"] = [places[id(one)] for one in universal.results]
    header["together"] = places[id(universal.result)]
    header["results"] = []
    for place, one in enumerate(distinct.values()):
        described, held = storage.packed(one)
        header["results"].append(described)
        arrays |= {f"result{place}_{name}": values for name, values in held.items()}
    write(path, header, arrays)


def load(path: str | os.PathLike[str]) -> Result | Universal:
    """Return what `Result.save` or `Universal.save` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Result or Universal
        Equal to the one saved, to the last bit. Whether it belongs to a problem is checked with
        ``result.certificate.verify(problem)`` and ``universal.verify(problem)``.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, pickled, of an unknown version, or neither.
    """
    header, arrays = read(path)
    if header.get("format") != _FORMAT:
        return storage.load(path)
    try:
        version = header.get("version")
        check(version == _VERSION, f"version {version!r} is not known to this rdcsolve; upgrade it")
        return _restored(header, arrays)
    except InvalidInput as error:  # also where the arrays state no problem
        raise UnreadableFile(f"{path} cannot be loaded: {error}") from error


def _restored(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Universal:
    fields: dict[str, Any] = {name: field(header, name, real) for name in _REALS}
    fields |= {name: field(header, name, text) for name in _TEXTS}
    for name, known in (("status", Status), ("proof", Proof), ("penalty_proof", Proof)):
        value = field(header, name, text)
        check(value in known.__members__, f"{name} {value!r} is unknown")
        fields[name] = known[value]
    results = []
    for place, described in enumerate(field(header, "results", listed)):
        check(isinstance(described, dict), f"result {place} is malformed")
        results.append(storage.unpacked(described, _named(arrays, f"result{place}_")))
    named = [count(place) for place in field(header, "alone", listed)]
    together = field(header, "together", count)
    check(all(0 <= place < len(results) for place in [*named, together]), "a result that it names is missing")
    targets = tuple(mapping(target) for target in field(header, "targets", listed))
    check(len(named) == len(targets) > 0, f"it has {len(named)} results for {len(targets)} targets")
    encoder, q = array(arrays, "encoder", 2), array(arrays, "q", 1)
    check(encoder.shape[1] == q.size, f"encoder has {encoder.shape[1]} columns for {q.size} messages")
    attained = field(header, "losses", listed)
    check(len(attained) in (0, len(targets)), f"it has {len(attained)} decoders for {len(targets)} targets")
    problem = problem_of(_named(arrays, _PROBLEM), field(header, "source", text))
    check(encoder.shape[0] == problem.n_x, f"encoder has {encoder.shape[0]} rows for {problem.n_x} symbols")
    return Universal(
        encoder=encoder,
        q=q,
        targets=targets,
        decoders=tuple(_decoder(arrays, j, mapping(losses), q.size) for j, losses in enumerate(attained)),
        results=tuple(results[place] for place in named),
        result=results[together],
        problem=problem,
        **fields,
    )


def _decoder(arrays: dict[str, np.ndarray], j: int, losses: dict[str, float], k: int) -> Decoder:
    letters = array(arrays, f"letters_{j}", 1, np.int64)
    name = f"reproduction_{j}"
    places = array(arrays, name, 2) if name in arrays else np.empty((0, 0))
    n_labels = sum(key.startswith(f"decisions_{j}_") for key in arrays)
    decisions = tuple(array(arrays, f"decisions_{j}_{label}", 2) for label in range(n_labels))
    check(letters.size == k, f"letters_{j} has {letters.size} entries for {k} messages")
    check(not k or letters.min() >= 0, f"letters_{j} has a negative letter")
    check(places.shape[0] in (0, k), f"reproduction_{j} has {places.shape[0]} rows for {k} messages")
    for soft in decisions:
        check(soft.shape[0] == k, f"decisions of decoder {j} have {soft.shape[0]} rows for {k} messages")
    return Decoder(letters, decisions, losses, places)


def _named(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
