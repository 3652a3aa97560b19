"""How a command ends: exit codes, and errors told in one line instead of a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from rdcsolve.calls import public_call
from rdcsolve.errors import InternalError, RdcError, SolverFailed

OK, NOT_CERTIFIED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

_NO_FAULTS = (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError)

Command = TypeVar("Command", bound=Callable[..., Any])


def _as_typed(message: str) -> str:
    """Return a message with what is an argument in Python as the option that it is here."""
    return message.replace("normalise=True", "--normalise")


def told_plainly(command: Command) -> Command:
    """Return the command with errors as one line on stderr and an exit code."""
    told = public_call(command, _NO_FAULTS)

    @functools.wraps(command)
    def plain(*arguments: Any, **options: Any) -> Any:
        try:
            return told(*arguments, **options)
        except KeyboardInterrupt as interrupt:
            notes = getattr(interrupt, "__notes__", [])
            typer.echo("\n".join(["interrupted", *notes] if notes else ["interrupted; nothing was saved"]), err=True)
            raise typer.Exit(INTERRUPTED) from None
        except (SolverFailed, InternalError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(NOT_CERTIFIED) from None
        except RdcError as error:
            typer.echo(f"error: {_as_typed(str(error))}", err=True)
            raise typer.Exit(BAD_INPUT) from None

    return plain  # type: ignore[return-value]
