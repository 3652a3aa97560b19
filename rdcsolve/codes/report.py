"""What an audit found: a table, the parts of the distance, a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.codes.audit_curves import CurvePoint, limit_curve
from rdcsolve.errors import InvalidInput
from rdcsolve.information import nats_to_bits
from rdcsolve.markup import html_table
from rdcsolve.problems import Problem

EXACT, CERTIFIED, ESTIMATED = "exact for the sample", "certified", "estimated"


@dataclass(frozen=True)
class AuditLine:
    """One number of an audit.

    Attributes
    ----------
    name : str
    value : float
        Of a certified limit the end that is attained.
    lower, upper : float
        Of a certified limit its bounds. Else an interval of 95 % for the population, NaN without one.
    kind : {"exact for the sample", "certified", "estimated"}
    is_information : bool
        Whether it is in the audit's unit of information.
    """

    name: str
    value: float
    lower: float
    upper: float
    kind: str
    is_information: bool


@dataclass(frozen=True)
class Part:
    """A part of the distance between a codec and the limit: what it is at the attained ends, and its bounds, >= 0."""

    name: str
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found.

    Attributes
    ----------
    lines : tuple of AuditLine
        Every number, by name: ``audit["distortion"]``.
    rate_parts : tuple of Part
        Coding redundancy, the encoder's randomness, information that the decoder does not use, and the shape of the
        channel: together the length less the least rate. None is negative. Where a perception was asked for, the last
        part is realism: what any codec as realistic sends beyond the least rate.
    loss_parts : tuple of Part
        Decoder, encoder and unused rate: together the distortion less the least one at the length. None is negative.
    notes : tuple of str
        What has to be said about the numbers.
    problem : Problem
        Of the limits: the samples, and the letters.
    results : dict
        What `solve` returned for each limit, in nats.
    others : dict
        The codec's losses other than the distortion, at which the distortion's limits are.
    unit : {"nat", "bit"}
    """

    lines: tuple[AuditLine, ...]
    rate_parts: tuple[Part, ...]
    loss_parts: tuple[Part, ...]
    notes: tuple[str, ...]
    problem: Problem
    results: dict[str, Any] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)
    unit: str = "nat"

    def __getitem__(self, name: str) -> AuditLine:
        for line in self.lines:
            if line.name == name:
                return line
        raise InvalidInput(f"no line is called {name!r}; there are {', '.join(line.name for line in self.lines)}")

    def in_bits(self) -> Audit:
        """Return the audit with all information in bits; the results of the limits stay in nats."""
        if self.unit == "bit":
            return self
        lines = [
            replace(one, value=_bits(one.value), lower=_bits(one.lower), upper=_bits(one.upper))
            if one.is_information
            else one
            for one in self.lines
        ]
        parts = [Part(p.name, _bits(p.value), _bits(p.lower), _bits(p.upper)) for p in self.rate_parts]
        return replace(self, lines=tuple(lines), rate_parts=tuple(parts), unit="bit")

    def to_frame(self) -> Any:
        """Return the lines as a frame of pandas, one row each, indexed by name."""
        import pandas as pd

        columns = ("value", "lower", "upper", "kind")
        rows = [[getattr(line, column) for column in columns] for line in self.lines]
        frame = pd.DataFrame(rows, columns=list(columns), index=[line.name for line in self.lines])
        frame["unit"] = [self.unit if line.is_information else "" for line in self.lines]
        return frame

    def plot(self, axes: Any = None) -> Any:
        """Draw the two distances as stacked bars; returns the axes.

        Parameters
        ----------
        axes : pair of matplotlib.axes.Axes, optional
            By default two of a new figure.
        """
        if axes is None:
            from matplotlib import pyplot

            _, axes = pyplot.subplots(2, 1, figsize=(8, 4), layout="constrained")
        titles = ("from the limit to the length", "from the limit to the codec")
        quantities = (f"rate [{self.unit}]", "distortion")
        starts = (self["least rate"].value, self["least distortion at the length"].value)
        for axis, title, quantity, start, parts in zip(
            axes, titles, quantities, starts, (self.rate_parts, self.loss_parts), strict=True
        ):
            axis.barh([0], [start], color="0.85", label="limit")
            left = start
            for part in reversed(parts):
                axis.barh([0], [part.value], left=left, label=part.name)
                left += part.value
            axis.set_yticks([])
            axis.set_xlabel(quantity)
            axis.set_title(title, loc="left", fontsize="medium")
            axis.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        return axes

    @public_call
    def curve(self, n_points: int = 9, *, tolerance: float = 1e-4, time_limit: float = 60.0) -> tuple[CurvePoint, ...]:
        """Return the certified limit on the distortion at rates up to beyond the length, the other losses kept.

        Parameters
        ----------
        n_points : int, optional
            From rate zero on, at least two; each is a problem that is solved.
        tolerance : float, optional
            See `solve`.
        time_limit : float, optional
            Seconds for each point.

        Returns
        -------
        tuple of CurvePoint
            Rate, in the audit's unit, with a lower and an upper bound; NaN where no rate so low keeps the other losses.
        """
        n_points = options.whole(n_points, "n_points", 2)
        tolerance, time_limit = options.tolerance(tolerance), options.seconds(time_limit)
        most = 1.05 * self["length"].value * (math.log(2) if self.unit == "bit" else 1.0)
        points = limit_curve(self.problem.with_limits(**self.others), most, n_points, tolerance, time_limit)
        return points if self.unit == "nat" else tuple(one._replace(rate=_bits(one.rate)) for one in points)

    @public_call
    def plot_curve(self, curve: Any = None, axis: Any = None) -> Any:
        """Draw the codec beside the certified limit; returns the axes.

        Parameters
        ----------
        curve : sequence of CurvePoint, optional
            By default that of `curve`, which is solved now.
        axis : matplotlib.axes.Axes, optional
            By default that of a new figure.
        """
        points = self.curve() if curve is None else tuple(CurvePoint(*point) for point in curve)
        if axis is None:
            from matplotlib import pyplot

            axis = pyplot.subplots(layout="constrained")[1]
        _draw_curve(self, points, axis)
        return axis

    def to_html(self) -> str:
        """Return the lines, the parts of the two distances and the notes as tables in HTML, for a page or a mail."""
        head = ("number", f"value [{self.unit}]", "between", "kind")
        rows = [(line.name, f"{line.value:.6g}", _interval(line), line.kind) for line in self.lines]
        tables = [html_table("audit of a codec", head, rows)]
        for title, parts in self._distances():
            rows = [(part.name, f"{part.value:.6g}", _interval(part), "") for part in parts]
            tables.append(html_table(title, ("part", "value", "between", ""), rows))
        return f"<div>{''.join(tables)}{html_table('', (), (), self.notes)}</div>"

    def _repr_html_(self) -> str:
        return self.to_html()

    def _distances(self) -> tuple[tuple[str, tuple[Part, ...]], ...]:
        return (
            (f"rate above the limit [{self.unit}]", self.rate_parts),
            ("distortion above the limit", self.loss_parts),
        )

    def __str__(self) -> str:
        rows = [f"audit of a codec, information in {self.unit}"]
        for line in self.lines:
            rows.append(f"  {line.name:<38s}{line.value:>14.6g}  {_interval(line):<30s}{line.kind}")
        for title, parts in self._distances():
            rows.append(f"  {title}: " + ", ".join(f"{part.name} {part.value:.6g}" for part in parts))
        return "\n".join([*rows, *(f"  note: {note}" for note in self.notes)])


def _draw_curve(audit: Audit, curve: tuple[CurvePoint, ...], axis: Any) -> None:
    """Draw the limit between its bounds, and beside it the codec, and the best decoder of its messages."""
    seen = [point for point in curve if not math.isnan(point.upper)]
    rates = [point.rate for point in seen]
    axis.plot(rates, [point.upper for point in seen], "-", color="black", label="certified limit")
    axis.fill_between(rates, [point.lower for point in seen], [point.upper for point in seen], color="0.8")
    length, distortion = audit["length"].value, audit["distortion"].value
    sent, best = audit["information sent"].value, audit["distortion, best decoder"].value
    axis.plot([length], [distortion], "o", color="C3", label="codec, at its length")
    axis.plot([audit["messages"].value], [distortion], "o", mfc="none", color="C3", label="codec, at its entropy")
    axis.plot([sent], [best], "s", mfc="none", color="C0", label="best decoder of its messages")
    axis.plot([audit["least rate"].value], [distortion], "|", color="black", ms=12, label="least rate")
    axis.plot([length], [audit["least distortion at the length"].value], "_", color="black", ms=12)
    axis.set_xlabel(f"rate [{audit.unit}]")
    axis.set_ylabel("distortion")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize="small")


def _bits(value: float) -> float:
    return float(nats_to_bits(value)) if math.isfinite(value) else value


def _interval(line: AuditLine | Part) -> str:
    if math.isnan(line.lower) or line.lower == line.upper:
        return ""
    return f"[{line.lower:.6g}, {line.upper:.6g}]"
