"""Tables on a terminal; the same tables as plain text where output is piped into a file or a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PLAIN_WIDTH = 160


def console(*, stderr: bool = False) -> Console:
    """Return a console on standard output (or error), wide and without colours if that is not a terminal."""
    from rich.console import Console

    screen = Console(stderr=stderr, markup=False, highlight=False)
    return screen if screen.is_terminal else Console(stderr=stderr, markup=False, highlight=False, width=_PLAIN_WIDTH)


def table(screen: Console, title: str, *columns: str, text: int = 0) -> Table:
    """Return a table for a console; the first `text` columns hold words and are aligned to the left."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    style = box.SIMPLE_HEAD if screen.is_terminal else box.MARKDOWN
    heading = Text(title) if title else None
    made = Table(title=heading, box=style, title_justify="left", title_style="bold", header_style="bold")
    for k, column in enumerate(columns):
        made.add_column(Text(column), justify="left" if k < text else "right", no_wrap=True)
    return made
