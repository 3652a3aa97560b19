"""Sources from files: samples in CSV, alphabets in npz. Nothing in a file is ever executed."""

from __future__ import annotations

import csv
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rdcsolve import options
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.problems import Source
from rdcsolve.problems.storage import check_names

_MASKED_AS_NUMBER = ("", "na", "n/a", "null", "none")


def from_csv(
    path: str | os.PathLike[str],
    columns: str | Sequence[str] | None = None,
    labels: str | Sequence[str] = (),
    weight: str | None = None,
    *,
    delimiter: str = ",",
    name: str = "",
) -> Source:
    """Return the empirical source of samples in a CSV file, one per line below a header.

    Parameters
    ----------
    path : path-like
        A UTF-8 text file.
    columns : str or sequence of str, optional
        Names of the numeric feature columns; by default all that are neither labels nor the weight.
    labels : str or sequence of str, optional
        Names of the label columns; their values are compared as integers if all are, as text otherwise.
    weight : str, optional
        Name of a column of non-negative weights.
    delimiter : str, optional
        What separates the cells.
    name : str, optional
        Shown in summaries and plots; by default the file's name.

    Returns
    -------
    Source
        As of `Source.from_samples`: equal samples are merged, labels become conditional frequencies.

    Raises
    ------
    UnreadableFile
        If the file is missing or not text, a line has the wrong number of cells, a feature or weight is not a
        finite number, or a label is empty.
    InvalidInput
        If a named column does not exist.
    """
    path = options.path(path)
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        raise InvalidInput(f"delimiter is {delimiter!r}; give one character")
    header, lines, rows = _table(path, delimiter)
    label_names = [labels] if isinstance(labels, str) else list(labels)
    spoken_for = {*label_names, weight}
    if columns is None:
        columns = [column for column in header if column not in spoken_for]
    features = [columns] if isinstance(columns, str) else list(columns)
    if not features:
        raise InvalidInput(f"no feature column is chosen from {path}; name at least one in columns=")
    place = {c: _place(c, header, path) for c in [*features, *label_names, *([weight] if weight else [])]}
    samples = [[_number(row[place[c]], c, line, path) for c in features] for line, row in zip(lines, rows, strict=True)]
    weights = None
    if weight is not None:
        weights = [_number(row[place[weight]], weight, line, path) for line, row in zip(lines, rows, strict=True)]
    label_columns = [
        _integers_if_all([_text(row[place[c]], c, line, path) for line, row in zip(lines, rows, strict=True)])
        for c in label_names
    ]
    return Source.from_samples(samples, label_columns or None, weights, name=name or path.name)


def _table(path: Path, delimiter: str) -> tuple[list[str], list[int], list[list[str]]]:
    """Return the header, and the line numbers and cells of the lines that are not blank."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            numbered = [(reader.line_num, row) for row in reader if _has_content(row)]
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise UnreadableFile(
            f"{path} is not a CSV file ({error}); check its quotes and delimiter={delimiter!r}"
        ) from error
    if len(numbered) < 2:
        raise UnreadableFile(
            f"{path} has {len(numbered)} lines with content; it needs a header and at least one sample"
        )
    header = [cell.strip() for cell in numbered[0][1]]
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise UnreadableFile(f"{path} has more than one column called {repeated[0]!r}; give columns distinct names")
    for line, row in numbered[1:]:
        if len(row) != len(header):
            raise UnreadableFile(f"line {line} of {path} has {len(row)} cells for {len(header)} columns; fix that line")
    return header, [line for line, _ in numbered[1:]], [row for _, row in numbered[1:]]


def _has_content(row: list[str]) -> bool:
    return len(row) > 1 or (len(row) == 1 and bool(row[0].strip()))


def _text(cell: str, column: str, line: int, path: Path) -> str:
    if not cell.strip():
        raise UnreadableFile(f"line {line} of {path}: label {column!r} is empty; fix or drop that line")
    return cell.strip()


def _integers_if_all(values: list[str]) -> list[int] | list[str]:
    """Return the values as integers if all are, so that class 10 comes after class 9."""
    try:
        return [int(value) for value in values]
    except ValueError:
        return values


def _place(column: str, header: list[str], path: Path) -> int:
    if column not in header:
        known = ", ".join(repr(known) for known in header)
        raise InvalidInput(f"{path} has no column {column!r}; its columns are {known}")
    return header.index(column)


def _number(cell: str, column: str, line: int, path: Path) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        what = "empty" if cell.strip().lower() in _MASKED_AS_NUMBER else f"{cell.strip()!r}, not a finite number"
        raise UnreadableFile(f"line {line} of {path}: column {column!r} is {what}; fix or drop that line")
    return value


def from_npz(path: str | os.PathLike[str], name: str = "", *, normalise: bool = False) -> Source:
    """Return a source from an npz archive, as written by ``numpy.savez``.

    Parameters
    ----------
    path : path-like
        An archive with `p_x` (n_x,), and optionally `points` (n_x, dim) and `labels_0`, `labels_1`, ...
        (n_x, n_s). Other arrays are not looked at, unless their names are nearly known ones.
        Pickled objects are refused.
    name : str, optional
        Shown in summaries and plots; by default the file's name.
    normalise : bool, optional
        Rescale `p_x` and the rows of the labels to sum to one, as for counts; see `Source`.

    Returns
    -------
    Source

    Raises
    ------
    UnreadableFile
        If the file is missing, corrupt, pickled, or lacks `p_x` or a label in the middle.
    InvalidInput
        If the arrays do not form a source, or one has a misspelt name.
    """
    path = options.path(path)
    try:
        held, arrays = _arrays_of_a_source(path)
    except UnreadableFile:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableFile(
            f"{path} is corrupt, pickled, or not an npz archive ({error}); write it with numpy.savez"
        ) from error
    check_names(held, str(path), strange=False)
    if "p_x" not in arrays:
        raise UnreadableFile(f"{path} holds {', '.join(held) or 'nothing'} but no p_x; save the masses as p_x")
    n_labels = len(arrays) - 1 - ("points" in arrays)
    missing = [f"labels_{k}" for k in range(n_labels) if f"labels_{k}" not in arrays]
    if missing:
        raise UnreadableFile(f"{path} has {n_labels} labels but no {missing[0]}; number them from labels_0")
    labels = [arrays[f"labels_{k}"] for k in range(n_labels)]
    return Source(arrays.get("points"), arrays["p_x"], labels, name or path.name, normalise)


def _arrays_of_a_source(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the names of all arrays, and the arrays that `from_npz` looks at."""
    with path.open("rb") as stream:  # ours to close: numpy leaves it open when the archive is damaged
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise UnreadableFile(f"{path} is a single npy array; save the arrays of a source with numpy.savez")
        wanted = [key for key in archive.files if re.fullmatch(r"points|p_x|labels_\d+", key)]
        return archive.files, {key: archive[key] for key in wanted}


def _unreadable(path: Path, error: OSError) -> UnreadableFile:
    if isinstance(error, FileNotFoundError):
        return UnreadableFile(f"{path} does not exist; check the path (the current folder is {Path.cwd()})")
    return UnreadableFile(f"{path} cannot be read ({error.strerror or error}); check that it is a file you may open")
