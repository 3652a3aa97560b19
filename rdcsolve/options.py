"""Options of public calls: numbers, switches, functions and paths, each checked before any work.

Each check returns the option in the form that the library uses, or raises `InvalidInput` with a sentence that names the
value and says what to give instead.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any

from rdcsolve.errors import InvalidInput, UnreadableFile

_LONGEST = 100  # characters of a value that a message shows


def shown(value: Any) -> str:
    """Return the value as a message shows it: on one line, and not at length."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # somebody's own object
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def real(value: Any, name: str, cure: str = "give one real number") -> float:
    """Return one real number as a float; texts, booleans, NaN and arrays are errors."""
    is_other = isinstance(value, (str, bytes, bytearray, bool)) or getattr(value, "ndim", 0) != 0
    number = math.nan
    if not is_other and getattr(getattr(value, "dtype", None), "kind", "f") in "fiu":
        try:
            number = float(value)
        except OverflowError:
            number = math.inf if value > 0 else -math.inf
        except (TypeError, ValueError, RuntimeError):
            number = math.nan
    if math.isnan(number):
        raise InvalidInput(f"{name} is {shown(value)}; {cure}")
    return number


def positive(value: Any, name: str, cure: str, *, finite: bool = True) -> float:
    """Return a number > 0, by default a finite one."""
    number = real(value, name, cure)
    if number <= 0 or (finite and math.isinf(number)):
        raise InvalidInput(f"{name} is {shown(value)}; {cure}")
    return number


def tolerance(value: Any) -> float:
    """Return a gap to reach, nats."""
    return positive(value, "tolerance", "give a gap in nats, such as 1e-9")


def seconds(value: Any, name: str = "time_limit") -> float:
    """Return a time to stop after, seconds."""
    return positive(value, name, "give seconds > 0, or inf", finite=False)


def budget(value: Any, name: str) -> float:
    """Return a time that may be spent on something, seconds; none at all is a time too."""
    cure = "give seconds >= 0, or inf"
    number = real(value, name, cure)
    if number < 0:
        raise InvalidInput(f"{name} is {shown(value)}; {cure}")
    return number


def whole(value: Any, name: str, least: int = 1) -> int:
    """Return an integer of at least `least`; 2.0 is a real number and refused like 2.5."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    is_whole = isinstance(value, int) or (kind in ("i", "u") and getattr(value, "ndim", 1) == 0)
    if isinstance(value, bool) or not is_whole or value < least:
        raise InvalidInput(f"{name} is {shown(value)}; it must be an integer >= {least}")
    return int(value)


def switch(value: Any, name: str) -> bool:
    """Return True or False; nothing else is taken for either."""
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
        return bool(value)
    raise InvalidInput(f"{name} is {shown(value)}; give True or False")


def function_or_none(value: Any, name: str, called_with: str) -> Any:
    """Return a function, or None."""
    if value is None or callable(value):
        return value
    raise InvalidInput(
        f"{name} is {shown(value)}; give a function, which is called with {called_with}, or leave it out"
    )


def text(value: Any, name: str) -> str:
    """Return a text."""
    if isinstance(value, str):
        return value
    raise InvalidInput(f"{name} is {shown(value)}; give a text")


def instance(value: Any, kind: type | tuple[type, ...], name: str, cure: str) -> Any:
    """Return the value if it is of this kind; the error says what it is instead."""
    if isinstance(value, kind):
        return value
    raise InvalidInput(f"{name} is {shown(value)}; {cure}")


def dataset(value: Any) -> Any:
    """Return the dataset of a sweep or a trade-off."""
    if hasattr(value, "attrs") and hasattr(value, "data_vars"):
        return value
    raise InvalidInput(f"data is {shown(value)}; pass the dataset of sweep or tradeoff")


def path(value: Any, name: str = "path") -> Path:
    """Return a path; texts and path-like objects are taken, open files and numbers are not."""
    try:
        held = os.fspath(value)
    except TypeError:
        raise InvalidInput(f"{name} is {shown(value)}; give the path of a file, as a text or a Path") from None
    return Path(os.fsdecode(held))


def ordinary_file(path: Path) -> Path:
    """Return the path of a file to read, if it is one: a pipe would be waited for, and a device may never end."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
        raise UnreadableFile(f"it is {kind}; give the name of an ordinary file")
    return path


def generator(value: Any, name: str = "rng") -> Any:
    """Return a NumPy generator made of a seed, or the one in hand."""
    import numpy as np

    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} is {shown(value)} ({error}); give an integer >= 0 or a numpy Generator") from None
