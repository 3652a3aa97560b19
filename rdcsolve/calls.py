"""Public calls: what goes wrong inside reaches the user as one of the library's own errors, and in one sentence.

Values and options are checked where they are read; this is the net behind those checks, at the few doors through which
work enters. What somebody's own function raises (a callback, a distortion) passes through as it is: it is their code
that has to be mended, so they need their own traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import re
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rdcsolve import extras
from rdcsolve.errors import InternalError, OutOfMemory, RdcError, SolverFailed, UnknownOption

QUIET = True
"""Whether NumPy's warnings about floating-point numbers are kept from users; tests, where they are errors, say no."""

_OWN = str(Path(__file__).parent)
_LIBRARIES = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})
_FROZEN = ("<frozen ", "<__array_function__", "<string>")

Target = TypeVar("Target", bound=Callable[..., Any])


def public_call(target: Target, passing: tuple[type[Exception], ...] = ()) -> Target:
    """Return a function, or a class with its constructor, whose faults are told as `RdcError`.

    Parameters
    ----------
    target : callable
    passing : tuple of types, optional
        Exceptions that are no faults, and stay what they are.
    """
    if isinstance(target, type):
        target.__init__ = _told_in_words(target.__init__, target.__name__, passing)  # type: ignore[misc]
        return target
    return _told_in_words(target, target.__name__, passing)  # type: ignore[return-value]


def _told_in_words(function: Callable[..., Any], name: str, passing: tuple[type[Exception], ...]) -> Callable[..., Any]:
    kept: tuple[type[Exception], ...] = (RdcError, Warning, *passing)

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        with _quiet():
            try:
                return function(*arguments, **options)
            except kept:
                raise
            except Exception as error:
                told = _told(error, function, name)
                if told is None:
                    raise
                raise told from error

    return called


def _quiet() -> contextlib.AbstractContextManager[Any]:
    if not QUIET:
        return contextlib.nullcontext()
    import numpy as np

    return np.errstate(all="ignore")


def _told(error: Exception, function: Callable[..., Any], name: str) -> RdcError | None:
    """Return the library's own error for what was raised, or None where somebody else's code raised it."""
    trace = error.__traceback__
    if isinstance(error, TypeError) and trace is not None and trace.tb_next is None:
        return UnknownOption(_misfit(error, function, name))
    if isinstance(error, MemoryError):
        wanted = str(error).rstrip(".") or "no size is known"
        return OutOfMemory(f"there is not enough memory ({wanted}); take fewer letters (reproduction=) or symbols")
    if not _is_from_inside(trace):
        return None
    if isinstance(error, ModuleNotFoundError) and (missing := extras.missing_for(error.name, name)):
        return missing
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if isinstance(error, ArithmeticError) or type(error).__name__ == "LinAlgError":
        return SolverFailed(
            f"numbers left the range of floats inside {name} ({reason}); state losses, bounds and points in other "
            "units, so that they are of order one"
        )
    return InternalError(
        f"{name} failed inside ({reason}); check what you passed, and report this with the traceback if it is as "
        "documented"
    )


def _misfit(error: TypeError, function: Callable[..., Any], name: str) -> str:
    """Return what is wrong with the arguments of a call, and which there are."""
    said = str(error).partition(". Did you mean")[0]  # from Python 3.13 on it guesses too
    told = f"{name}() {said.partition('() ')[2] or said}"
    known = [one for one in inspect.signature(function).parameters if one not in ("self", "cls")]
    misspelt = re.search(r"unexpected keyword argument '(\w+)'", told)
    close = difflib.get_close_matches(misspelt[1], known, n=1) if misspelt else []
    return f"{told}; did you mean {close[0]!r}?" if close else f"{told}; it takes {', '.join(known) or 'nothing'}"


def _is_from_inside(trace: TracebackType | None) -> bool:
    """Return whether the code in control, libraries aside, was this one's: the last frame that is no library's."""
    inside = True
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(_OWN):
            inside = True
        elif not name.startswith((*_LIBRARIES, *_FROZEN)):
            inside = False
        trace = trace.tb_next
    return inside
