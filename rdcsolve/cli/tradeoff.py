"""``rdcsolve tradeoff``: what one loss costs in another at a fixed rate, resumable."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from rdcsolve import options
from rdcsolve.cli.files import check_targets
from rdcsolve.cli.outcomes import told_plainly
from rdcsolve.cli.points import PlotFile, ProgressBar, StepsOfEach, TimeForAll, kept_in, report
from rdcsolve.cli.solve import BackendOption, InputFile, ProofBudget, SolverOption, Tolerance, solver_of
from rdcsolve.cli.statement import Statement, takes_a_problem, tell_columns
from rdcsolve.errors import InvalidInput


@told_plainly
@takes_a_problem
def tradeoff(
    input: InputFile,
    statement: Statement,
    loss: Annotated[
        str | None,
        typer.Option(
            help="The loss that is limited, point by point: C, D, or a name. By default the only one besides the loss "
            "that is minimised.",
            show_default=False,
        ),
    ] = None,
    points: Annotated[int, typer.Option(help="Number of points.")] = 9,
    save: Annotated[
        Path,
        typer.Option(help="netCDF file; if it holds the same points, go on. Or .csv: a row a point."),
    ] = Path("tradeoff.nc"),
    plot: PlotFile = None,
    solver: SolverOption = None,
    tolerance: Tolerance = 1e-9,
    backend: BackendOption = "auto",
    proof_budget: ProofBudget = 10.0,
    time_limit: TimeForAll = math.inf,
    max_steps: StepsOfEach = None,
    progress: ProgressBar = False,
) -> None:
    """Trace the boundary of Omega(R), the pairs of losses that channels of rate at most R attain.

    --rate states R, and --minimise names the loss that is minimised (by default the distortion). Interrupt it at will:
    the finished points are in the file, and the same command goes on from there. Exit code: 0 if every point is
    certified or proved impossible, 1 if not, 2 on bad input.
    """
    if statement.rate is None:
        raise InvalidInput("a trade-off is at a fixed rate; state it with --rate, in nats unless --unit says bit")
    if statement.multiplier:
        raise InvalidInput("a trade-off is under limits, so --multiplier has no use; leave it out")
    minimised = statement.minimise or "D"
    named = (minimised,) if loss is None else (minimised, loss)
    stated = replace(statement, rate=None, minimise=None)
    problem = stated.problem(input, named, several=True)
    from rdcsolve.explore import tradeoff as traced
    from rdcsolve.explore.tradeoff import question
    from rdcsolve.solvers.effort import Effort

    chosen = solver_of(solver)
    Effort.of(problem, chosen, tolerance, max_steps, None, time_limit, backend, proof_budget)
    options.whole(points, "n_points", 2)
    question(problem, statement.rate, loss, minimised)
    check_targets(save, picture=plot, read=statement.files(input))
    kept = kept_in(save)
    tell_columns(problem)
    data = traced(
        problem,
        statement.rate,
        loss,
        n_points=points,
        minimise=minimised,
        progress=progress,
        save=kept,
        tolerance=tolerance,
        solver=chosen,
        backend=backend,
        proof_budget=proof_budget,
        time_limit=time_limit,
        max_steps=max_steps,
    )
    report(data, save, plot)
