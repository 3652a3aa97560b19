"""What a call tells while it works: to the logger ``rdcsolve``, and to standard output where it was asked to."""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

LOGGER = logging.getLogger("rdcsolve")
LOGGER.addHandler(logging.NullHandler())  # silent until a programme sets logging up

_aloud: ContextVar[bool] = ContextVar("aloud", default=False)


@contextmanager
def told(verbose: bool) -> Iterator[None]:
    """Let what is told inside go to standard output too."""
    token = _aloud.set(verbose or _aloud.get())
    try:
        yield
    finally:
        _aloud.reset(token)


def tell(level: int, words: Callable[[], str]) -> None:
    """Log a line, made only if anybody listens."""
    aloud = _aloud.get()
    if not (aloud or LOGGER.isEnabledFor(level)):
        return
    line = words()
    LOGGER.log(level, line)
    if aloud:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def narrated(callback: Callable[[Any], object] | None, verbose: bool) -> Callable[[Any], object] | None:
    """Return a callback that tells of every step before it hands it on; the same one if nobody listens."""
    if not (verbose or LOGGER.isEnabledFor(logging.DEBUG)):
        return callback

    def narrating(record: Any) -> object:
        tell(logging.DEBUG, lambda: _line(record))
        return None if callback is None else callback(record)

    return narrating


def _line(record: Any) -> str:
    return (
        f"step {record.step:4d}  {record.seconds:8.2f} s  lower bound {record.lower:.10g}  value {record.value:.10g}  "
        f"{record.n_letters} letters"
    )


class _Compiled(threading.local):
    """What a thread has compiled: functions that are at work, one inside of the other, and CPU seconds."""

    depth = 0
    began = 0.0
    seconds = 0.0


_this_thread = _Compiled()


def seconds_compiling() -> float:
    """Return the CPU seconds that this thread has spent compiling, which no budget of work is for."""
    return _this_thread.seconds


@functools.cache
def announce_compilation() -> None:
    """Tell when Numba compiles functions of this library, which takes seconds, once on a machine; and count these."""
    from numba.core import event

    event.register("numba:compile", _compilation(event.Listener)())


def _compilation(base: type) -> type:
    class Compilation(base):  # type: ignore[misc]
        """Speaks up for the first function, which has those compiled that it calls."""

        has_spoken = False

        def on_start(self, happening: Any) -> None:
            if not _this_thread.depth:
                _this_thread.began = time.thread_time()
            _this_thread.depth += 1
            function = getattr(happening.data.get("dispatcher"), "py_func", None)
            if self.has_spoken or not getattr(function, "__module__", "").startswith("rdcsolve."):
                return
            self.has_spoken = True
            tell(
                logging.INFO,
                lambda: "compiling functions for this machine, which takes some seconds once; they are kept for later",
            )

        def on_end(self, happening: Any) -> None:
            _this_thread.depth -= 1
            if not _this_thread.depth:
                _this_thread.seconds += time.thread_time() - _this_thread.began

    return Compilation
