"""One place that says how many threads the linear algebra may use."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    # Looking for the loaded libraries takes milliseconds: done once, after they are loaded.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread_each(threads: int = 1) -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses that many threads; on small matrices more only wait for each other."""
    return _controller().limit(limits=threads)
