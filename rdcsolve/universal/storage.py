"""Universal encoders read from files, and `load` for whatever this library saved."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.files import array, check, count, field, listed, mapping, read, real, text
from rdcsolve.information import UNITS
from rdcsolve.problems.storage import problem_of
from rdcsolve.results import Proof, Result, Status, storage
from rdcsolve.universal.decoding import Decoder
from rdcsolve.universal.packing import FORMAT, PROBLEM, REALS, TEXTS, VERSION
from rdcsolve.universal.result import Universal


@public_call
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
    if header.get("format") != FORMAT:
        return storage.load(path)
    try:
        version = header.get("version")
        check(version == VERSION, f"version {version!r} is not known to this rdcsolve; upgrade it")
        unit = header.get("unit", "nat")
        check(unit in UNITS, f"unit {unit!r} is unknown")
        universal = _restored(header, arrays)
        return universal if unit == "nat" else universal.in_bits()
    except InvalidInput as error:  # also where the arrays state no problem
        raise UnreadableFile(f"{path} cannot be loaded: {error}") from error


def _restored(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Universal:
    fields: dict[str, Any] = {name: field(header, name, real) for name in REALS}
    fields |= {name: field(header, name, text) for name in TEXTS}
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
    of_laws = field(header, "perceptions", listed) if "perceptions" in header else [{}] * len(attained)
    check(len(of_laws) == len(attained), f"it has perceptions of {len(of_laws)} decoders, losses of {len(attained)}")
    problem = problem_of(_named(arrays, PROBLEM), field(header, "source", text))
    check(encoder.shape[0] == problem.n_x, f"encoder has {encoder.shape[0]} rows for {problem.n_x} symbols")
    return Universal(
        encoder=encoder,
        q=q,
        targets=targets,
        decoders=tuple(
            _decoder(arrays, j, mapping(losses), mapping(laws), q.size)
            for j, (losses, laws) in enumerate(zip(attained, of_laws, strict=True))
        ),
        results=tuple(results[place] for place in named),
        result=results[together],
        problem=problem,
        **fields,
    )


def _decoder(
    arrays: dict[str, np.ndarray], j: int, losses: dict[str, float], laws: dict[str, float], k: int
) -> Decoder:
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
    return Decoder(letters, decisions, losses, places, laws)


def _named(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
