"""Which of two twins works: one in NumPy, or one that Numba compiles.

Compiled loops are some times faster, but a new machine takes many seconds to compile them, and every process a good
part of one to load them. Most processes solve a few small problems and are done before that pays. So work begins in
NumPy, and a process that has had its fill of it goes over for good. Work is counted, not timed: the same lines give the
same numbers in every process that runs them.
"""

from __future__ import annotations

_ENOUGH = 60_000_000
"""Numbers to work out in NumPy, a second or less, before the compiled twins take over."""
_CALL = 40_000
"""What the calls of one step cost however few numbers they have."""


class Work:
    """Work of one kind that this process has done in NumPy."""

    def __init__(self) -> None:
        self._done = 0

    def step(self, numbers: int) -> None:
        """Count a step in NumPy that works out so many numbers."""
        self._done += _CALL + numbers

    def may_stay_plain(self) -> bool:
        """Return whether the work is still to be done in NumPy."""
        return self._done < _ENOUGH
