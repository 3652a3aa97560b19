"""``rdcsolve sweep``: curves and surfaces, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from rdcsolve.cli.outcomes import NOT_CERTIFIED, told_plainly
from rdcsolve.cli.screen import console, table
from rdcsolve.cli.solve import InputFile, SolverOption, Tolerance, solver_of
from rdcsolve.cli.statement import Statement, takes_a_problem
from rdcsolve.errors import InvalidInput, SaveFailed

if TYPE_CHECKING:
    import xarray

_LONGEST_TABLE = 100


@told_plainly
@takes_a_problem
def sweep(
    input: InputFile,
    statement: Statement,
    axis: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUES",
            show_default=False,
            help="Limits to try, as a list D=0.1,0.2,0.4, as D=START:STOP:COUNT evenly spaced, or as "
            "D=START:STOP:COUNT:log. NAME is D, C, a loss or rate. Repeat for a surface. With --multiplier "
            "the values are multipliers.",
        ),
    ],
    save: Annotated[Path, typer.Option(help="netCDF file; if it holds the same sweep, go on.")] = Path("sweep.nc"),
    plot: Annotated[
        Path | None, typer.Option(help="Draw the curve or surface (png, pdf, svg).", show_default=False)
    ] = None,
    solver: SolverOption = None,
    tolerance: Tolerance = 1e-9,
    bits: Annotated[bool, typer.Option("--bits", help="Print and draw rates in bits.")] = False,
    progress: Annotated[bool, typer.Option("--progress", help="Show a bar on stderr.")] = False,
) -> None:
    """Solve a problem for many limits, save the numbers, and draw them.

    Interrupt it at will: the finished points are in the file, and the same command goes on from there. Exit code: 0
    if every point is certified or proved impossible, 1 if not, 2 on bad input.
    """
    axes: dict[str, Any] = _axes(axis)
    problem = statement.problem(input, tuple(axes))
    from rdcsolve.explore import sweep as swept

    data = swept(problem, progress=progress, save=save, tolerance=tolerance, solver=solver_of(solver), **axes)
    _show(data, bits)
    typer.echo(f"saved {save}")
    if plot is not None:
        _draw(data, plot, bits)
        typer.echo(f"saved {plot}")
    settled = np.isin(data["status"].values.astype(str), ["OPTIMAL", "INFEASIBLE"])
    if not settled.all():
        typer.echo(f"{int((~settled).sum())} of {settled.size} points did not reach the gap {tolerance:g}", err=True)
        raise typer.Exit(NOT_CERTIFIED)


def _axes(texts: list[str]) -> dict[str, np.ndarray]:
    axes: dict[str, np.ndarray] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if name in axes:
            raise InvalidInput(f"--axis {name!r} is given twice; put its values into one list")
        try:
            axes[name] = _values(values)
        except ValueError:
            raise InvalidInput(
                f"--axis {text!r} is not understood; write for instance D=0.1,0.2 or D=0.1:0.5:9"
            ) from None
    return axes


def _values(text: str) -> np.ndarray:
    if ":" not in text:
        return np.array([float(value) for value in text.split(",")])
    start, stop, number, *spacing = text.split(":")
    if spacing not in ([], ["log"]):
        raise ValueError(text)
    space = np.geomspace if spacing else np.linspace
    return space(float(start), float(stop), int(number))


def _show(data: xarray.Dataset, bits: bool) -> None:
    screen = console()
    dims = [str(name) for name in data["status"].dims]
    objective = data.attrs["objective"]
    status = data["status"].values.ravel()
    if status.size > _LONGEST_TABLE:
        typer.echo(", ".join(f"{np.count_nonzero(status == name)} {name}" for name in np.unique(status.astype(str))))
        return
    is_rate = objective in ("rate", "lagrangian")
    scale = 1 / np.log(2) if bits and is_rate else 1.0
    prefix = "rate" if objective == "rate" else "objective"
    unit = f" [{'bit' if bits else 'nat'}]" if is_rate else ""
    losses = data["loss"].values.tolist()
    shown = table(
        screen,
        f"{objective}{unit}",
        *dims,
        "lower bound",
        "upper bound",
        "gap",
        *(f"E {loss}" for loss in losses),
        "status",
    )
    for point in np.ndindex(data["status"].shape):
        here = data.isel(dict(zip(dims, point, strict=True)))
        bounds = [f"{float(here[f'{prefix}_{end}']) * scale:.9f}" for end in ("lower", "upper")]
        numbers = [f"{value:.6g}" for value in here["losses"].values]
        place = [f"{float(here[name]):.6g}" for name in dims]
        shown.add_row(*place, *bounds, f"{float(here['gap']) * scale:.1e}", *numbers, str(here["status"].item()))
    screen.print(shown)


def _draw(data: xarray.Dataset, path: Path, bits: bool) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from rdcsolve.explore import plot

    n_axes = len(data["status"].dims)
    if n_axes > 2:
        raise InvalidInput(f"the sweep has {n_axes} axes; a picture shows one or two")
    drawn: Any = plot.curve(data, bits=bits) if n_axes == 1 else plot.surface(data, bits=bits)
    try:
        drawn.figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise SaveFailed(f"{path} cannot be written ({error})") from error
    finally:
        pyplot.close(drawn.figure)
