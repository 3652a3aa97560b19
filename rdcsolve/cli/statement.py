"""The options that state a problem, shared by the commands that take one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
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
    distortion_matrix: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file of distances instead (npy, or CSV without header), one row per symbol, one column per letter.",
            **_PANEL,
        ),
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
        list[str] | None,
        typer.Option(
            metavar="MEASURE[:LABEL][=BOUND]",
            help="How that is measured: w2 (squared distance; the default where there are points), w1, tv (the default "
            "elsewhere), kl, reverse_kl, chi2, reverse_chi2, hellinger, js, mmd (squared; with --kernel-width), exact. "
            "With a label, of every class. Repeated, more limits, each named after its measure and with its own bound.",
            **_PANEL,
        ),
    ] = None
    observation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A decoder sees Y in place of the source: p(y | x) (npy, or CSV without header), one row per symbol. "
            "Without --rate or --minimise rate the rate is not limited.",
            **_PANEL,
        ),
    ] = None
    kernel_width: Annotated[
        float | None,
        typer.Option(help="Width of the Gaussian kernel of --perception mmd.", **_PANEL),
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
    header: Annotated[
        bool | None,
        typer.Option(
            help="CSV: whether the first line names the columns. By default seen by its cells; without names columns "
            "are called 0, 1, ...",
            **_PANEL,
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option(help="CSV: what separates cells. By default a comma, in .tsv and .txt files a tab.", **_PANEL),
    ] = None
    decimal: Annotated[str, typer.Option(help="CSV: the decimal mark, . (the default) or a comma.", **_PANEL)] = "."
    words: Annotated[
        bool, typer.Option("--words", help="CSV: the symbols are words, with --distortion hamming.", **_PANEL)
    ] = False
    classifier: Annotated[
        Path | None,
        typer.Option(
            help="File (npy, or CSV without header) of the classifier's probabilities, one row per letter, one column "
            "per class; adds the loss classifier_loss.",
            **_PANEL,
        ),
    ] = None
    classifier_loss: Annotated[
        str | None, typer.Option(help="cross_entropy (the default) or error_rate.", **_PANEL)
    ] = None
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
    seed: Annotated[int | None, typer.Option(help="Of the k-means codebook, by default 0.", **_PANEL)] = None

    def files(self, path: Path) -> tuple[Path | None, ...]:
        """Return the files that state the problem: the one at `path`, and those that options name."""
        letters = None if self._n_letters() is not None or self.reproduction is None else Path(self.reproduction)
        return path, self.distortion_matrix, letters, self.observation, self.classifier

    def along(self, axes: Mapping[str, Any]) -> Statement:
        """Return the statement of a sweep over these axes, none of which an option limits as well.

        What is minimised under a limit on the rate has one before the axis is known.

        Raises
        ------
        InvalidInput
            If an option limits what an axis does.
        """
        stated = {"D": self.limit_d, "C": self.limit_c, "P": self.limit_p, "rate": self.rate}
        stated |= _named(self.limit, "--limit")
        for short, name in (("D", "distortion"), ("P", "perception"), ("C", "label_entropy"), ("rate", "rate")):
            given = {short, name} & {key for key, value in stated.items() if value is not None}
            along = {short, name} & axes.keys()
            if given and along:
                raise InvalidInput(f"the {name} is limited by --axis {min(along)} and by an option; leave that out")
        both = axes.keys() & _named(self.limit, "--limit").keys()
        if both:
            raise InvalidInput(f"--axis {min(both)} and --limit {min(both)} limit the same loss; leave one out")
        if "rate" in axes and self.minimise not in (None, "rate"):
            return replace(self, rate=float(axes["rate"][0]))
        return self

    def problem(
        self, path: Path, axes: tuple[str, ...] = (), *, several: bool = False, source: Source | None = None
    ) -> Problem:
        """Return the problem that these options and the file at `path` state.

        Parameters
        ----------
        path : Path
        axes : tuple of str, optional
            Names what else is limited.
        several : bool, optional
            Whether labels' entropies are losses where there would otherwise be one loss only.
        source : Source, optional
            What `samples` made of the file, if it was read before.

        Raises
        ------
        InvalidInput
            If the file or an option cannot be used.
        """
        self._refuse_idle()
        bounds = _named(self.limit, "--limit")
        multipliers = _named(self.multiplier, "--multiplier")
        named = {*bounds, *multipliers, *axes, self.minimise or ""} | ({"C"} if self.limit_c else set())
        unit = self._unit()
        state = self._losses(path, source)
        problem = state(any(name == "C" or name.startswith("label_entropy") for name in named))
        if several and len(problem.losses) == 1 and problem.source.labels:
            problem = state(True)
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
            return problem.at_multipliers(**multipliers)
        return self._asked(problem.with_limits(**bounds) if bounds else problem)

    def _asked(self, problem: Problem) -> Problem:
        """Return the problem with what it minimises, for a decoder that sees the source or something else."""
        if self.observation is not None:
            return self._observed(problem)
        return problem if self.minimise is None else problem.minimising(self.minimise)

    def _observed(self, problem: Problem) -> Problem:
        """Return the problem of a decoder that sees something else than the source, with or without a rate limit."""
        from rdcsolve.universal.observed import restoration

        assert self.observation is not None
        minimise = self.minimise or ("distortion" if self.rate is None else "rate")
        seen = restoration(problem, read_table(self.observation), minimise=minimise, normalise=self.normalise)
        return seen if self.rate is None else seen.with_limits(rate=self.rate)

    def _with_perception(self, problem: Problem, named: set[str]) -> Problem:
        """Return the problem with its reproduction's law measured, if that is asked for and not stated already."""
        is_asked = self.limit_p is not None or self.perception is not None or {"P", "perception"} & named
        stated = [_measure_of(text) for text in self.perception or []]
        if self.kernel_width is not None and not any(measure == "mmd" for measure, *_ in stated):
            raise InvalidInput("--kernel-width is of the measure mmd; add --perception mmd, or leave it out")
        if problem.perceptions and self.perception is not None:
            raise InvalidInput(
                "the file states what measures the law of the reproduction, so --perception has no use; leave it out, "
                "and limit it by --P"
            )
        if not is_asked or problem.perceptions:
            return problem
        stated = stated or [("tv" if problem.reproduction is None else "w2", None, None)]
        for k, (measure, label, bound) in enumerate(stated):
            if measure == "mmd" and self.kernel_width is None:
                raise InvalidInput("--perception mmd needs --kernel-width, the width of a Gaussian kernel")
            if k == 0 and bound is not None and self.limit_p is not None:
                raise InvalidInput("the perception is limited by --P and by --perception; give one of them")
            bound = (0.0 if measure == "exact" else math.inf) if bound is None else bound
            kernel = self.kernel_width if measure == "mmd" else None
            name = "perception" if k == 0 else measure
            problem = problem.with_perception(PerceptionLimit(bound, measure, kernel=kernel, name=name, given=label))
        return problem

    def _refuse_idle(self) -> None:
        """Raise if an option is about something that is not there."""
        if self.seed is not None and self._n_letters() is None:
            raise InvalidInput("--seed is of the k-means codebook; say its size with --reproduction, or leave it out")
        if self.classifier_loss is not None and self.classifier is None:
            raise InvalidInput("--classifier-loss is of a classifier; name its file with --classifier, or leave it out")

    def _n_letters(self) -> int | None:
        """Return the size of the k-means codebook that is asked for, if one is."""
        return int(self.reproduction) if self.reproduction is not None and self.reproduction.isdigit() else None

    def _unit(self) -> str | None:
        if self.bits and self.unit is UnitName.nat:
            raise InvalidInput("--bits is short for --unit bit, and --unit says nat; give one of them")
        return "bit" if self.bits else self.unit and self.unit.value

    def _losses(self, path: Path, source: Source | None) -> Callable[[bool], Problem]:
        """Return what states the problem of the file, with the entropies of its labels if asked; the file is read once.

        It has the limits that the file itself states.
        """
        if source is None and path.suffix == ".npz":
            self._refuse_columns(path)
            arrays = read_arrays(path)
            if {"distortion", "axis_0_distortion"} & arrays.keys():
                self._refuse_beside_matrices(path)
                if self.letters is not None:
                    arrays["letters"] = np.array(self.letters)
                return lambda with_entropies: problem_of(
                    arrays, path.name, with_entropies=with_entropies, normalise=self.normalise
                )
            _refuse_limits(arrays, path.name)
            from rdcsolve.data import from_npz

            source = from_npz(path, normalise=self.normalise)
        elif source is None:
            source = self.samples(path, self.label or ())
        limits: list[Any] = []
        if self.classifier is not None:
            table = read_table(self.classifier)
            loss = self.classifier_loss or "cross_entropy"
            limits = [ClassifierLossLimit(math.inf, table, loss, normalise=self.normalise)]
        entropies = [LabelEntropyLimit(math.inf, k) for k in range(len(source.labels))]
        reproduction, distortion = self._reproduction(source), self._distortion()
        return lambda with_entropies: Problem(
            source,
            reproduction,
            distortion,
            limits + (entropies if with_entropies else []),
            letters=self.letters or "split",
        )

    def samples(self, path: Path, labels: Sequence[str]) -> Source:
        """Return the source of a CSV file, whose labels are in these columns.

        Raises
        ------
        InvalidInput, UnreadableFile
            If it is no CSV file, or as of `from_csv`.
        """
        from rdcsolve.data import from_csv

        if path.suffix not in (".csv", ".tsv", ".txt") and str(path) != "-":
            raise InvalidInput(
                f"{path} is neither CSV nor npz; give a file that ends in .csv or .npz, or - to read CSV from a pipe"
            )
        return from_csv(
            str(path),
            self.column,
            labels,
            self.weight,
            header=self.header,
            delimiter=_character(self.delimiter),
            decimal=self.decimal,
            words=self.words,
        )

    def _refuse_columns(self, path: Path) -> None:
        names = ("column", "label", "weight", "header", "delimiter")
        given = [name for name in names if getattr(self, name) is not None]
        given += ["decimal"] * (self.decimal != ".") + ["words"] * self.words
        if given:
            raise InvalidInput(f"{path} is no CSV file, so --{given[0]} has no use; leave it out")

    def _refuse_beside_matrices(self, path: Path) -> None:
        names = ("distortion", "distortion_matrix", "reproduction", "classifier")
        given = [name.replace("_", "-") for name in names if getattr(self, name) is not None]
        if given:
            raise InvalidInput(f"{path} holds the matrices of the losses, so --{given[0]} has no use; leave it out")

    def _distortion(self) -> Any:
        if self.distortion_matrix is None:
            return self.distortion or "squared_error"
        for name in ("distortion", "reproduction"):
            if getattr(self, name) is not None:
                raise InvalidInput(
                    f"--distortion-matrix says what every letter costs, so --{name} has no use; leave it out"
                )
        return read_table(self.distortion_matrix)

    def _reproduction(self, source: Source) -> Any:
        if self.reproduction in (None, "free"):
            return self.reproduction
        size = self._n_letters()
        if size is None:
            return read_table(Path(self.reproduction))
        from rdcsolve.data import kmeans_codebook

        return kmeans_codebook(source, size, self.seed or 0)


def _refuse_limits(arrays: dict[str, Any], name: str) -> None:
    """Raise if the arrays of a source hold anything else: limits, most likely, which need losses."""
    check_names(arrays, name)
    named = ("p_x", "points", "symbols", "label_names", "columns")
    others = [key for key in arrays if key not in named and not key.startswith(("labels_", "classes_"))]
    if others:
        raise InvalidInput(
            f"{name} holds {others[0]} but no distortion; add the matrix distortion, or leave {others[0]} out and "
            "state the problem by options"
        )


def _character(text: str | None) -> str | None:
    r"""Return a delimiter as the shell can write it: ``\t`` and the word tab are a tab."""
    return "\t" if text in ("\\t", "tab") else text


def _measure_of(text: str) -> tuple[str, int | str | None, float | None]:
    """Return measure, label and bound of a text such as "tv:class=0.1", of which the last two may be missing."""
    rest, has_bound, number = text.partition("=")
    measure, _, label = rest.partition(":")
    try:
        bound = float(number) if has_bound else None
    except ValueError:
        raise InvalidInput(f"--perception {text!r} is not MEASURE[:LABEL][=BOUND]; write for instance tv=0.1") from None
    return measure, (int(label) if label.isdigit() else label) if label else None, bound


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


def tell_columns(problem: Problem) -> None:
    """Tell on standard error what the columns of a CSV file were taken for: after bad input is told, before work."""
    if problem.source.columns is not None:
        typer.echo(f"{problem.source.name}: {problem.source.columns}", err=True)


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
