"""Universal encoders written to files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from rdcsolve.files import write
from rdcsolve.problems.storage import arrays_of
from rdcsolve.results import Result, packing
from rdcsolve.universal.answer import Answer

FORMAT, VERSION = "rdcsolve universal", 1

REALS = ("rate_lower", "rate_upper", "penalty_lower", "penalty_upper")
TEXTS = ("law", "message")
PROBLEM = "problem_"


def save(universal: Answer, path: str | os.PathLike[str], more: Mapping[str, Any] | None = None) -> None:
    """Write a universal encoder with all that proves it as one npz file; see `Universal.save`.

    Its numbers are in nats whatever the unit in which it is shown, which the header names. `more` joins the header.
    """
    header: dict[str, Any] = {"format": FORMAT, "version": VERSION, "unit": universal.unit, **(more or {})}
    universal = universal if universal.in_nats is None else universal.in_nats
    header |= {name: getattr(universal, name) for name in TEXTS}
    header |= {name: float(getattr(universal, name)) for name in REALS}
    header |= {name: getattr(universal, name).name for name in ("status", "proof", "penalty_proof")}
    header["targets"] = list(universal.targets)
    header["losses"] = [decoder.losses for decoder in universal.decoders]
    if any(decoder.perceptions for decoder in universal.decoders):
        header["perceptions"] = [decoder.perceptions for decoder in universal.decoders]
    header["source"] = universal.problem.source.name
    arrays: dict[str, Any] = {"encoder": universal.encoder, "q": universal.q}
    for j, decoder in enumerate(universal.decoders):
        arrays[f"letters_{j}"] = np.asarray(decoder.letters, dtype=np.int64)
        if decoder.reproduction.size:
            arrays[f"reproduction_{j}"] = decoder.reproduction
        arrays |= {f"decisions_{j}_{k}": soft for k, soft in enumerate(decoder.decisions)}
    arrays |= {PROBLEM + name: value for name, value in arrays_of(universal.problem).items()}
    distinct: dict[int, Result] = {id(one): one for one in (*universal.results, universal.result)}
    places = {name: place for place, name in enumerate(distinct)}
    header["alone"] = [places[id(one)] for one in universal.results]
    header["together"] = places[id(universal.result)]
    header["results"] = []
    for place, one in enumerate(distinct.values()):
        described, held = packing.packed(one)
        header["results"].append(described)
        arrays |= {f"result{place}_{name}": values for name, values in held.items()}
    write(path, header, arrays)
