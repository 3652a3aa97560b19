"""What sweeps and trade-offs print and draw, and how they end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from rdcsolve.cli.files import draw_into
from rdcsolve.cli.outcomes import NOT_CERTIFIED
from rdcsolve.cli.screen import console, table
from rdcsolve.errors import InvalidInput
from rdcsolve.problems.objective import is_rate
from rdcsolve.writing import whole_file

if TYPE_CHECKING:
    import xarray

_LONGEST_TABLE = 100

PlotFile = Annotated[Path | None, typer.Option(help="Draw the points (png, pdf, svg).", show_default=False)]
ProgressBar = Annotated[bool, typer.Option("--progress", help="Show a bar on stderr.")]
TimeForAll = Annotated[
    float,
    typer.Option(
        help="Stop after so many seconds, all points together; the same command goes on from there.", show_default=False
    ),
]
StepsOfEach = Annotated[int | None, typer.Option(help="Stop each point after so many steps.", show_default=False)]


def kept_in(save: Path) -> Path | None:
    """Return the file to go on from, or None if what is to be saved is a table of numbers, which cannot be."""
    return None if save.suffix.lower() == ".csv" else save


def report(data: xarray.Dataset, save: Path, plot: Path | None) -> None:
    """Print the points, write them as a table if that is asked for, draw them, and say which are not certified.

    Raises
    ------
    typer.Exit
        With the code for an answer that is not certified, unless every point is certified or proved impossible.
    """
    _show(data)
    if kept_in(save) is None:
        from rdcsolve.explore.frames import to_dataframe

        with whole_file(save) as stream:
            to_dataframe(data).to_csv(stream, index=False)
    typer.echo(f"saved {save}")
    if plot is not None:
        _draw(data, plot)
        typer.echo(f"saved {plot}")
    reasons = _reasons(data)
    for words, count in reasons.items():
        typer.echo(f"{count} of {data['status'].size} points {words}", err=True)
    if reasons:
        raise typer.Exit(NOT_CERTIFIED)


def _reasons(data: xarray.Dataset) -> dict[str, int]:
    """Return why points are not certified, and how many are not for each reason."""
    status, proof = (data[name].values.astype(str) for name in ("status", "proof"))
    stationary = status == "STATIONARY"
    empty = status == ""
    short = ~np.isin(status, ["OPTIMAL", "INFEASIBLE"]) & ~stationary & ~empty
    unproved = (proof != "CERTIFIED") & ~stationary & ~short & ~empty
    counted = {
        "were not begun: the time was up": empty,
        f"did not reach the gap {data.attrs['tolerance']:g}": short,
        "are STATIONARY: attained, not proved to be the least": stationary,
        "are not CERTIFIED: their lower bounds rest on an unproved search": unproved,
    }
    return {words: int(which.sum()) for words, which in counted.items() if which.any()}


def _show(data: xarray.Dataset) -> None:
    screen = console()
    dims = [str(name) for name in data["status"].dims]
    objective = data.attrs["objective"]
    status = data["status"].values.ravel()
    if status.size > _LONGEST_TABLE:
        names = np.unique(status.astype(str))
        typer.echo(", ".join(f"{np.count_nonzero(status == name)} {name or 'not begun'}" for name in names))
        return
    from rdcsolve.explore.units import information_losses, unit_of
    from rdcsolve.results.units import is_information

    prefix = "rate" if is_rate(objective) else "objective"
    known = information_losses(data)
    unit = f" [{unit_of(data)}]" if is_information(objective, known) else ""
    losses = data["loss"].values.tolist()
    words = ["status"] if (data["proof"] == "CERTIFIED").all() else ["status", "proof"]
    shown = table(
        screen,
        f"{objective}{unit}",
        *dims,
        "lower bound",
        "upper bound",
        "gap",
        *(f"E {loss} [{unit_of(data)}]" if loss in known else f"E {loss}" for loss in losses),
        *words,
    )
    for point in np.ndindex(data["status"].shape):
        here = data.isel(dict(zip(dims, point, strict=True)))
        bounds = [f"{float(here[f'{prefix}_{end}']):.9f}" for end in ("lower", "upper")]
        numbers = [f"{value:.6g}" for value in here["losses"].values]
        place = [f"{float(here[name]):.6g}" for name in dims]
        told = [str(here[word].item()) for word in words]
        shown.add_row(*place, *bounds, f"{float(here['gap']):.1e}", *numbers, *told)
    screen.print(shown)


def check_drawable(n_axes: int) -> None:
    """Raise unless a picture can show so many axes."""
    if n_axes > 2:
        raise InvalidInput(f"the sweep has {n_axes} axes; a picture shows one or two")


def _draw(data: xarray.Dataset, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from rdcsolve.explore import plot

    n_axes = len(data["status"].dims)
    at_rate = "rate" in data.attrs and data.attrs["objective"] != "rate"
    curve = plot.tradeoff if at_rate else plot.curve
    drawn: Any = curve(data) if n_axes == 1 else plot.surface(data)
    if n_axes == 1 and drawn.get_legend_handles_labels()[1]:
        drawn.legend(frameon=False)
    try:
        draw_into(path, drawn.figure, dpi=150)
    finally:
        pyplot.close(drawn.figure)
