"""Bars on standard error, where they are asked for."""

from __future__ import annotations

from typing import Any


def bar(wanted: bool, total: int, unit: str, done: int = 0) -> Any:
    """Return a bar that counts to a total; one that shows nothing if it is not wanted."""
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, unit=unit, disable=not wanted)
