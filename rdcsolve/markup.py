"""What notebooks show of an object: a table in HTML, every cell escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any


def html_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str] = ()) -> str:
    """Return a title, a table and notes below it as HTML.

    Parameters
    ----------
    title : str
    head : sequence of str
        What the columns are called.
    rows : sequence of sequence
        Numbers are shown to ten digits, anything else as its text.
    notes : sequence of str, optional
    """
    first = "".join(f"<th>{escape(name)}</th>" for name in head)
    first = f"<tr>{first}</tr>" if head else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    below = "".join(f"<div><small>{escape(note)}</small></div>" for note in notes)
    return f"<div><strong>{escape(title)}</strong><table>{first}{body}</table>{below}</div>"


def _text(cell: Any) -> str:
    return f"{cell:.10g}" if isinstance(cell, float) else str(cell)


def verdict_in_html(shown: object) -> str:
    """Return what prints as several lines, the first of which is a verdict, as HTML."""
    first, *rest = str(shown).splitlines()
    return html_table(first, (), (), [line.strip() for line in rest])
