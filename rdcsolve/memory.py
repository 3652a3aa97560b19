"""How much memory is free, and refusals of what does not fit, before any of it is taken."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from rdcsolve.errors import OutOfMemory

_WORTH_A_LOOK = 1 << 26  # bytes: below this nobody asks the system
_LIMITS_OF_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def require(n_bytes: float, what: str, cure: str) -> None:
    """Raise `OutOfMemory` if this many bytes are more than is free.

    Parameters
    ----------
    n_bytes : float
        What the work cannot do without.
    what : str
        What takes them, for the message.
    cure : str
        What to do instead.
    """
    if not fits(n_bytes):
        raise OutOfMemory(f"{what} would take at least {n_bytes:,.0f} bytes, and {free_bytes():,.0f} are free; {cure}")


def fits(n_bytes: float) -> bool:
    """Return whether this many bytes are free."""
    return n_bytes <= _WORTH_A_LOOK or n_bytes <= free_bytes()


def free_bytes() -> float:
    """Return how many bytes this process can still take: what the machine, its group and its own limits leave; or inf.

    Only Linux tells all three. Elsewhere this is inf, and what does not fit is noticed when it is asked for.
    """
    return min(_left_to_the_machine(), _left_to_the_group(), _left_to_the_process())


def _left_to_the_machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return math.inf
    kilobytes = [float(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return 1024.0 * kilobytes[0] if kilobytes else math.inf


def _left_to_the_group() -> float:
    """Return what the limit of a container leaves; files that the system may drop from its cache count as used."""
    for limit, usage in _LIMITS_OF_GROUPS:
        try:
            most, used = Path(limit).read_text().strip(), Path(usage).read_text().strip()
            return math.inf if most == "max" else max(float(most) - float(used) + _cached(Path(limit).parent), 0.0)
        except (OSError, ValueError):
            continue
    return math.inf


def _cached(group: Path) -> float:
    """Return the bytes of a group that hold files, and can be had back."""
    try:
        counted = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return sum(float(counted.get(name, 0)) for name in ("inactive_file", "active_file"))
    except (OSError, ValueError):
        return 0.0


def _left_to_the_process() -> float:
    """Return what a limit on the address space (ulimit -v) leaves."""
    if sys.platform == "win32":
        return math.inf
    import resource

    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most == resource.RLIM_INFINITY:
        return math.inf
    try:
        pages = float(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return float(most)
    return max(float(most) - pages * resource.getpagesize(), 0.0)
