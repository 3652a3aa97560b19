"""``rdcsolve figure``: figures of the paper with real numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from rdcsolve.cli.drawing import Drawing
from rdcsolve.cli.files import check_targets, draw_into
from rdcsolve.cli.outcomes import NOT_CERTIFIED, told_plainly
from rdcsolve.errors import InvalidInput


def figure_3() -> Drawing:
    """Return what three encoders of one rate can be decoded to."""
    from rdcsolve.cli.figure_3 import draw

    return draw()


def figure_4() -> Drawing:
    """Return what a rate attains of a Gaussian pair, as printed and as it is."""
    from rdcsolve.cli.figure_4 import draw

    return draw()


FIGURES: dict[str, Callable[[], Drawing]] = {"3": figure_3, "4": figure_4}
"""By its number in the paper, the function that computes and draws a figure (matplotlib's backend is set already)."""


@told_plainly
def figure(
    number: Annotated[str, typer.Argument(metavar="NUMBER", show_default=False, help="Of the figure in the paper.")],
    save_plot: Annotated[
        Path | None, typer.Option(help="Where to save it (png, pdf, svg).", show_default="figure_NUMBER.png")
    ] = None,
) -> None:
    """Compute and draw a figure of the paper with real numbers.

    Exit code: 0 if everything drawn is certified, 1 if not, 2 on bad input.
    """
    if number not in FIGURES:
        raise InvalidInput(f"there is no figure {number!r}; choose one of {', '.join(sorted(FIGURES)) or 'none yet'}")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    path = Path(f"figure_{number}.png") if save_plot is None else save_plot
    check_targets(picture=path)
    drawing = FIGURES[number]()
    try:
        draw_into(path, drawing.figure, dpi=150)
    finally:
        pyplot.close(drawing.figure)
    for line in drawing.lines:
        typer.echo(line)
    typer.echo(f"saved {path}")
    for words in drawing.not_certified:
        typer.echo(f"not certified: {words}", err=True)
    if drawing.not_certified:
        raise typer.Exit(NOT_CERTIFIED)
