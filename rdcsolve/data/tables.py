"""Tables of text: cells, what separates them, and whether the first line names the columns. Nothing is guessed.

The cells come from the reader of the standard library, which refuses what is not whole: pandas pads short lines and
loses the numbers of lines.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rdcsolve import options
from rdcsolve.errors import InvalidInput, UnreadableFile

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
_LOOKED_AT = 50  # lines that tell what another separator would make of a table
_EXACT = 2**53  # all integers up to here are floats
_LONGEST = 100_000_000  # characters in one cell, far above the 131,072 of the csv module

_NUMBER = {
    mark: re.compile(rf"[+-]?([0-9]+({re.escape(mark)}[0-9]*)?|{re.escape(mark)}[0-9]+)([eE][+-]?[0-9]+)?")
    for mark in ".,"
}

_MISSING = {"", "na", "n/a", "<na>", "nan", "null", "none", "nat", "inf", "+inf", "-inf", "infinity", "-infinity", "?"}
_EMPTY = ("", "na", "n/a", "null", "none")


class Table(NamedTuple):
    """Cells by lines, with the names of their columns.

    Attributes
    ----------
    origin : str
        Where it is from, for messages.
    has_header : bool
        Whether the names stand in the first line; otherwise they are places: ``"0"``, ``"1"``, ...
    names : list of str
    lines : list of int
        Numbers of the lines, from one.
    rows : list of list of str
    syntax : Syntax
    """

    origin: str
    has_header: bool
    names: list[str]
    lines: list[int]
    rows: list[list[str]]
    syntax: Syntax

    def place(self, column: Any) -> int:
        """Return where a column stands, called by its name or, as an integer, by its place."""
        if isinstance(column, int) and not isinstance(column, bool):
            if 0 <= column < len(self.names):
                return column
            raise InvalidInput(f"{self.origin} has no column {column}; its {len(self.names)} columns count from 0")
        if column not in self.names:
            known = ", ".join(repr(known) for known in self.names)
            cure = "" if self.has_header else " (without a header columns are called by their places)"
            raise InvalidInput(f"{self.origin} has no column {column!r}; its columns are {known}{cure}")
        return self.names.index(column)

    def column(self, place: int) -> list[str]:
        """Return the cells of a column."""
        return [row[place].strip() for row in self.rows]

    def numbers(self, place: int) -> np.ndarray:
        """Return the cells of a column as numbers, or raise at the first that is none."""
        cells = self.column(place)
        first = dict(zip(reversed(cells), reversed(self.lines), strict=True))  # of each text, as pixels repeat
        in_order = sorted(first.items(), key=lambda item: item[1])
        value = {cell: self._number(cell, place, line) for cell, line in in_order}
        return np.array([value[cell] for cell in cells])

    def words(self, place: int, what: str) -> list[str]:
        """Return the cells of a column as they are written, or raise at the first that is empty."""
        cells = self.column(place)
        for cell, line in zip(cells, self.lines, strict=True):
            if not cell:
                raise self.fault(line, f"{what} {self.names[place]!r} is empty; fix or drop that line")
        return cells

    def classes(self, place: int) -> list[int] | list[str]:
        """Return the classes of a label: integers if all are written as such, so that 10 comes after 9, else text.

        ``01`` is not how an integer is written, nor is ``1_0``: they stay apart from ``1`` and ``10``.
        """
        cells = self.words(place, "label")
        if all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", cell) for cell in cells):
            return [int(cell) for cell in cells]
        known = [cell for cell in cells if cell.lower() not in _MISSING]
        if len(known) < len(cells) and all(self.syntax.is_number(cell) for cell in known):
            k = next(k for k, cell in enumerate(cells) if cell.lower() in _MISSING)
            told = f"label {self.names[place]!r} is {cells[k]!r} among numbers; drop that line, or write a class there"
            raise self.fault(self.lines[k], told)
        return cells

    def fault(self, line: int, told: str) -> UnreadableFile:
        """Return the error that names a line."""
        return UnreadableFile(f"line {line} of {self.origin}: {told}")

    def _number(self, cell: str, place: int, line: int) -> float:
        column = f"column {self.names[place]!r}"
        if not self.syntax.is_number(cell):
            what = "empty" if cell.lower() in _EMPTY else f"{cell!r}, not a finite number"
            cure = "fix or drop that line"
            if all(_is_text(other, self.syntax) for other in self.column(place)):
                cure += ", choose other columns=, or say words=True if these words are the symbols"
            raise self.fault(line, f"{column} is {what}; {self.syntax.cure(cell) or cure}")
        value = float(cell.replace(",", "."))
        if not abs(value) < float("inf"):
            raise self.fault(line, f"{column} is {cell!r}, not a finite number; fix or drop that line")
        if abs(value) >= _EXACT and cell.lstrip("+-").isdigit() and int(value) != _integer(cell):
            raise self.fault(
                line, f"{column} is {cell}, which a float of 53 bits cannot hold; say words=True if it is a name"
            )
        return value


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) < 400 else None  # longer ones are infinite as floats


class Syntax(NamedTuple):
    """How cells are separated and numbers written.

    Attributes
    ----------
    delimiter : str
        One character; a blank stands for any number of blanks.
    decimal : str
        ``"."`` or ``","``.
    """

    delimiter: str
    decimal: str

    @classmethod
    def stated(cls, delimiter: Any, decimal: Any, name: str) -> Syntax:
        """Return what the user states, or what goes with the name of the file.

        Raises
        ------
        InvalidInput
            If it cannot be.
        """
        if not isinstance(decimal, str) or decimal not in (".", ","):
            raise InvalidInput(f"decimal is {decimal!r}; give '.' or ','")
        if delimiter is None:
            delimiter = "\t" if name.lower().endswith((".tsv", ".tab", ".txt")) else ";" if decimal == "," else ","
        if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise InvalidInput(f"delimiter is {delimiter!r}; give one character, other than a quote or a line's end")
        if delimiter == decimal or delimiter.isalnum():
            raise InvalidInput(f"delimiter is {delimiter!r}, which numbers or words hold (decimal={decimal!r})")
        return cls(delimiter, decimal)

    def is_number(self, cell: str) -> bool:
        """Whether a cell is a number as these files write them: digits, a decimal mark, an exponent."""
        return bool(_NUMBER[self.decimal].fullmatch(cell))

    def cure(self, cell: str) -> str:
        """Return what would make numbers of a cell that is none, empty if nothing obvious does."""
        if self.is_number(cell):
            return ""
        other = Syntax(self.delimiter, "," if self.decimal == "." else ".")
        if other.decimal in cell and other.is_number(cell):
            mark = "comma" if other.decimal == "," else "point"
            return f"if that is a decimal {mark}, say decimal={other.decimal!r} (and delimiter=, if it is another)"
        for mark, called in _SEPARATORS.items():
            parts = cell.split(mark)
            if mark != self.delimiter and len(parts) > 1 and all(self._any_number(part.strip()) for part in parts):
                return f"its cells seem to be separated by {called}: say delimiter={mark!r}{self._comma(cell, mark)}"
        return ""

    def _comma(self, cell: str, mark: str) -> str:
        return " and decimal=','" if mark != "," and "," in cell else ""

    def _any_number(self, part: str) -> bool:
        return not part or self.is_number(part) or Syntax(self.delimiter, ",").is_number(part)


def read_table(
    path: Any, *, delimiter: str | None, decimal: str, header: bool | None, named: Iterable[str] = ()
) -> Table:
    """Return the lines of a table that are not blank.

    Parameters
    ----------
    path : path-like or file
        UTF-8 text; ``"-"`` is standard input.
    delimiter : str or None
        What separates the cells, by default what goes with the name of the file.
    decimal : str
    header : bool or None
        Whether the first line names the columns; None to see by the cells.
    named : iterable of str
        Columns that are called by name, so that there must be names.

    Raises
    ------
    UnreadableFile
        If the file is missing or not such a table, lines differ in length, or it cannot be seen what line 1 is.
    InvalidInput
        If the syntax makes no sense.
    """
    content, origin = _content(path)
    syntax = Syntax.stated(delimiter, decimal, origin)
    if header is not None:
        header = options.switch(header, "header")  # 0 is none: to pandas it means that line 0 is the header
    numbered = _lines(content, origin, syntax)
    if not numbered:
        raise UnreadableFile(f"{origin} has 0 lines with content; it needs a header and at least one sample")
    first = [cell.strip() for cell in numbered[0][1]]
    for line, row in numbered[1:]:
        if len(row) != len(first):
            fault = f"line {line} of {origin} has {len(row)} cells for {len(first)} columns"
            raise UnreadableFile(f"{fault}; {_cure_of_lengths(numbered, syntax)}")
    if header is None:
        header = any(not name.isdigit() for name in named) or _seems_header(first, numbered, origin, syntax)
    if header and len(numbered) < 2:
        raise UnreadableFile(f"{origin} has 1 lines with content; it needs a header and at least one sample")
    names = _names(first, origin) if header else [str(k) for k in range(len(first))]
    below = numbered[1:] if header else numbered
    return Table(origin, bool(header), names, [line for line, _ in below], [row for _, row in below], syntax)


def _content(path: Any) -> tuple[str, str]:
    """Return the text of a file or stream, and what to call it."""
    is_stream = hasattr(path, "read")
    origin = str(getattr(path, "name", "the stream") if is_stream else path)
    try:
        if is_stream:
            content = path.read()
        elif isinstance(path, str) and path == "-":
            origin, content = "standard input", sys.stdin.buffer.read()
        else:
            content = options.path(path).read_bytes()
    except UnicodeDecodeError as error:  # a text stream decodes while it reads
        raise UnreadableFile(f"{origin} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except InvalidInput:
        raise
    except (OSError, ValueError) as error:
        raise unreadable(origin, error) from error
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else str(content).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{origin} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    if "\0" in text:
        raise UnreadableFile(f"{origin} is not UTF-8 text (it holds zero bytes); save it as UTF-8")
    return text, origin


def _lines(content: str, origin: str, syntax: Syntax) -> list[tuple[int, list[str]]]:
    """Return number and cells of the lines that are not blank."""
    longest = csv.field_size_limit(_LONGEST)
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=syntax.delimiter, strict=True)
        numbered = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UnreadableFile(
            f"{origin} is not a CSV file ({error}); check its quotes and delimiter={syntax.delimiter!r}"
        ) from error
    finally:
        csv.field_size_limit(longest)
    if syntax.delimiter == " ":  # any number of blanks, before the first cell too
        numbered = [(line, [cell for cell in row if cell.strip()]) for line, row in numbered]
    return [(line, row) for line, row in numbered if len(row) > 1 or any(cell.strip() for cell in row)]


def _names(first: list[str], origin: str) -> list[str]:
    names = [first[0].removeprefix("#").lstrip(), *first[1:]]  # numpy.savetxt writes "# x,y"
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise UnreadableFile(f"{origin} has more than one column called {repeated[0]!r}; give columns distinct names")
    return names


def _seems_header(first: list[str], numbered: list[tuple[int, list[str]]], origin: str, syntax: Syntax) -> bool:
    """Return whether line 1 names the columns, or raise where it may as well be a sample.

    A text above nothing but numbers is a name. A number with a decimal mark is none. Anything else can be either:
    pandas writes integers for columns without names, and 1,5 may be one number with a decimal comma.
    """
    below = [[cell.strip() for cell in column] for column in zip(*(row for _, row in numbered[1:]), strict=True)]
    below = below or [[] for _ in first]
    is_named = any(
        _is_text(cell, syntax) and not any(_is_text(other, syntax) for other in column)
        for cell, column in zip(first, below, strict=True)
    )
    is_sample = any(syntax.is_number(cell) and syntax.decimal in cell for cell in first)
    if is_named != is_sample:
        return is_named
    shown = syntax.delimiter.join(first)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    cells = [*first, *(column[0] for column in below if column)]
    cure = next(filter(None, map(syntax.cure, cells)), "")
    raise UnreadableFile(
        f"line 1 of {origin}, {shown!r}, may name the columns or be the first sample; say header=True or header=False"
        + (f"; {cure}" if cure else "")
    )


def _is_text(cell: str, syntax: Syntax) -> bool:
    return cell.lower() not in _MISSING and not syntax.is_number(cell)


def _cure_of_lengths(numbered: list[tuple[int, list[str]]], syntax: Syntax) -> str:
    """Return what may explain that lines differ in length."""
    rows = [row for _, row in numbered[:_LOOKED_AT]]
    texts = [syntax.delimiter.join(row) for row in rows]
    for mark, called in _SEPARATORS.items():
        lengths = {len(text.split(mark)) for text in texts}
        if mark != syntax.delimiter and len(lengths) == 1 and lengths != {1}:
            return f"cells seem to be separated by {called}: say delimiter={mark!r}" + (
                " and decimal=','" if syntax.delimiter == "," else ""
            )
    if syntax.delimiter == "," and all(len(row) == 2 * len(rows[0]) for row in rows[1:]):
        return (
            "if its numbers have a decimal comma, say decimal=',' and the delimiter between cells "
            "(delimiter=';' if there is one column)"
        )
    return "fix that line"


def unreadable(path: str | os.PathLike[str], error: Exception) -> UnreadableFile:
    """Return the error for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFile(f"{path} does not exist; check the path (the current folder is {Path.cwd()})")
    reason = getattr(error, "strerror", None) or error
    return UnreadableFile(f"{path} cannot be read ({reason}); check that it is a file you may open")
