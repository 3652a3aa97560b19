"""How a command ends: exit codes, and errors told in one line instead of a traceback."""

from __future__ import annotations

import functools
import inspect
import re
import shlex
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import typer

from rdcsolve.calls import public_call
from rdcsolve.errors import InternalError, RdcError, SolverFailed

OK, NOT_CERTIFIED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

_NO_FAULTS = (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError)

Command = TypeVar("Command", bound=Callable[..., Any])


_ARGUMENT = re.compile(r"\b([a-z_]+)=(True|False|'[^']*')?(?!\w|\.\d)")
_PLURALS = {"labels": "label", "columns": "column"}


def _as_typed(message: str, options: Collection[str]) -> str:
    """Return a message with what is an argument in Python as the option that it is here, if the command has it."""

    def option(found: re.Match[str]) -> str:
        name, value = _PLURALS.get(found[1], found[1]), found[2] or ""
        if name not in options:
            return found[0]
        typed, value = name.replace("_", "-"), value.strip(chr(39))
        if value in ("False", "True", ""):
            return f"--no-{typed}" if value == "False" else f"--{typed}"
        return f"--{typed} {shlex.quote(value)}"  # a semicolon would end the command

    typed = _ARGUMENT.sub(option, message).replace("RateLimit(...)", "--rate")
    return typed.replace("pass --label to Source", "name its column with --label")


def told_plainly(command: Command) -> Command:
    """Return the command with errors as one line on stderr and an exit code."""
    told = public_call(command, _NO_FAULTS)
    options_here = inspect.signature(command).parameters

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
            typer.echo(f"error: {_as_typed(str(error), options_here)}", err=True)
            raise typer.Exit(BAD_INPUT) from None

    return plain  # type: ignore[return-value]
