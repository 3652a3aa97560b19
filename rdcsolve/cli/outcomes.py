"""How a command ends: exit codes, and errors told in one line instead of a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from rdcsolve.errors import RdcError, SolverFailed

OK, NOT_CERTIFIED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

Command = TypeVar("Command", bound=Callable[..., Any])


def told_plainly(command: Command) -> Command:
    """Return the command with errors as one line on stderr and an exit code."""

    @functools.wraps(command)
    def plain(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except KeyboardInterrupt as interrupt:
            notes = getattr(interrupt, "__notes__", [])
            typer.echo("\n".join(["interrupted", *notes] if notes else ["interrupted; nothing was saved"]), err=True)
            raise typer.Exit(INTERRUPTED) from None
        except SolverFailed as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(NOT_CERTIFIED) from None
        except RdcError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from None

    return plain  # type: ignore[return-value]
