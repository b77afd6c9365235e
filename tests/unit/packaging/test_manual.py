"""Man pages: text of any kind survives roff, every command and option is told, every example is one that parses."""

from __future__ import annotations

import shlex
import tomllib

import click
import pytest
from assembly.manual import CONFIG_PAGE, EXAMPLES, pages
from assembly.roff import Item, Literal, Page, Section, Text, bold, italic, marked, render

from executor import config
from executor.cli.main import COMMANDS, root
from executor.cli.shells import PROGRAM
from executor.config.values import variable

PAGES = {page.name: page for page in pages()}


def rendered(name: str) -> str:
    return render(PAGES[name], version="1", date="2020-01-01")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (".SH is a request", r"\&.SH is a request"),
        ("'quoted'", r"\&'quoted'"),
        (r"a\b", r"a\eb"),
        ("--json", r"\-\-json"),
        ("~/.x ^", r"\(ti/.x \(ha"),
        ("see `ps --json` and *", r"see \fBps \-\-json\fR and *"),
        (bold("-f") + ", " + italic("FILE"), r"\fB\-f\fR, \fIFILE\fR"),
    ],
)
def test_text_is_not_taken_for_roff(text: str, source: str) -> None:
    assert marked(text) == source


def test_blocks() -> None:
    blocks = (Text("a"), Item("b", "c\nd"), Literal(("e", ".f")))
    page = Page("name", 1, "brief", (Section('A "B"', blocks),))
    body = render(page, version="1", date="2020-01-01").partition(".SH NAME\n")[2]
    expected = ["name \\- brief", '.SH "A \\(dqB\\(dq"', ".PP", "a", ".TP", "b", "c", ".br", "d"]
    assert body.splitlines() == [*expected, ".PP", ".RS 4", ".nf", "e", "\\&.f", ".fi", ".RE"]


def test_there_is_a_page_for_everything() -> None:
    assert set(PAGES) == {PROGRAM, CONFIG_PAGE, *(f"{PROGRAM}-{name}" for name in COMMANDS)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_told(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    text = rendered(f"{PROGRAM}-{name}").replace("\\", "")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert all(f"fB{option}fR" in text for option in parameter.opts)


def test_every_key_and_its_variable_is_told() -> None:
    text = rendered(CONFIG_PAGE).replace("\\-", "-")
    for name, cls in config.sections().items():
        assert f'.SH "[{name}]"' in text
        for key in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            assert rf"\fB{key}\fR = " in text
            assert variable(name, key) in text


@pytest.mark.parametrize(
    ("name", "line"), [(name, line) for name, lines in tomllib.loads(EXAMPLES.read_text()).items() for line in lines]
)
def test_every_example_parses(name: str, line: str) -> None:
    """Options and arguments are looked at, nothing is carried out."""
    words = shlex.split(line)
    called, *arguments = words[words.index(PROGRAM) + 1 :]
    assert called == name
    command = root.get_command(click.Context(root), name)
    assert command is not None
    command.make_context(name, arguments, parent=click.Context(root))
