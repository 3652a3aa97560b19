"""``rdcsolve solve``: one problem, one certified answer."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from rdcsolve.cli.files import check_targets, write_problem
from rdcsolve.cli.outcomes import INTERRUPTED, NOT_CERTIFIED, told_plainly
from rdcsolve.cli.statement import Statement, takes_a_problem, tell_columns

InputFile = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        show_default=False,
        help="CSV of samples, npz of a source (p_x, points, labels_0, ...), or npz of a problem (p_x, distortion, and "
        "optionally labels_0, loss_NAME, bound_NAME, rate_bound, minimise).",
    ),
]


class SolverName(StrEnum):
    """The solvers by the names that the command line uses."""

    interior_point = "interior-point"
    column_generation = "column-generation"
    blahut_arimoto = "blahut-arimoto"
    conic = "conic"


SolverOption = Annotated[SolverName | None, typer.Option(help="By default chosen by structure.", show_default=False)]
BackendOption = Annotated[str, typer.Option(help="Where kernels lie: auto, numpy, cupy or torch.", show_default=False)]
ProofBudget = Annotated[
    float, typer.Option(help="CPU seconds that may go into proving prices of labels with many noisy classes.")
]
Tolerance = Annotated[float, typer.Option(help="Gap to reach, in the unit (nats).")]


def solver_of(name: SolverName | None) -> Any:
    """Return the solver of that name with its default settings, or None for the automatic choice."""
    if name is None:
        return None
    from rdcsolve.solvers.names import named

    return named(name.value)


@told_plainly
@takes_a_problem
def solve(
    input: InputFile,
    statement: Statement,
    solver: SolverOption = None,
    tolerance: Tolerance = 1e-9,
    backend: BackendOption = "auto",
    proof_budget: ProofBudget = 10.0,
    max_steps: Annotated[int | None, typer.Option(help="Stop after so many steps.", show_default=False)] = None,
    time_limit: Annotated[float, typer.Option(help="Stop after so many seconds.", show_default=False)] = math.inf,
    save: Annotated[Path | None, typer.Option(help="Save the result (npz).", show_default=False)] = None,
    save_problem: Annotated[
        Path | None, typer.Option(help="Save the problem (npz), which verify then takes.", show_default=False)
    ] = None,
    progress: Annotated[bool, typer.Option("--progress", help="Show every step on stderr.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer as one JSON object, with the keys of Result.to_dict.")
    ] = False,
) -> None:
    """Solve one problem and print the answer with its bounds.

    Exit code: 0 if the gap is reached and certified, 1 if not (or the limits cannot be met), 2 on bad input.
    """
    problem = statement.problem(input)
    from rdcsolve.kernels import backends
    from rdcsolve.results import Proof, Status
    from rdcsolve.solvers import solve as solved
    from rdcsolve.solvers.solve import fitting

    chosen = solver_of(solver)
    if chosen is not None:
        fitting(problem, chosen)
    backends.find(backend)
    check_targets(save, save_problem, read=statement.files(input))
    typer.echo(str(problem), err=as_json)
    tell_columns(problem)
    if save_problem is not None:
        write_problem(problem, save_problem)
    result = solved(
        problem,
        chosen,
        tolerance=tolerance,
        backend=backend,
        proof_budget=proof_budget,
        max_steps=max_steps,
        time_limit=time_limit,
        callback=_show_step if progress else None,
    )
    typer.echo(json.dumps(result.to_dict(), allow_nan=False) if as_json else str(result))
    if save is not None:
        result.save(save)
        typer.echo(f"saved {save}", err=as_json)
    if result.status is Status.INTERRUPTED:
        typer.echo(f"interrupted; {f'what was known is saved in {save}' if save else 'nothing was saved'}", err=True)
        raise typer.Exit(INTERRUPTED)
    if result.status is not Status.OPTIMAL or result.proof is not Proof.CERTIFIED:
        if result.status is not Status.INFEASIBLE:
            typer.echo(f"not certified: {_reason(result)}", err=True)
        raise typer.Exit(NOT_CERTIFIED)


def _reason(result: Any) -> str:
    from rdcsolve.results import Proof, Status

    reasons = [] if result.status is Status.OPTIMAL else [f"{result.status.name}, {result.status.value}"]
    reasons += [] if result.proof is Proof.CERTIFIED else [f"{result.proof.name}, {result.proof.value}"]
    return "; ".join(reasons)


def _show_step(record: Any) -> bool:
    typer.echo(
        f"step {record.step:4d}  {record.seconds:8.3f} s  lower bound {record.lower:.10g}  value {record.value:.10g}  "
        f"{record.n_letters} letters",
        err=True,
    )
    return False
