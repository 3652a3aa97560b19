"""The k-th call of a kind fails, for every k: what full disks, broken reads and exhausted memory do to a job."""

import errno
import itertools
import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import rdcsolve

_OWN = Path(rdcsolve.__file__).parent
_THROUGH = (str(_OWN), "zipfile", "npyio", "_npyio_impl", "format.py", "_format_impl", "json")
_NOT_IN = (str(_OWN / "calls.py"), str(_OWN / "deadline.py"))


def disk_is_full(call, frame):
    """Whether a call writes, or asks the system for what needs space; a log may lose lines, and `logging` says so."""
    if Path(frame.f_code.co_filename).parent == Path(logging.__file__).parent:
        return False
    return _name(call) in {"_io.open", "posix.fsync", "posix.replace"} or call.__name__ == "write"


def disk_is_broken(call, frame):
    """Whether a call reads, or opens."""
    return _name(call) in {"_io.open", "posix.fstat"} or call.__name__ in {"read", "readinto", "seek"}


def memory_is_out(call, frame):
    """Whether a call is one of the library's own, or of those that store arrays for it, and so may need memory."""
    name = frame.f_code.co_filename
    if call.__name__ in {"__enter__", "__exit__", "close"}:  # they release what is held, and need nothing for that
        return False
    return any(part in name for part in _THROUGH) and not name.startswith(_NOT_IN)


ERRORS = {
    disk_is_full: lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    disk_is_broken: lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    memory_is_out: MemoryError,
}


def _name(call):
    return f"{getattr(call, '__module__', None)}.{call.__name__}"


@contextmanager
def fault_at(k, kind):
    """Let the k-th call of a kind fail; yields a list that is empty until it has."""
    counted, raised = itertools.count(1), []

    def watch(frame, event, call):
        if event == "c_call" and not raised and kind(call, frame) and next(counted) == k:
            raised.append(_name(call))
            raise ERRORS[kind]()

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield raised
    finally:
        sys.setprofile(before)


def faults(kind, job, ks=None):
    """Yield for every k, or for those given, what the job raised (None, if nothing) when its k-th call failed."""
    for k in itertools.count(1) if ks is None else ks:
        error = None
        with fault_at(k, kind) as raised:
            try:
                job()
            except Exception as raised_error:  # noqa: BLE001 - the test says what it may be
                error = raised_error
        if not raised:
            return
        yield f"{k}: {raised[0]}", error
