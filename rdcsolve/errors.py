"""The exceptions of rdcsolve; `RdcError` is the root, so one ``except`` catches all of them."""

from __future__ import annotations

from typing import Any


class RdcError(Exception):
    """Root of every exception that rdcsolve raises on purpose."""


class InvalidInput(RdcError, ValueError):
    """A value cannot be used: the message names the value and says what to change."""


class UnknownOption(InvalidInput, TypeError):
    """A call has an argument too many, too few, or of a name that is not known: the message says which are."""


class UnreadableFile(InvalidInput):
    """A file is missing, corrupt, or does not hold what was expected."""


class SaveFailed(RdcError, OSError):
    """A file could not be written; nothing half-written is left behind."""


class FileInUse(SaveFailed):
    """Another run is writing to a file: the message says which process on which machine."""


class OutOfMemory(RdcError, MemoryError):
    """A problem does not fit into memory: the message says what it would need and what to do."""


class BackendUnavailable(RdcError, RuntimeError):
    """A library for arrays on a device is not installed, or finds no device: the message says which and why."""


class InternalError(RdcError):
    """Something failed inside that no check foresaw; ``__cause__`` is the error from inside."""


class MissingExtra(RdcError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, extra: str, feature: str) -> MissingExtra:
        """Return the error for ``feature``, which is part of the optional ``extra``.

        Examples
        --------
        >>> print(MissingExtra.of("plot", "rdcsolve.plot"))
        rdcsolve.plot needs the extra plot: pip install 'rdcsolve[plot]'
        """
        return cls(f"{feature} needs the extra {extra}: pip install 'rdcsolve[{extra}]'")


class SolverFailed(RdcError):
    """A solver stopped without an answer; ``result`` is what it had, or None.

    Parameters
    ----------
    message : str
        Why it stopped and what to try.
    result : Result, optional
        The result with its status, and whichever bounds are known.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result
