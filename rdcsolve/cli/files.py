"""Problems as npz archives: matrices and limits, so that a saved result can be checked by itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.problems import Problem
from rdcsolve.problems.storage import arrays_of
from rdcsolve.writing import whole_file, writable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def read_table(path: Path) -> np.ndarray:
    """Return the numbers of a file that holds one array: npy, or CSV without a header.

    Raises
    ------
    UnreadableFile
        If the file is missing or holds something else.
    """
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableFile(f"{path} cannot be read ({error}); give npy, or CSV without a header") from error


def check_targets(*paths: Path | None, picture: Path | None = None, read: Iterable[Path | None] = ()) -> None:
    """Raise unless all these files can be written, and the picture is of a kind that can be drawn: before any work.

    Parameters
    ----------
    *paths : Path or None
        Files to write, apart from the picture.
    picture : Path, optional
    read : iterable of Path or None, optional
        Files that the command reads, none of which may be written over.

    Raises
    ------
    SaveFailed
        If a path names a folder or a device, or its folder is missing or may not be written to.
    InvalidInput
        If two of them are the same file, one of them is read, or no picture of that kind can be drawn.
    """
    given, read = [path for path in (*paths, picture) if path is not None], tuple(read)
    real = [writable(path).absolute() for path in given]
    for path, own in zip(given, real, strict=True):
        if real.count(own) > 1:
            raise InvalidInput(f"{path} is to hold two different things; give each its own name")
        if any(own.exists() and one is not None and one.exists() and own.samefile(one) for one in read):
            raise InvalidInput(f"{path} is read by this command, and would be written over; save to another file")
    if picture is not None:
        _kind_of(picture)


def draw_into(path: Path, figure: Figure, **options: Any) -> None:
    """Write a picture, whole or not at all.

    Raises
    ------
    SaveFailed, InvalidInput
        As of `check_targets`.
    """
    kind = _kind_of(path)
    with whole_file(path) as stream:
        figure.savefig(stream, format=kind, **options)


def _kind_of(path: Path) -> str:
    from matplotlib.backend_bases import FigureCanvasBase

    kind = path.suffix.removeprefix(".").lower()
    if kind not in FigureCanvasBase.get_supported_filetypes():
        raise InvalidInput(f"{path} has no ending of a picture that can be drawn; end it in .png, .pdf or .svg")
    return kind


def write_problem(problem: Problem, path: Path) -> None:
    """Write a problem so that `problem_of` makes the same one of it, whole or not at all.

    Raises
    ------
    SaveFailed
        If the file cannot be written; an existing one is left as it was.
    """
    with whole_file(path) as stream:
        np.savez(stream, **arrays_of(problem))
