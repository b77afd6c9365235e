"""How commands print: tables for a terminal (`terminal`), plain aligned columns otherwise, JSON when asked.

Names, labels and messages come from frameworks; what could steer a terminal is replaced before it is printed.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

Row = Sequence[object]
_NOTHING: Final[tuple[object, ...]] = (None, "", [], ())


def clean(value: object) -> str:
    """A value as one line of printable text; `-` for none."""
    if value in _NOTHING:
        return "-"
    if isinstance(value, dict):
        return ",".join(f"{clean(key)}:{clean(each)}" for key, each in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ",".join(clean(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(value))


def printable(text: str) -> str:
    """A text of several lines in columns, with nothing else in it that could steer a terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)


def json_document(document: object) -> None:
    """Print a document on several lines."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def json_line(document: object) -> None:
    """Print a document on one line, at once."""
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def line(text: str) -> None:
    """Print a line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Something beside the result, on stderr."""
    sys.stderr.write(f"mesos-pod-executor: {clean(text)}\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    spare: Sequence[str] = (),
    cut: str = "",
    middle: str = "",
    headers: bool = True,
) -> None:
    """`spare`: columns that a narrow terminal does without, the first of them first; `cut`: one of sentences, which it
    cuts short; `middle`: one whose middle it leaves out rather than the last of the spare columns. Without `headers`
    every column is there, for a program reads them.
    """
    cells = cleaned(rows)
    if sys.stdout.isatty() and headers:
        from executor.cli.printing import terminal

        terminal.show(columns, cells, spare, cut, middle)
    else:
        _plain_table(columns, cells, headers=headers)


def terminal_width() -> int:
    """Columns of the terminal that standard output is; 0 where it is none."""
    if not sys.stdout.isatty():
        return 0
    from executor.cli.printing import terminal

    return terminal.console().width


def fitting(columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], cut: str) -> tuple[list[int], int]:
    """The indices of the columns that a narrow terminal has room for, and its width; all of them, and 0, where standard
    output is not a terminal.
    """
    width = terminal_width()
    if not width:
        return list(range(len(columns))), 0
    from executor.cli.printing import terminal

    return terminal.lines(columns, cells, spare, cut, width), width


def cleaned(rows: Iterable[Row]) -> list[list[str]]:
    """The cells of a table, as printable text."""
    return [[clean(value) for value in row] for row in rows]


def paragraph(text: str, *, indent: int) -> None:
    """One line; a terminal that is narrower gets several, broken between words, the later ones indented."""
    if not sys.stdout.isatty():
        line(text)
        return
    width = max(40, shutil.get_terminal_size().columns)
    line(textwrap.fill(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False))


def keys(event: Mapping[str, object], known: Collection[str]) -> str:
    """The keys of an event that say something, and are not `known` by what stands before them."""
    shown = ((key, clean(value)) for key, value in event.items() if key not in known and value not in _NOTHING)
    return " ".join(f"{key}={value}" for key, value in shown)


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """One object: a name and a value a line, of which a terminal breaks a long one between words."""
    cells = [(name, clean(value)) for name, value in pairs]
    width = max((len(name) for name, _ in cells), default=0)
    room = shutil.get_terminal_size().columns - width - 2
    for name, value in cells:
        text = f"{name:<{width}}  {value}"
        if max(map(len, value.split()), default=0) > room:  # a break before a long path only hides its name
            line(text)
        else:
            paragraph(text, indent=width + 2)


def _plain_table(columns: Sequence[str], cells: list[list[str]], *, headers: bool) -> None:
    heads = [column.upper() for column in columns]
    widths = [max(len(row[index]) for row in (heads, *cells)) for index in range(len(columns))]
    for row in (heads, *cells) if headers else cells:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
