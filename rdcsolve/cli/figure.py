"""``rdcsolve figure``: figures of the paper, and of the field, with real numbers."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from rdcsolve.cli.drawing import Drawing
from rdcsolve.cli.files import check_targets, draw_into
from rdcsolve.cli.outcomes import NOT_CERTIFIED, told_plainly
from rdcsolve.errors import InvalidInput

MODULES = {
    "3": "figure_3",
    "4": "figure_4",
    "perception": "figure_perception",
    "classification": "figure_classification",
    "bottleneck": "figure_bottleneck",
}
"""By its number in the paper, or its name, the module that computes and draws a figure."""


def drawn(name: str) -> Drawing:
    """Return a figure by its name, computed and drawn (matplotlib's backend is set already)."""
    drawing: Drawing = import_module(f"rdcsolve.cli.{MODULES[name]}").draw()
    return drawing


@told_plainly
def figure(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            show_default=False,
            help="3 or 4, of the paper; perception, Blau and Michaeli's R(D) and D(P); classification, Wang et al.'s "
            "contours of R(D, C); or bottleneck, an information plane.",
        ),
    ],
    save_plot: Annotated[
        Path | None, typer.Option(help="Where to save it (png, pdf, svg).", show_default="figure_NAME.png")
    ] = None,
) -> None:
    """Compute and draw a figure of the paper, or of the field, with real numbers.

    Exit code: 0 if everything drawn is certified, 1 if not, 2 on bad input.
    """
    if name not in MODULES:
        raise InvalidInput(f"there is no figure {name!r}; choose one of {', '.join(MODULES)}")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    path = Path(f"figure_{name}.png") if save_plot is None else save_plot
    check_targets(picture=path)
    drawing = drawn(name)
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
