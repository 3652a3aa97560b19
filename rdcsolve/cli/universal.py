"""``rdcsolve universal``: one encoder for many targets, and what it costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from rdcsolve.cli.files import check_targets, write_problem
from rdcsolve.cli.outcomes import INTERRUPTED, NOT_CERTIFIED, told_plainly
from rdcsolve.cli.screen import console, table
from rdcsolve.cli.solve import InputFile, ProofBudget
from rdcsolve.cli.statement import Statement, takes_a_problem, tell_columns
from rdcsolve.errors import InvalidInput


@told_plainly
@takes_a_problem
def universal(
    input: InputFile,
    statement: Statement,
    target: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE,...",
            show_default=False,
            help="Limits that one decoder shall keep, for instance D=0.3,C=0.4; NAME is D, C, P or a loss. Once per "
            "target.",
        ),
    ],
    tolerance: Annotated[float, typer.Option(help="Gap to reach, in the unit (nats).")] = 1e-6,
    save: Annotated[
        Path | None,
        typer.Option(help="Save encoder and certificates (npz), go on from there.", show_default=False),
    ] = None,
    save_problem: Annotated[
        Path | None, typer.Option(help="Save the problem (npz), which verify then takes.", show_default=False)
    ] = None,
    time_limit: Annotated[
        float, typer.Option(help="Stop after so many seconds, all targets together.", show_default=False)
    ] = math.inf,
    max_steps: Annotated[
        int | None,
        typer.Option(help="Stop each target, and the encoder for all, after so many steps.", show_default=False),
    ] = None,
    proof_budget: ProofBudget = 10.0,
) -> None:
    """Compute the least rate of one encoder that serves every target with a decoder of its own.

    Prints the rate of each target alone, the universal rate, and the rate penalty: how much one encoder for all takes
    beyond the dearest target. Exit code: 0 if the bounds are certified and close, 1 if not (or a target cannot be met),
    2 on bad input.
    """
    if statement.rate is not None or statement.minimise is not None or statement.multiplier:
        raise InvalidInput("a universal rate is minimised under targets; leave out --rate, --minimise and --multiplier")
    targets = [target_of(text) for text in target]
    problem = statement.problem(input, tuple(name for one in targets for name in one))
    from rdcsolve.results import Proof, Status
    from rdcsolve.universal import universal_rate

    check_targets(save, save_problem, read=statement.files(input))
    if save_problem is not None:
        write_problem(problem, save_problem)
    tell_columns(problem)
    found = universal_rate(
        problem,
        targets,
        tolerance=tolerance,
        time_limit=time_limit,
        max_steps=max_steps,
        save=save,
        proof_budget=proof_budget,
    )
    _show(found)
    if save is not None:
        typer.echo(f"saved {save}")
    if found.status is Status.INTERRUPTED:
        typer.echo(f"interrupted; {f'what was known is saved in {save}' if save else 'nothing was saved'}", err=True)
        raise typer.Exit(INTERRUPTED)
    if found.status is Status.OPTIMAL and found.proof is found.penalty_proof is Proof.CERTIFIED:
        return
    typer.echo(f"not certified: {found.status.name}, {found.message or found.status.value}", err=True)
    raise typer.Exit(NOT_CERTIFIED)


def target_of(text: str) -> dict[str, Any]:
    """Return {name: bound} of a text such as D=0.3,C=0.4; a name given again makes a list, one bound per label."""
    bounds: dict[str, Any] = {}
    for pair in text.split(","):
        name, _, value = pair.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise InvalidInput(f"--target {text!r} is not NAME=VALUE,...; write for instance D=0.3,C=0.4") from None
        if name in bounds and name != "C":
            raise InvalidInput(f"--target {text!r} names {name!r} twice; keep one")
        bounds[name] = [*np.atleast_1d(bounds[name]).tolist(), number] if name in bounds else number
    return bounds


def _show(found: Any) -> None:
    screen = console()
    shown = table(screen, f"rate [{found.unit}]", "target", "lower bound", "upper bound", "status", "proof", text=1)
    for limits, alone in zip(found.targets, found.results, strict=True):
        words = ", ".join(f"{name} <= {bound:.6g}" for name, bound in limits.items())
        ends = [f"{value:.9f}" for value in (alone.rate_lower, alone.rate_upper)]
        shown.add_row(words, *ends, alone.status.name, alone.proof.name)
    ends = [f"{value:.9f}" for value in (found.rate_lower, found.rate_upper)]
    shown.add_row(f"all, by one encoder ({found.law})", *ends, found.status.name, found.proof.name)
    ends = [f"{value:.9f}" for value in (found.penalty_lower, found.penalty_upper)]
    shown.add_row("rate penalty", *ends, "", found.penalty_proof.name)
    screen.print(shown)
