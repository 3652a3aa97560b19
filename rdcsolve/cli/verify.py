"""``rdcsolve verify``: check a saved result or universal encoder against its problem, without the solver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rdcsolve.cli.outcomes import NOT_CERTIFIED, told_plainly
from rdcsolve.cli.statement import Statement, takes_a_problem, tell_columns
from rdcsolve.errors import InvalidInput


@told_plainly
@takes_a_problem
def verify(
    result: Annotated[Path, typer.Argument(metavar="RESULT", show_default=False, help="A saved result (npz).")],
    statement: Statement,
    input: Annotated[
        Path | None,
        typer.Argument(
            metavar="INPUT",
            show_default=False,
            help="The problem, as for solve; by default the file problem.npz in the folder of the result.",
        ),
    ] = None,
    ball: Annotated[
        bool, typer.Option("--ball", help="Rigorous ball arithmetic (needs the extra ball); slower.")
    ] = False,
) -> None:
    """Recompute the bounds of a saved result from its certificate and the problem, without the solver.

    State the problem as it was solved, with the same limits; what `universal` saved has its targets in the file. Exit
    code: 0 if the claims hold, 1 if they are refuted, 2 on bad input.
    """
    from rdcsolve.universal import Universal, load

    held = load(result)
    if not isinstance(held, Universal) and held.certificate is None:
        raise InvalidInput(f"{result} has no certificate ({held.status.name}); there is nothing to verify")
    named = tuple(name for target in held.targets for name in target) if isinstance(held, Universal) else ()
    problem = statement.problem(_problem_beside(result) if input is None else input, named)
    tell_columns(problem)
    verdict = held.verify(problem, arithmetic="ball" if ball else "float")
    typer.echo(str(verdict))
    if not verdict.valid:
        typer.echo("refuted: the claims of the result do not hold for this problem", err=True)
        raise typer.Exit(NOT_CERTIFIED)


def _problem_beside(result: Path) -> Path:
    beside = result.with_name("problem.npz")
    if not beside.exists():
        raise InvalidInput(f"there is no {beside}; name the file that states the problem")
    return beside
