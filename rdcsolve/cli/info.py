"""``rdcsolve info``: versions, threads and optional parts, for bug reports."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rdcsolve.cli.outcomes import told_plainly
from rdcsolve.cli.screen import console, table

_NEEDED = ("numpy", "scipy", "numba", "threadpoolctl", "filelock", "tqdm")
_EXTRAS = {
    "tables": ("xarray", "netCDF4", "pandas"),
    "plot": ("matplotlib",),
    "learn": ("scikit-learn",),
    "cli": ("typer", "rich"),
    "conic": ("cvxpy", "clarabel"),
    "ball": ("python-flint",),
    "codes": ("constriction",),
    "testing": ("hypothesis",),
    "transport": ("POT",),
    "neural": ("torch", "POT"),
}


@told_plainly
def info() -> None:
    """Show versions, threads, the linear algebra library, and which extras are installed."""
    screen = console()
    shown = table(screen, "", "what", "value", text=2)
    shown.show_header = False
    for row in [*_versions(), *_threads(), *_extras()]:
        shown.add_row(*row)
    screen.print(shown)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _versions() -> list[tuple[str, str]]:
    from rdcsolve import __version__

    rows = [
        ("rdcsolve", __version__),
        ("Python", f"{platform.python_version()} ({sys.executable})"),
        ("platform", platform.platform()),
    ]
    return rows + [(package, _version(package) or "missing") for package in _NEEDED]


def _threads() -> list[tuple[str, str]]:
    import numba
    import scipy.linalg  # noqa: F401  (loads the linear algebra library, so that it is listed)
    from threadpoolctl import threadpool_info

    rows = [("processors", str(os.cpu_count())), ("numba threads", str(numba.get_num_threads()))]
    pools: list[dict[str, Any]] = threadpool_info()
    for pool in pools:
        what = f"{pool['internal_api']} {pool.get('version') or ''}".strip()
        rows.append((pool["user_api"], f"{what}, {pool['num_threads']} threads"))
    return list(dict.fromkeys(rows))


def _extras() -> list[tuple[str, str]]:
    rows = []
    for extra, packages in _EXTRAS.items():
        found = {package: _version(package) for package in packages}
        missing = [package for package, held in found.items() if held is None]
        told = f"not installed: pip install 'rdcsolve[{extra}]'"
        rows.append((f"extra {extra}", told if missing else ", ".join(f"{p} {v}" for p, v in found.items())))
    return rows
