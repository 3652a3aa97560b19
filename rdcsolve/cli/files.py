"""Problems as npz archives: matrices and limits, so that a saved result can be checked by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rdcsolve.errors import UnreadableFile
from rdcsolve.problems import Problem
from rdcsolve.problems.storage import arrays_of


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


def write_problem(problem: Problem, path: Path) -> None:
    """Write a problem so that `problem_of` makes the same one of it, whole or not at all.

    Raises
    ------
    SaveFailed
        If the file cannot be written; an existing one is left as it was.
    """
    from rdcsolve.files import whole_file

    with whole_file(path) as stream:
        np.savez(stream, **arrays_of(problem))
