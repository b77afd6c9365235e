"""A man page as data, and as roff for man(7) macros. Pure.

Written here because no package of the field does: click-man knows commands only, docutils and pandoc want a document of
theirs in between.
Text is plain: whatever a program says about itself can be put in. `bold` and `italic` mark parts of it by characters
that no such text has; words between `backticks` become bold too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BOLD, _ITALIC, _END = "\ue000", "\ue001", "\ue002"
_FONTS = {_BOLD: r"\fB", _ITALIC: r"\fI", _END: r"\fR"}


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Item:
    """A term with what it means below it; a line break in `text` stays one."""

    term: str
    text: str


@dataclass(frozen=True)
class Literal:
    """Lines that keep their breaks."""

    lines: tuple[str, ...]


Block = Text | Item | Literal


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """`version` and `date` stand in the last line of every page."""

    name: str
    number: int
    brief: str
    sections: tuple[Section, ...]

    @property
    def file(self) -> str:
        return f"{self.name}.{self.number}"


def render(page: Page, *, version: str, date: str) -> str:
    """The page's source; NAME is written from `brief`."""
    title = f'.TH "{quoted(page.name.upper())}" "{page.number}" "{date}" "{quoted(version)}" "Mesos"'
    lines = ['.\\" Written by packaging/build; do not edit.', title, ".nh", ".ad l"]
    lines += [".SH NAME", f"{escaped(page.name)} \\- {escaped(page.brief)}"]
    for section in page.sections:
        lines += [f'.SH "{quoted(section.title)}"']
        for block in section.blocks:
            lines += _block(block)
    return "\n".join(lines) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield from (".PP", marked(text))
        case Item(term, text):
            yield from (".TP", marked(term), "\n.br\n".join(marked(line) for line in text.splitlines()))
        case Literal(lines):
            yield from (".PP", ".RS 4", ".nf", *(marked(line) for line in lines), ".fi", ".RE")


def bold(text: str) -> str:
    return f"{_BOLD}{text}{_END}"


def italic(text: str) -> str:
    return f"{_ITALIC}{text}{_END}"


def marked(text: str) -> str:
    """Escaped, with the marks as fonts. A line that begins like a request is text all the same."""
    line = escaped(re.sub(r"`([^`]+)`", lambda match: bold(match[1]), text))
    for mark, font in _FONTS.items():
        line = line.replace(mark, font)
    return rf"\&{line}" if line[:1] in (".", "'") else line


def escaped(text: str) -> str:
    """Hyphens become the ASCII ones, that a reader can copy into a shell."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")


def quoted(text: str) -> str:
    """As an argument of a macro between quotes."""
    return escaped(text).replace('"', "\\(dq")
