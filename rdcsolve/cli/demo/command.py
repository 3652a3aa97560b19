"""``rdcsolve demo``: from images to certified numbers, a picture, and files that can be checked again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdcsolve.cli.demo.digits import Digits, Sizes
from rdcsolve.cli.outcomes import NOT_CERTIFIED, told_plainly
from rdcsolve.cli.screen import console
from rdcsolve.errors import SaveFailed

if TYPE_CHECKING:
    import xarray
    from rich.console import Console

    from rdcsolve.cli.demo.run import Advance


@told_plainly
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the picture and the files.")] = Path("rdcsolve-demo"),
    processes: Annotated[int, typer.Option(min=1, help="How many to work side by side.")] = 2,
) -> None:
    """Compute the rate-distortion-classification surface of real handwritten digits, every point certified.

    The source is the held-out half of scikit-learn's handwritten digits; a codebook of 256 letters and a classifier
    come from the other half. Limits: mean squared error per pixel, and the classifier's cross-entropy on the letter.
    Exit code: 0 if every point is certified to 1e-6 nat and the saved result verifies, 1 if not.
    """
    if not run(out, Sizes(), processes, console()):
        raise typer.Exit(NOT_CERTIFIED)


def run(out: Path, sizes: Sizes, processes: int, screen: Console) -> bool:
    """Do the whole demo and return whether everything was certified and verified.

    Parameters
    ----------
    out : Path
        Folder to write to; made if need be.
    sizes : Sizes
        How much to compute.
    processes : int
        How many to use; with one, the work is done in this process.
    screen : rich.console.Console
        Where to report.

    Raises
    ------
    SaveFailed
        If the folder or a file cannot be written.
    """
    began = time.perf_counter()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveFailed(f"{out} cannot be made ({error}); choose another folder with --out") from error
    from rdcsolve.cli.demo import report
    from rdcsolve.cli.demo.digits import state

    digits = state(sizes)
    screen.print(
        f"{digits.problem.n_x} held-out images in R^64, {digits.problem.n_letters} letters from the training half; its "
        f"classifier names {digits.accuracy:.1%} of the held-out images rightly"
    )
    surface, boundaries = _compute(out, digits, sizes, processes, screen)
    report.show_surface(screen, surface)
    report.show_tradeoffs(screen, boundaries)
    sound = _verified(out, digits, sizes, screen)
    worst, certified, impossible, other = report.worst_gap(surface, boundaries)
    told = f"{certified} points certified, largest gap {worst:.1e} nat"
    told += f"; {impossible} proved impossible" if impossible else ""
    told += f"; {other} NOT certified to {report.LARGEST_GAP:g} nat" if other else ""
    screen.print(f"{told}; {time.perf_counter() - began:.0f} s in all")
    screen.print(f"{out}/: demo.png, surface.nc, tradeoff.nc, result.npz, problem.npz")
    screen.print(f"to check again: rdcsolve verify {out / 'result.npz'}")
    return sound and not other


def _compute(
    out: Path, digits: Digits, sizes: Sizes, processes: int, screen: Console
) -> tuple[xarray.Dataset, xarray.Dataset]:
    """Compute and save the surface and the trade-offs, and draw the picture."""
    from rdcsolve.cli.demo import picture
    from rdcsolve.cli.demo import run as work
    from rdcsolve.explore.record import write_dataset

    problem, partial = digits.problem, out / "surface.partial.nc"
    with work.workers(processes) as pool:
        total = len(sizes.distortion_limits) * len(sizes.cross_entropy_limits)
        with _step(screen, "surface", total) as advance:
            surface, limits = work.surface_and_bounds(problem, sizes, pool, partial, advance)
        write_dataset(surface, out / "surface.nc")
        partial.unlink()
        with _step(screen, "trade-offs", len(sizes.rates) * sizes.n_stretches) as advance:
            boundaries = work.tradeoffs(problem, sizes, limits, pool, advance)
        write_dataset(boundaries, out / "tradeoff.nc")
        with _step(screen, "picture", 1):
            middle = sizes.rates[len(sizes.rates) // 2]
            rebuilt = work.reconstructions(digits, boundaries, middle, sizes.tolerance, pool)
            picture.draw(digits, surface, boundaries, rebuilt, out / "demo.png")
    return surface, boundaries


def _verified(out: Path, digits: Digits, sizes: Sizes, screen: Console) -> bool:
    """Solve one problem, save it, load it, and check it as anybody could; return whether it holds."""
    from rdcsolve.cli.files import write_problem
    from rdcsolve.errors import MissingExtra
    from rdcsolve.files import read_arrays
    from rdcsolve.problems.storage import problem_of
    from rdcsolve.results import load
    from rdcsolve.solvers import solve

    problem = digits.problem.with_limits(distortion=sizes.saved[0], cross_entropy=sizes.saved[1])
    solve(problem).save(out / "result.npz")
    write_problem(problem, out / "problem.npz")
    held = load(out / "result.npz")
    screen.print(f"saved result:\n{held}")
    if held.certificate is None:
        return False
    stated = problem_of(read_arrays(out / "problem.npz"), "problem.npz")
    verdict = held.certificate.verify(stated)
    screen.print(str(verdict))
    try:
        with _step(screen, "ball arithmetic", 1):
            rigorous = held.certificate.verify(stated, arithmetic="ball")
    except MissingExtra as missing:
        screen.print(f"no rigorous check: {missing}")
        return bool(verdict.valid)
    screen.print(str(rigorous))
    return bool(verdict.valid and rigorous.valid)


@contextmanager
def _step(screen: Console, name: str, total: int) -> Iterator[Advance]:
    """Show a bar while a step runs on a terminal, and one line when it is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    began = time.perf_counter()
    columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)
    screen.print(f"{name}: {time.perf_counter() - began:.1f} s")
