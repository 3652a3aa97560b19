"""``rdcsolve one-shot``: what codes for one symbol at a time can do at best, beside the limit of long blocks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rdcsolve.cli.outcomes import NOT_CERTIFIED, told_plainly
from rdcsolve.cli.screen import console, table
from rdcsolve.cli.solve import InputFile
from rdcsolve.cli.statement import Statement, takes_a_problem, tell_columns


@told_plainly
@takes_a_problem
def one_shot(
    input: InputFile,
    statement: Statement,
    messages: Annotated[
        int | None, typer.Option(help="The largest number of messages; by default any.", show_default=False)
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Gap to reach, in the unit (nats).")] = 1e-9,
) -> None:
    """Compute what codes that encode one symbol at a time can do at best, for up to 16 symbols.

    Prints the bounds of one-shot codes with shared randomness, the codes that attain them, and beside them what long
    blocks attain. Exit code: 0 if both gaps are reached and certified, 1 if not (or the limits cannot be met), 2 on bad
    input.
    """
    problem = statement.problem(input)
    from rdcsolve.codes import one_shot as best_codes
    from rdcsolve.results import Proof, Status
    from rdcsolve.results.units import is_information
    from rdcsolve.solvers import solve

    typer.echo(str(problem))
    tell_columns(problem)
    found = best_codes(problem, messages, tolerance=tolerance)
    typer.echo(str(found))
    if found.status is Status.INFEASIBLE:
        raise typer.Exit(NOT_CERTIFIED)
    long = solve(problem, tolerance=max(tolerance, 1e-9))
    lower, upper = long.objective_lower, long.objective_upper
    unit = f" {long.unit}" if is_information(long.objective, long.information_losses) else ""
    typer.echo(f"long blocks: {long.objective} in [{lower:.10f}, {upper:.10f}]{unit}, {long.proof.name}")
    _show(found)
    is_certified = long.status is Status.OPTIMAL and long.proof is Proof.CERTIFIED
    if found.status is not Status.OPTIMAL or not is_certified:
        typer.echo(f"not certified: one-shot {found.status.name}, long blocks {long.status.name}", err=True)
        raise typer.Exit(NOT_CERTIFIED)


def _show(found: Any) -> None:
    screen = console()
    names = tuple(found.losses)
    shown = table(screen, "codes that share randomness", "share", "messages", f"rate [{found.unit}]", *names)
    for code in found.codes:
        sent = " ".join("-" if z < 0 else str(z) for z in code.messages.tolist())
        shown.add_row(f"{code.weight:.6f}", sent, f"{code.rate:.9f}", *(f"{code.losses[name]:.9g}" for name in names))
    screen.print(shown)
