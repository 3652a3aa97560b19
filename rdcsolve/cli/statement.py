"""The options that state a problem, shared by the commands that take one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import numpy as np
import typer

from rdcsolve.cli.files import read_table
from rdcsolve.errors import InvalidInput
from rdcsolve.files import read_arrays
from rdcsolve.problems import ClassifierLossLimit, LabelEntropyLimit, PerceptionLimit, Problem, Source
from rdcsolve.problems.statement import spelled_out
from rdcsolve.problems.storage import check_names, problem_of

_PANEL: Any = {"rich_help_panel": "The problem", "show_default": False}


class UnitName(StrEnum):
    """The units of information."""

    nat = "nat"
    bit = "bit"


@dataclass(frozen=True)
class Statement:
    """What a user types to state a problem, besides the file."""

    distortion: Annotated[
        str | None,
        typer.Option(help="squared_error (the default), mean_squared_error, absolute or hamming.", **_PANEL),
    ] = None
    reproduction: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE|FILE|free",
            help="Letters: a number for a k-means codebook of that size, a file of points (npy, or CSV without "
            "header), or free for any points. By default the points of the source.",
            **_PANEL,
        ),
    ] = None
    limit_d: Annotated[float | None, typer.Option("--D", help="Limit on the distortion.", **_PANEL)] = None
    limit_c: Annotated[
        list[float] | None,
        typer.Option("--C", help="Limit on the label's entropy given the letter; once per label.", **_PANEL),
    ] = None
    limit_p: Annotated[
        float | None,
        typer.Option("--P", help="Limit on how far the law of the reproduction is from the source's.", **_PANEL),
    ] = None
    perception: Annotated[
        str | None,
        typer.Option(
            metavar="MEASURE",
            help="How that is measured: w2 (squared distance; the default where there are points), w1, tv (the default "
            "elsewhere), kl, reverse_kl, chi2, reverse_chi2, hellinger, js or exact.",
            **_PANEL,
        ),
    ] = None
    letters: Annotated[
        str | None,
        typer.Option(
            metavar="split|fixed",
            help="Where a label's entropy counts: symbols with any soft decisions beside them (split, the default), or "
            "one letter per symbol (fixed), for which only stationary points are found.",
            **_PANEL,
        ),
    ] = None
    limit: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Limit on a loss; may be repeated.", **_PANEL)
    ] = None
    rate: Annotated[float | None, typer.Option(help="Limit on the rate (see --unit).", **_PANEL)] = None
    minimise: Annotated[
        str | None, typer.Option(help="rate (the default), or the name of a loss, with --rate.", **_PANEL)
    ] = None
    multiplier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Fixed multiplier of a loss instead of limits; may be repeated.", **_PANEL
        ),
    ] = None
    column: Annotated[
        list[str] | None, typer.Option(help="CSV: a feature column; may be repeated. By default all others.", **_PANEL)
    ] = None
    label: Annotated[
        list[str] | None, typer.Option(help="CSV: the column of the class; may be repeated.", **_PANEL)
    ] = None
    weight: Annotated[str | None, typer.Option(help="CSV: the column of weights.", **_PANEL)] = None
    classifier: Annotated[
        Path | None,
        typer.Option(
            help="File (npy, or CSV without header) of the classifier's probabilities, one row per letter, one column "
            "per class; adds the loss classifier_loss.",
            **_PANEL,
        ),
    ] = None
    classifier_loss: Annotated[str, typer.Option(help="cross_entropy (the default) or error_rate.", **_PANEL)] = (
        "cross_entropy"
    )
    unit: Annotated[
        UnitName | None,
        typer.Option(
            help="Of rates, label entropies and cross-entropies, typed and told: nat (the default, unless the file "
            "says otherwise) or bit.",
            **_PANEL,
        ),
    ] = None
    bits: Annotated[bool, typer.Option("--bits", help="Short for --unit bit.", **_PANEL)] = False
    normalise: Annotated[
        bool,
        typer.Option(
            "--normalise",
            help="Rescale masses, p(s | x) and a classifier's rows to sum to one, as for counts.",
            **_PANEL,
        ),
    ] = False
    seed: Annotated[int, typer.Option(help="Of the k-means codebook.", **_PANEL)] = 0

    def problem(self, path: Path, axes: tuple[str, ...] = ()) -> Problem:
        """Return the problem that these options and the file at `path` state; `axes` names what else is limited.

        Raises
        ------
        InvalidInput
            If the file or an option cannot be used.
        """
        bounds = _named(self.limit, "--limit")
        multipliers = _named(self.multiplier, "--multiplier")
        named = {*bounds, *multipliers, *axes, self.minimise or ""} | ({"C"} if self.limit_c else set())
        unit = self._unit()
        problem = self._losses(path, any(name == "C" or name.startswith("label_entropy") for name in named))
        problem = self._with_perception(problem, named)
        if "C" in named and not problem.label_entropies:
            raise InvalidInput(
                f"C limits a label's entropy but {path} has no label; name its column with --label, or save p(s | x) "
                "in the npz file as labels_0"
            )
        problem = problem if unit is None else problem.in_unit(unit)
        for short, name, value in (("D", "distortion", self.limit_d), ("P", "perception", self.limit_p)):
            if value is not None:
                if {short, name} & set(bounds):
                    raise InvalidInput(f"the {name} is limited by --{short} and by --limit; give one of them")
                bounds[name] = value
        if self.limit_c:
            bounds["C"] = self.limit_c  # type: ignore[assignment]
        if self.rate is not None:
            bounds["rate"] = self.rate
        if multipliers:
            if bounds or self.minimise:
                raise InvalidInput("--multiplier replaces limits; give either multipliers, or limits and --minimise")
            spelled = {spelled_out(name): value for name, value in multipliers.items()}
            if len(spelled) < len(multipliers):
                raise InvalidInput("--multiplier names a loss by its short and its full name; keep one")
            return problem.at_multipliers(**spelled)
        if bounds:
            problem = problem.with_limits(**bounds)
        return problem if self.minimise is None else problem.minimising(self.minimise)

    def _with_perception(self, problem: Problem, named: set[str]) -> Problem:
        """Return the problem with its reproduction's law measured, if that is asked for and not stated already."""
        is_asked = self.limit_p is not None or self.perception is not None or {"P", "perception"} & named
        if not is_asked or problem.perceptions:
            return problem
        measure = self.perception or ("tv" if problem.reproduction is None else "w2")
        bound = 0.0 if measure == "exact" else math.inf
        return problem.with_perception(PerceptionLimit(bound, measure))

    def _unit(self) -> str | None:
        if self.bits and self.unit is UnitName.nat:
            raise InvalidInput("--bits is short for --unit bit, and --unit says nat; give one of them")
        return "bit" if self.bits else self.unit and self.unit.value

    def _losses(self, path: Path, with_entropies: bool) -> Problem:
        """Return the problem with the limits that the file itself states, and the entropies of its labels if asked."""
        source: Source
        if path.suffix == ".npz":
            arrays = read_arrays(path)
            if "distortion" in arrays:
                self._refuse_beside_matrices(path)
                if self.letters is not None:
                    arrays["letters"] = np.array(self.letters)
                return problem_of(arrays, path.name, with_entropies=with_entropies, normalise=self.normalise)
            _refuse_limits(arrays, path.name)
            from rdcsolve.data import from_npz

            source = from_npz(path, normalise=self.normalise)
        elif path.suffix in (".csv", ".tsv", ".txt"):
            from rdcsolve.data import from_csv

            delimiter = "," if path.suffix == ".csv" else "\t"
            source = from_csv(path, self.column, self.label or (), self.weight, delimiter=delimiter)
        else:
            raise InvalidInput(f"{path} is neither CSV nor npz; give a file that ends in .csv or .npz")
        limits: list[Any] = []
        if self.classifier is not None:
            table = read_table(self.classifier)
            limits = [ClassifierLossLimit(math.inf, table, self.classifier_loss, normalise=self.normalise)]
        if with_entropies:
            limits += [LabelEntropyLimit(math.inf, k) for k in range(len(source.labels))]
        reproduction, distortion = self._reproduction(source), self.distortion or "squared_error"
        return Problem(source, reproduction, distortion, limits, letters=self.letters or "split")

    def _refuse_beside_matrices(self, path: Path) -> None:
        given = [name for name in ("distortion", "reproduction", "classifier") if getattr(self, name) is not None]
        if given:
            raise InvalidInput(f"{path} holds the matrices of the losses, so --{given[0]} has no use; leave it out")

    def _reproduction(self, source: Source) -> Any:
        if self.reproduction in (None, "free"):
            return self.reproduction
        if not self.reproduction.isdigit():
            return read_table(Path(self.reproduction))
        from rdcsolve.data import kmeans_codebook

        return kmeans_codebook(source, int(self.reproduction), self.seed)


def _refuse_limits(arrays: dict[str, Any], name: str) -> None:
    """Raise if the arrays of a source hold anything else: limits, most likely, which need losses."""
    check_names(arrays, name)
    others = [key for key in arrays if key not in ("p_x", "points") and not key.startswith("labels_")]
    if others:
        raise InvalidInput(
            f"{name} holds {others[0]} but no distortion; add the matrix distortion, or leave {others[0]} out and "
            "state the problem by options"
        )


def _named(pairs: list[str] | None, option: str) -> dict[str, float]:
    """Return {name: number} from texts such as "distortion=0.1"."""
    numbers: dict[str, float] = {}
    for pair in pairs or []:
        name, _, text = pair.partition("=")
        try:
            value = float(text)
        except ValueError:
            raise InvalidInput(f"{option} {pair!r} is not NAME=VALUE; write for instance distortion=0.1") from None
        if name in numbers:
            raise InvalidInput(f"{option} names {name!r} twice; keep one")
        numbers[name] = value
    return numbers


def takes_a_problem(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `Statement` to a command, whose parameter `statement` receives them."""
    own = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    added = get_type_hints(Statement, include_extras=True)

    @wraps(command)
    def stated(**options: Any) -> Any:
        statement = Statement(**{field.name: options.pop(field.name) for field in fields(Statement)})
        return command(**options, statement=statement)

    parameters = [p.replace(annotation=hints[name]) for name, p in own.parameters.items() if name != "statement"]
    parameters += [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=added[one.name])
        for one in fields(Statement)
    ]
    stated.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    stated.__annotations__ = {p.name: p.annotation for p in parameters}
    del stated.__wrapped__  # the signature above is the one to be read
    return stated
