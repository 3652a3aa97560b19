"""Where and how files are written: only to ordinary files, whole or not at all, and by one run at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rdcsolve.errors import FileInUse, SaveFailed

_LARGEST_LOCK = 4096  # bytes of a lock file that are looked at
_SECONDS_TO_BREAK = 0.2  # in which the lock of a process that is gone is found, broken and taken


def writable(path: Path) -> Path:
    """Return the path that writing to `path` replaces, or raise if there can be none.

    Links are followed, those that lead nowhere too: the file that a link names is replaced, and the link stays.

    Raises
    ------
    SaveFailed
        If it is a folder, a device, a pipe or a socket, or its folder is missing or may not be written to.
    """
    try:
        target = path.resolve() if path.is_symlink() else path
        if target.is_symlink():  # which only links in a circle leave, from Python 3.13 on without an error
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        mode = target.stat().st_mode if target.exists() else None
        folder_mode = target.parent.stat().st_mode
    except FileNotFoundError as error:
        raise _unwritten(path, f"the folder {path.parent} does not exist", "make it, or choose another") from error
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle, until Python 3.12
        raise _unwritten(path, _reason(error)) from error
    if not target.name or (mode is not None and stat.S_ISDIR(mode)):
        raise _unwritten(path, "it is a folder", "give the name of a file")
    if mode is not None and not stat.S_ISREG(mode):
        raise _unwritten(path, "it is a device, a pipe or a socket", "give the name of an ordinary file")
    if not stat.S_ISDIR(folder_mode):
        raise _unwritten(path, f"{target.parent} is not a folder")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise _unwritten(path, os.strerror(errno.EACCES))
    return target


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Give a name to write a file to, which becomes `path` once it is complete and on the disk; else it is removed."""
    temporary = None
    try:
        target = writable(path)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        yield temporary
        with open(temporary, "rb+") as stream:  # Windows flushes only what may be written
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError, ValueError):
                os.unlink(temporary)
        if isinstance(error, SaveFailed) or not isinstance(error, Exception):
            raise
        raise _unwritten(path, _reason(error)) from error


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name only once it is complete and on the disk; else it is removed."""
    with whole_path(path) as temporary, open(temporary, "xb") as stream:
        yield stream


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Keep a file for this run alone: another run that asks for it is refused while this one lasts.

    A lock file beside it, ``.NAME.lock``, holds the number of this process and the name of this machine. One that a
    killed process of this machine left is of no account.

    Parameters
    ----------
    path : Path
    what : str
        What the other run does with it, for the message.

    Raises
    ------
    FileInUse
        If another run has it.
    SaveFailed
        If the file, or the lock file, cannot be written.
    """
    from filelock import SoftFileLock, Timeout

    target = writable(path)
    lock = SoftFileLock(target.with_name(f".{target.name}.lock"), is_singleton=False)
    try:
        lock.acquire(timeout=_SECONDS_TO_BREAK, poll_interval=_SECONDS_TO_BREAK / 4)
    except Timeout:
        raise FileInUse(
            f"{path} is in use: {_holder(Path(lock.lock_file))} {what}; wait for it, or choose another "
            f"path (or remove {lock.lock_file}, if that process is gone)"
        ) from None
    except OSError as error:
        raise _unwritten(path, _reason(error)) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.release()


def _holder(lock: Path) -> str:
    try:
        with open(lock, encoding="utf-8", errors="replace") as stream:
            process, machine, *_ = [*stream.read(_LARGEST_LOCK).splitlines(), "", ""]
    except OSError:
        process = machine = ""
    return f"process {process} on {machine}" if process.isdigit() and machine else "another process"


def _reason(error: BaseException) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _unwritten(
    path: Path, reason: str, cure: str = "free some space there, or choose a folder you may write to"
) -> SaveFailed:
    return SaveFailed(f"{path} was not written ({reason}); {cure}")
