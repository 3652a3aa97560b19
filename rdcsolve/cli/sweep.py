"""``rdcsolve sweep``: curves and surfaces, resumable."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from rdcsolve.cli.files import check_targets
from rdcsolve.cli.outcomes import told_plainly
from rdcsolve.cli.points import PlotFile, ProgressBar, StepsOfEach, TimeForAll, check_drawable, kept_in, report
from rdcsolve.cli.solve import BackendOption, InputFile, ProofBudget, SolverOption, Tolerance, solver_of
from rdcsolve.cli.statement import Statement, takes_a_problem, tell_columns
from rdcsolve.errors import InvalidInput

_MOST_POINTS = 100_000  # along one axis: more than anybody waits for


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
    save: Annotated[
        Path,
        typer.Option(help="netCDF file; if it holds the same sweep, go on. Or .csv: a row a point."),
    ] = Path("sweep.nc"),
    plot: PlotFile = None,
    solver: SolverOption = None,
    tolerance: Tolerance = 1e-9,
    backend: BackendOption = "auto",
    proof_budget: ProofBudget = 10.0,
    time_limit: TimeForAll = math.inf,
    max_steps: StepsOfEach = None,
    band: Annotated[
        float | None,
        typer.Option(
            show_default=False, help="Place points along the one axis until the certified band is this narrow."
        ),
    ] = None,
    progress: ProgressBar = False,
) -> None:
    """Solve a problem for many limits, save the numbers, and draw them.

    Interrupt it at will: the finished points are in the file, and the same command goes on from there. Exit code: 0
    if every point is certified or proved impossible, 1 if not, 2 on bad input.
    """
    axes: dict[str, Any] = _axes(axis)
    statement = statement.along(axes)
    problem = statement.problem(input, tuple(axes))
    from rdcsolve.explore import sweep as swept
    from rdcsolve.explore.band import check_band
    from rdcsolve.explore.grid import make_grid
    from rdcsolve.solvers.effort import Effort

    chosen = solver_of(solver)
    Effort.of(problem, chosen, tolerance, max_steps, None, time_limit, backend, proof_budget)
    grid = make_grid(problem, axes)
    if band is not None:
        check_band(band, grid, tolerance)
    check_targets(save, picture=plot, read=statement.files(input))
    kept = kept_in(save)
    if plot is not None:
        check_drawable(len(axes))
    tell_columns(problem)
    data = swept(
        problem,
        progress=progress,
        save=kept,
        tolerance=tolerance,
        solver=chosen,
        backend=backend,
        proof_budget=proof_budget,
        time_limit=time_limit,
        max_steps=max_steps,
        band=band,
        **axes,
    )
    report(data, save, plot)


def _axes(texts: list[str]) -> dict[str, np.ndarray]:
    axes: dict[str, np.ndarray] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if name in axes:
            raise InvalidInput(f"--axis {name!r} is given twice; put its values into one list")
        try:
            axes[name] = _values(values)
        except InvalidInput:
            raise
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
    if not number.strip().isdigit() or not 1 <= int(number) <= _MOST_POINTS:
        raise InvalidInput(f"--axis asks for {number} points; ask for 1 to {_MOST_POINTS}")
    first, last = float(start), float(stop)
    if not np.isfinite([first, last]).all() or (spacing and min(first, last) <= 0):
        raise InvalidInput(f"--axis {text!r} has ends that no grid lies between; give finite ends, > 0 with :log")
    space = np.geomspace if spacing else np.linspace
    return space(first, last, int(number))
