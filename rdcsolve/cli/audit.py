"""``rdcsolve audit``: how far a codec is from the best possible."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rdcsolve.cli.files import check_targets, draw_into, read_table
from rdcsolve.cli.outcomes import NOT_CERTIFIED, told_plainly
from rdcsolve.cli.screen import console, table
from rdcsolve.cli.universal import target_of
from rdcsolve.writing import whole_file


@told_plainly
def audit(
    input: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            show_default=False,
            help="npz of x and x_hat (n samples of any shape), and optionally messages, lengths, labels, classifier "
            "(what it said of each x_hat, one row of probabilities per sample), letters, weights and dither. Or CSV, a "
            "line a sample, with columns of these names, numbered where there are several: x_1, x_2, x_hat_1, ...; "
            "- reads such CSV from a pipe.",
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE,...", show_default=False, help="What the encoder shall be reused for."),
    ] = None,
    perception: Annotated[
        str | None,
        typer.Option(
            metavar="MEASURE", show_default=False, help="w2, w1 or mmd: limits for codecs that are as realistic, too."
        ),
    ] = None,
    bits: Annotated[bool, typer.Option("--bits", help="Lengths and answers are in bits, not nats.")] = False,
    tolerance: Annotated[float, typer.Option(help="Gap of the certified limits.")] = 1e-4,
    time_limit: Annotated[float, typer.Option(help="Seconds for each of them.")] = 60.0,
    letters: Annotated[
        Path | None,
        typer.Option(
            help="npy, or CSV without a header: reconstructions that a better codec could use.", show_default=False
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Save a picture of the parts.", show_default=False)] = None,
    curve: Annotated[
        Path | None,
        typer.Option(
            help="Save a picture of the codec beside the certified curve, nine more limits.", show_default=False
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Save the tables as a page of HTML.", show_default=False)] = None,
) -> None:
    """Tell how far a codec is from the certified limits, and which of its parts take how much.

    Exit code: 0 if all limits were found and certified, 1 if not, 2 on bad input.
    """
    targets = [target_of(text) for text in target or []]
    check_targets(curve, html, picture=plot, read=(input, letters))
    if curve is not None:
        check_targets(picture=curve)
    from rdcsolve.codes.audit_files import read_codec

    stated = read_codec(input)
    if letters is not None:
        stated["letters"] = read_table(letters)
    from rdcsolve.codes import audit as audited
    from rdcsolve.results import Proof, Status

    unit = "bit" if bits else "nat"
    stated |= {"perception": perception, "tolerance": tolerance, "time_limit": time_limit}
    found = audited(**stated, targets=targets, unit=unit)
    _show(found)
    if plot is not None or curve is not None:
        import matplotlib

        matplotlib.use("Agg")
    if plot is not None:
        _draw(found.plot()[0].figure, plot)
    if curve is not None:
        points = found.curve(tolerance=tolerance, time_limit=time_limit)
        _draw(found.plot_curve(points).figure, curve)
    if html is not None:
        _write(found, html)
    answers = (Status.OPTIMAL, Status.INFEASIBLE)
    if any(one.status not in answers or one.proof is not Proof.CERTIFIED for one in found.results.values()):
        typer.echo("not all limits are certified to the tolerance; see the notes", err=True)
        raise typer.Exit(NOT_CERTIFIED)


def _show(found: Any) -> None:
    screen = console()
    shown = table(screen, f"audit, information in {found.unit}", "number", "value", "lower", "upper", "kind", text=1)
    for line in found.lines:
        shown.add_row(line.name, *(f"{value:.6g}" for value in (line.value, line.lower, line.upper)), line.kind)
    screen.print(shown)
    for title, parts in (("rate above the limit", found.rate_parts), ("distortion above the limit", found.loss_parts)):
        shown = table(screen, title, "part", "value", "lower", "upper", text=1)
        for part in parts:
            shown.add_row(part.name, *(f"{value:.6g}" for value in (part.value, part.lower, part.upper)))
        screen.print(shown)
    for note in found.notes:
        typer.echo(f"note: {note}")


def _draw(figure: Any, path: Path) -> None:
    draw_into(path, figure, dpi=150, bbox_inches="tight")
    typer.echo(f"saved {path}")


def _write(found: Any, path: Path) -> None:
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>audit of a codec</title>'
    with whole_file(path) as stream:
        stream.write(f"{head}<body>{found.to_html()}</body></html>".encode())
    typer.echo(f"saved {path}")
