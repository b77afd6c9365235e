"""Every command that a document, an alert or an event's advice tells a person to type is one that parses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from executor.cli.main import COMMANDS, root
from executor.cli.shells import PROGRAM
from executor.log.codes import CODES
from tests.support.sources import ROOT

DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "packaging/doc").glob("*.md")), ROOT / ".github/CONTRIBUTING.md")
RULES = ROOT / "packaging/prometheus/mesos-pod-executor.rules.yml"


def typed(text: str) -> Iterator[str]:
    """Spans and lines of code that begin with the program, and spans with a command's name and more words. What is in
    brackets, or goes on after a semicolon or a pipe, is not the command's.
    """
    spans = re.findall(r"`([^`\n]+)`", text)
    lines = [
        line.partition("#")[0] for block in re.findall(r"```\n(.*?)```", text, re.S) for line in block.splitlines()
    ]
    for code in (*spans, *(re.split(r"\s{3,}", line.strip())[0] for line in lines)):
        words = re.split(r"[;|]| > ", code)[0].strip()
        for start in (f"{PROGRAM} ", ""):
            rest = words.removeprefix(start)
            if (
                words.startswith(start)
                and rest.split()[:1]
                and rest.split()[0] in COMMANDS
                and " " in rest
                and rest.isascii()
            ):
                yield rest
                break


def parsed(line: str) -> str:
    """Why it cannot be read; empty if it can."""
    name, *arguments = shlex.split(line)
    command = root.get_command(click.Context(root), name)
    assert command is not None
    try:
        if isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
            inner = command.get_command(click.Context(command), arguments[0])
            if inner is None:
                return f"{name} has no {arguments[0]}"
            command, arguments = inner, arguments[1:]
        command.make_context(name, arguments, parent=click.Context(root))
    except click.MissingParameter:  # the command is spoken of, without its arguments
        return ""
    except click.BadOptionUsage as error:
        return "" if "requires an argument" in error.message else error.format_message()
    except click.ClickException as error:
        return error.format_message()
    except click.exceptions.Exit:
        return ""
    return ""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_documents(path: Path) -> None:
    found = {line: parsed(line) for line in typed(path.read_text())}
    assert {line: error for line, error in found.items() if error} == {}


def test_commands_of_alerts_and_advice() -> None:
    advice = "\n".join(code.action for code in CODES.values())
    lines = [*typed(RULES.read_text()), *typed(advice)]
    assert len(lines) > 15
    assert {line: error for line in lines if (error := parsed(line))} == {}


def test_the_reader_finds_what_is_typed() -> None:
    text = (
        "`ps -a` and `mesos-pod-executor why TASK`, `ps`\n```\nmesos-pod-executor logs POD -f    what it writes\n```\n"
    )
    assert list(typed(text)) == ["ps -a", "why TASK", "logs POD -f"]
    assert "No such option" in parsed("ps --nothing") and parsed("ps -a") == ""
