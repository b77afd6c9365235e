"""Tables on a terminal, by rich: bold heads, colours of states, and no more columns than there is room for.

A name that is cut or folded cannot be copied. So where a table is too wide, columns that can be spared are left out and
named below it. Where that does not suffice, a table may name one column that loses its middle; else the terminal's own
wrapping does the least harm.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from executor.cli.printing import units

GAP: Final = 2
CUT_LETTERS: Final = 30
CUT_LEAST: Final = 16
MIDDLE_LEAST: Final = 16
_COLOURED: Final = frozenset({"state", "outcome", "level"})
_STYLES: Final = MappingProxyType(
    {
        "pass": "green", "running": "green", "exited": "green", "done": "green",
        "warn": "yellow", "warning": "yellow", "killed": "yellow", "stopping": "yellow", "destroying": "yellow",
        "fail": "bold red", "error": "bold red", "stuck": "bold red", "refused": "bold red",
    }
)  # fmt: skip


def console(width: int | None = None) -> Console:
    """Standard output, `width` columns wide, or as wide as the terminal."""
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


@contextlib.contextmanager
def quit_key() -> Iterator[Callable[[float], bool]]:
    """A wait for some seconds that ends early, with True, when q is typed; other keys do nothing. Where standard input
    is not a terminal it is a wait and no more.
    """
    if not sys.stdin.isatty():
        yield _only_wait
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda seconds: _typed(descriptor, seconds, b"q")
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _only_wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _typed(descriptor: int, seconds: float, key: bytes) -> bool:
    deadline_s = time.monotonic() + seconds
    while (left_s := deadline_s - time.monotonic()) > 0:
        readable, _, _ = select.select([descriptor], [], [], left_s)
        if readable:
            data = os.read(descriptor, 64)
            if key in data.lower() or not data:
                return True
    return False


def styled(word: str) -> Text:
    """A state or verdict in its colour; rich leaves colours out where NO_COLOR is set or the terminal has none."""
    return Text(word, style=_STYLES.get(word, ""))


def show(columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], cut: str = "", middle: str = "") -> None:
    """Print a table on the terminal; `cut` is a column of sentences, which may be cut short, and `middle` one that may
    lose its middle.
    """
    own = console()
    if middle:
        cells = without_middle(columns, cells, spare, cut, middle, own.width)
    if cut:
        cells = shortened(columns, cells, spare, cut, own.width)
    console(max(own.width, needed(columns, cells, spare, own.width))).print(table(columns, cells, spare, own.width))


def shortened(
    columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], cut: str, width: int
) -> list[list[str]]:
    """The cells with those of the column `cut` as long as there is room for. It gets CUT_LETTERS, for which `spare`
    columns go, except the last one of them; else CUT_LEAST, for which that one goes too. Pure.
    """
    place, others = list(columns).index(cut), [each for each in spare if each != cut]
    for letters, going in ((CUT_LETTERS, others[:-1]), (CUT_LEAST, others)):
        short = [[*row[:place], row[place][:letters], *row[place + 1 :]] for row in cells]
        widths, kept = _widths(columns, short), fitting(columns, short, going, width)
        room = width - sum(widths[index] + GAP for index in kept if index != place)
        if room >= letters:
            break
    return [[*row[:place], _cut(row[place], max(letters, room)), *row[place + 1 :]] for row in cells]


def lines(columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], cut: str, width: int) -> list[int]:
    """The indices of the columns of lines of which more come later; the column `cut` needs CUT_LEAST. Pure."""
    place = list(columns).index(cut)
    short = [[*row[:place], " " * CUT_LEAST, *row[place + 1 :]] for row in cells]
    return fitting(columns, short, [each for each in spare if each != cut], width)


def without_middle(
    columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], cut: str, middle: str, width: int
) -> list[list[str]]:
    """The cells with those of the column `middle` as long as there is room for beside the last of the `spare` columns,
    and MIDDLE_LEAST at least. Pure.
    """
    place, going = list(columns).index(middle), [each for each in spare if each != cut][:-1]
    names = [name for name in columns if name not in going]
    short = [
        [cell[:CUT_LEAST] if name == cut else cell for name, cell in zip(columns, row, strict=True)] for row in cells
    ]
    widths = dict(zip(columns, _widths(columns, short), strict=True))
    room = width - sum(widths[name] + GAP for name in names if name != middle)
    letters = max(MIDDLE_LEAST, room)
    return [[*row[:place], units.without_middle(row[place], letters), *row[place + 1 :]] for row in cells]


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 3]}..."


def table(columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], width: int) -> RenderableType:
    """A table with the columns that `width` has room for; those left out are named below it."""
    kept = fitting(columns, cells, spare, width)
    shown = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index in kept:
        shown.add_column(columns[index].upper(), no_wrap=True)
    for row in cells:
        shown.add_row(*(styled(row[i]) if columns[i] in _COLOURED else Text(row[i]) for i in kept))
    if len(kept) == len(columns):
        return shown
    left_out = ", ".join(columns[index] for index in range(len(columns)) if index not in kept)
    return Group(shown, Text(f"no room for: {left_out}", style="dim"))


def needed(columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], width: int) -> int:
    """The width of what `table` makes of this."""
    widths = _widths(columns, cells)
    return sum(widths[index] + GAP for index in fitting(columns, cells, spare, width))


def fitting(columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], width: int) -> list[int]:
    """The indices of the columns that `width` has room for; `spare` are left out in this order. Pure."""
    widths, kept = _widths(columns, cells), list(range(len(columns)))
    for name in spare:
        if sum(widths[index] + GAP for index in kept) - GAP <= width:
            break
        kept.remove(list(columns).index(name))
    return kept


def _widths(columns: Sequence[str], cells: list[list[str]]) -> list[int]:
    return [max(cell_len(each) for each in column) for column in zip(columns, *cells, strict=True)]
