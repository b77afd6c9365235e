"""How commands print: tables by rich on a terminal, plain aligned columns otherwise, JSON when asked.

Names, labels and messages come from frameworks; what could steer a terminal is replaced before it is printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

Row = Sequence[object]


def clean(value: object) -> str:
    """A value as one line of printable text; `-` for none."""
    if value is None or value in ("", [], ()):
        return "-"
    if isinstance(value, list | tuple):
        return ",".join(clean(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(value))


def json_document(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def json_line(document: object) -> None:
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Something beside the result, on stderr."""
    sys.stderr.write(f"mesos-pod-executor: {clean(text)}\n")


def table(columns: Sequence[str], rows: Iterable[Row]) -> None:
    cells = [[clean(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, cells)
    else:
        _plain_table(columns, cells)


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """One object: a name and a value a line."""
    cells = [(name, clean(value)) for name, value in pairs]
    width = max((len(name) for name, _ in cells), default=0)
    for name, value in cells:
        line(f"{name:<{width}}  {value}")


def age(seconds: float | None) -> str:
    """As kubectl shows it: the two largest units."""
    if seconds is None:
        return "-"
    parts: list[str] = []
    rest = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def mebibytes(size_bytes: float) -> str:
    return f"{size_bytes / (1 << 20):.0f} MiB"


def _plain_table(columns: Sequence[str], cells: list[list[str]]) -> None:
    rows = [[column.upper() for column in columns], *cells]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    for row in rows:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _rich_table(columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*(column.upper() for column in columns), box=SIMPLE_HEAD, pad_edge=False)
    for row in cells:
        shown.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout)
    # A name that is cut or folded cannot be copied: where the terminal is too narrow, its own wrapping does less harm.
    needed = console.measure(shown, options=console.options.update(width=10_000)).maximum
    Console(file=sys.stdout, width=max(needed, console.width)).print(shown)
