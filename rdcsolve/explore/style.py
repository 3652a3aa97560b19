"""How pictures look: a style for papers, and the check of what is handed on to Matplotlib."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rdcsolve import extras, options
from rdcsolve.errors import UnknownOption

_GOLDEN = 0.62


@contextmanager
def paper(width: float = 3.5, height: float | None = None, *, usetex: bool = False) -> Iterator[None]:
    """Draw what is drawn inside for a paper: one column wide, small serif type, formulas as LaTeX sets them, vectors.

    Parameters
    ----------
    width, height : float, optional
        Of new figures, inches; by default one column of two, and a pleasant height.
    usetex : bool, optional
        Let LaTeX itself set all text, in the fonts of the paper; it has to be installed. By default Matplotlib sets it
        in Computer Modern.

    Notes
    -----
    Files without another suffix are PDF, with text as text (TrueType fonts, which journals ask for). Units are those of
    the data, or bits where a picture is asked for ``bits=True``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> with paper(width=3.0):
    ...     figure, ax = plt.subplots()
    >>> figure.get_size_inches().round(2).tolist()
    [3.0, 1.86]
    """
    extras.need("plot", "plot.paper")
    width = options.positive(width, "width", "give inches")
    height = _GOLDEN * width if height is None else options.positive(height, "height", "give inches")
    options.switch(usetex, "usetex")
    import matplotlib

    look: Any = {
        "figure.figsize": (width, height),
        "figure.constrained_layout.use": True,
        "figure.dpi": 150,
        "savefig.format": "pdf",
        "savefig.dpi": 300,  # of what is a picture within the vectors
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.fonttype": "none",
        "text.usetex": usetex,
        "font.family": "serif",
        "font.serif": ["Computer Modern Roman", "CMU Serif", "STIXGeneral", "DejaVu Serif"],
        "mathtext.fontset": "cm",
        "axes.formatter.use_mathtext": True,
        "axes.linewidth": 0.6,
        "axes.titlesize": 8,
        "lines.linewidth": 1.0,
        **{f"{part}.{size}": 8 for part, size in (("font", "size"), ("axes", "labelsize"))},
        **{f"{part}.labelsize": 7 for part in ("xtick", "ytick")},
        "legend.fontsize": 7,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(look):
        yield


def line_options(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what a line is to look like, if Matplotlib knows all of it."""
    from matplotlib.artist import ArtistInspector
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    try:
        plain = normalize_kwargs(dict(given), Line2D)
    except TypeError as error:
        raise UnknownOption(f"{name}(): {error}") from None
    _known(plain, set(ArtistInspector(Line2D).get_setters()), name, "a line of Matplotlib")
    return plain


def contour_options(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what contours are to look like, if Matplotlib knows all of it."""
    from matplotlib.contour import ContourSet

    _known(given, set(inspect.signature(ContourSet.__init__).parameters), name, "contours of Matplotlib")
    return dict(given)


def _known(given: Mapping[str, Any], known: set[str], name: str, what: str) -> None:
    for one in given:
        if one not in known:
            close = difflib.get_close_matches(one, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it is no property of {what} either"
            raise UnknownOption(f"{name}() got an unexpected keyword argument {one!r}{hint}")
