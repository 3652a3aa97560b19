"""Problems in one line and as a table, for people, and as a key, which tells a problem from others."""

from __future__ import annotations

import math
from typing import Any

from rdcsolve.information import nats_to_bits
from rdcsolve.markup import html_table

_IN_NATS = ("kl", "reverse_kl", "js")  # measures of laws that are amounts of information, whatever the problem's unit


def description(problem: Any) -> str:
    """Return a problem in one line: sizes, what is minimised, and limits or multipliers, in its unit."""
    letters = "letters free" if problem.free is not None else f"n_letters={problem.n_letters}"
    if problem.own_letters is not None:
        letters = f"letters of {type(problem.own_letters).__name__}"
    scale = 1.0 if problem.unit == "nat" else nats_to_bits(1.0)
    columns = problem.source.columns
    places = [] if problem.source.dim is None else [f"dim={problem.source.dim}"]
    read = [] if columns is None else [*places, *columns.summary()]
    parts = [f"n_x={problem.n_x}", *read, letters, f"minimise={problem.objective!r}"]
    parts += [] if problem.unit == "nat" else [f"unit={problem.unit!r}"]
    if problem.multipliers is not None:
        assert problem.perception_multipliers is not None
        pairs = zip(problem.multipliers, problem.losses, strict=True)
        shown = [(value if loss.is_information else value * scale, loss.name) for value, loss in pairs]
        of_laws = zip(problem.perception_multipliers, problem.perception_names, strict=True)
        shown += [(value * scale, name) for value, name in of_laws]
        parts.append(" + ".join(f"{value:.6g} * {name}" for value, name in shown))
        return f"Problem({', '.join(parts)})"
    scales = [scale if loss.is_information else 1.0 for loss in problem.losses] + [1.0] * len(problem.perceptions)
    signs = ["=" if equal else "<=" for equal in problem.equal] + ["<="] * len(problem.perceptions)
    bounds = [*problem.bounds.tolist(), *problem.perception_bounds.tolist()]
    units = [""] * len(problem.losses)
    units += [" nat" * (problem.unit != "nat" and law.measure in _IN_NATS) for law in problem.perceptions]
    for name, bound, factor, sign, unit in zip(problem.limit_names, bounds, scales, signs, units, strict=True):
        if name != problem.minimise:
            parts.append(f"{name} {sign} {bound * factor:.6g}{unit}" if bound < math.inf else f"{name} not limited")
    if problem.rate_bound is not None:
        parts.append(f"rate <= {problem.rate_bound * scale:.6g}")
    return f"Problem({', '.join(parts)})"


def table_of(problem: Any) -> str:
    """Return a problem as a table in HTML: what is minimised, and limits or multipliers, in its unit."""
    whole = description(problem).removeprefix("Problem(").removesuffix(")")
    letters = "anywhere" if problem.free is not None else f"{problem.n_letters}"
    letters = type(problem.own_letters).__name__ if problem.own_letters is not None else letters
    kind = f", {problem.letters}" if problem.label_entropies else ""
    start = whole.index("minimise=")
    stated = [part for part in whole[start:].split(", ") if not part.startswith(("minimise=", "unit="))]
    rows = [("symbols", problem.n_x), ("letters", letters + kind), ("minimise", problem.objective)]
    rows += [("multipliers" if problem.multipliers is not None else "limit", part) for part in stated]
    return html_table("Problem", ("", f"[{problem.unit}]"), rows)


def key_of(problem: Any) -> tuple[Any, ...]:
    """Return what tells a problem from others: its masses and losses, its limits and its objective."""
    own = (
        problem.bounds,
        problem.equal,
        problem.multipliers,
        problem.perception_bounds,
        problem.perception_multipliers,
    )
    numbers = tuple(None if values is None else tuple(values.tolist()) for values in own)
    names = (*problem.loss_names, *problem.perception_names)
    return (
        problem.fingerprint(),
        names,
        numbers,
        problem.rate_bound,
        problem.minimise,
        problem.letters,
        problem.unit,
    )
