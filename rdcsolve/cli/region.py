"""``rdcsolve region``: what can be decoded from the messages of an encoder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdcsolve.cli.files import check_targets, draw_into, read_table
from rdcsolve.cli.outcomes import INTERRUPTED, NOT_CERTIFIED, told_plainly
from rdcsolve.cli.screen import console, table
from rdcsolve.cli.solve import InputFile
from rdcsolve.cli.statement import Statement, takes_a_problem, tell_columns
from rdcsolve.errors import InvalidInput

if TYPE_CHECKING:
    from rdcsolve.problems import Problem, Source
    from rdcsolve.universal import Region

_LIMITS = {
    "limit_d": "D",
    "limit_c": "C",
    "limit_p": "P",
    "limit": "limit",
    "rate": "rate",
    "minimise": "minimise",
    "multiplier": "multiplier",
    "perception": "perception",
    "observation": "observation",
}


@told_plainly
@takes_a_problem
def region(
    input: InputFile,
    statement: Statement,
    message: Annotated[
        str | None,
        typer.Option(help="CSV: the column of the message that was sent for each sample.", show_default=False),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The encoder instead: what solve or universal saved (npz), or p(z | x) (npy, or CSV without header), "
            "one row per symbol, counts with --normalise.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        list[str] | None,
        typer.Option(help="D, C or the name of a loss, twice. By default the only two there are.", show_default=False),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Save a picture.", show_default=False)] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the region as one JSON object, with the keys of Region.to_dict.")
    ] = False,
) -> None:
    """Print the pairs of losses that decoders of an encoder's messages attain: the corners of their region.

    Exit code: 0 if the region is exact, 1 if only bounds of it are known, 2 on bad input.
    """
    for name, option in _LIMITS.items():
        if getattr(statement, name) not in (None, []):
            raise InvalidInput(f"a region is what all decoders attain, under no limit; leave out --{option}")
    if loss and len(loss) != 2:
        raise InvalidInput(f"--loss is given {len(loss)} times; name two losses, such as --loss D --loss C")
    problem, sent = _stated(input, statement, message, encoder, tuple(loss or ()))
    if len(problem.loss_names) < 2:
        raise InvalidInput(
            f"a region is about two losses, and {input} has the distortion only; name the column of a label with "
            "--label, or give a --classifier"
        )
    from rdcsolve.results import Status
    from rdcsolve.universal import achievable_region

    check_targets(picture=plot, read=(*statement.files(input), encoder))
    tell_columns(problem)
    found = achievable_region(sent, problem, loss or None, normalise=statement.normalise)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _show(found, "messages" if message is None else f"messages of {message}")
    if plot is not None:
        _draw(found, plot)
        typer.echo(f"saved {plot}", err=as_json)
    if found.status is not Status.OPTIMAL:
        typer.echo(f"not exact: {found.status.name}, {found.message or found.status.value}", err=True)
        raise typer.Exit(INTERRUPTED if found.status is Status.INTERRUPTED else NOT_CERTIFIED)


def _stated(
    path: Path, statement: Statement, message: str | None, encoder: Path | None, losses: tuple[str, ...]
) -> tuple[Problem, Any]:
    """Return the problem, and the encoder that the file or another one holds."""
    if (message is None) == (encoder is None):
        both = "both are given" if message is not None else "neither is"
        raise InvalidInput(f"a region is of one encoder, by --message or by --encoder, and {both}; give one of them")
    if message is not None:
        if path.suffix == ".npz":
            raise InvalidInput(f"--message names a column but {path} is no table; give p(z | x) by --encoder")
        source, sent = _without_messages(statement.samples(path, [*(statement.label or []), message]))
        return statement.problem(path, losses, several=True, source=source), sent
    assert encoder is not None
    problem = statement.problem(path, losses, several=True)
    if encoder.suffix != ".npz":
        return problem, read_table(encoder)
    from rdcsolve.universal import load

    return problem, load(encoder)


def _without_messages(source: Source) -> tuple[Source, Any]:
    """Return a source without its last label, which is the message, and p(message | x)."""
    assert source.columns is not None
    columns = replace(source.columns, labels=source.columns.labels[:-1], unused=())
    labels, classes, names = source.labels[:-1], source.classes[:-1], source.label_names[:-1]
    bare = replace(source, labels=labels, classes=classes or None, label_names=names or None, columns=columns)
    return bare, source.labels[-1]


def _show(found: Region, what: str) -> None:
    screen = console()
    names = [
        name.replace("_", " ") + (f" [{found.unit}]" if name in found.information_losses else "")
        for name in found.losses
    ]
    typer.echo(f"{found.q.size} {what}, I(X;Z) = {found.rate:.9g} {found.unit}")
    corners = {f"decoders attain ({found.kind})": found.vertices}
    if not found.is_exact:
        corners["no decoder is beyond"] = found.outer
    for title, vertices in corners.items():
        shown = table(screen, title, *names)
        for first, second in vertices.tolist():
            shown.add_row(f"{first:.9f}", f"{second:.9f}")
        screen.print(shown)


def _draw(found: Region, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from rdcsolve.explore import plot

    figure: Any = plot.region(found).figure
    draw_into(path, figure, dpi=150)
