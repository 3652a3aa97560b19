"""What only some users need: which packages belong to which extra, and the sentence where one is missing."""

from __future__ import annotations

from importlib.util import find_spec

from rdcsolve.errors import MissingExtra

EXTRAS = {
    "tables": ("xarray", "netCDF4", "pandas"),
    "plot": ("matplotlib",),
    "learn": ("sklearn",),
    "cli": ("typer", "rich"),
    "conic": ("cvxpy", "clarabel"),
    "ball": ("flint",),
    "codes": ("constriction",),
    "testing": ("hypothesis",),
    "transport": ("ot",),
    "neural": ("torch",),
}
"""The modules that come with each extra, by the names they are imported under."""


def need(extra: str, feature: str) -> None:
    """Raise `MissingExtra` unless the modules of an extra are there: before work whose answer they would hold.

    Parameters
    ----------
    extra : str
        A key of `EXTRAS`.
    feature : str
        What asks for it, for the sentence.
    """
    for module in EXTRAS[extra]:
        if find_spec(module) is None:
            cause = ModuleNotFoundError(f"No module named {module!r}", name=module)
            raise MissingExtra.of(extra, feature) from cause


def is_installed(extra: str) -> bool:
    """Return whether the modules of an extra are there."""
    return all(find_spec(module) is not None for module in EXTRAS[extra])


def missing_for(module: str | None, feature: str) -> MissingExtra | None:
    """Return the error for a module that could not be imported, or None if it belongs to no extra."""
    root = (module or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if root in modules:
            return MissingExtra.of(extra, feature)
    return None
