"""`launcher-dir`: the directory for an agent's --launcher_dir in which this program is Mesos' default executor.

The agent starts all of its helper programs from that directory, so each of them has a link there. The command
refuses a directory that has anything but links, and leaves it as it is.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from executor.cli.printing import output
from executor.cli.session import json_option
from executor.errors import Failure, NotFound, Refused, reason

DEFAULT_EXECUTOR: Final = "mesos-default-executor"
NEEDED: Final = "mesos-containerizer"
"""An agent starts no container without it."""


@dataclass(frozen=True)
class Plan:
    """Links by name, and the names of links that go."""

    links: dict[str, str]
    stale: tuple[str, ...]


@click.command("launcher-dir")
@click.option("--from", "source", required=True, metavar="DIR", help="Mesos' own, such as /usr/libexec/mesos.")
@click.option("--command", "program", default="/usr/bin/mesos-pod-executor", show_default=True)
@click.argument("directory", metavar="DIR")
@json_option
def command(*, source: str, program: str, directory: str, as_json: bool) -> None:
    """Make the directory that an agent's --launcher_dir names, with this program as Mesos' default executor.

    All of Mesos' own programs are linked there. Run it again after an upgrade of Mesos: what has gone is unlinked.
    """
    target = Path(os.path.abspath(directory))  # noqa: PTH100 # links are as they were written
    made, removed = make(Path(os.path.abspath(source)), target, Path(program))  # noqa: PTH100
    if as_json:
        output.json_document({"directory": str(target), "links": made, "removed": list(removed)})
        return
    output.table(("link", "target"), tuple(made.items()))
    for name in removed:
        output.note(f"{name} was removed: Mesos has no such program any more")
    output.note(f"start the agent with --launcher_dir={target}")


def make(source: Path, directory: Path, program: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """The links as they are now, and the names of those removed. Raises NotFound, Refused, Failure."""
    if not os.access(program, os.X_OK) or not program.is_absolute():
        raise NotFound("is not a program that can be started", subject=str(program), hint="name it with --command")
    try:
        plan = planned(source, directory, program)
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name in plan.stale:
            (directory / name).unlink()
        for name, target in plan.links.items():
            _link(directory / name, target)
    except OSError as error:
        raise Failure(reason(error), subject=str(error.filename or directory), hint="run it as root") from error
    return plan.links, plan.stale


def planned(source: Path, directory: Path, program: Path) -> Plan:
    """The links to make and to remove; nothing is changed yet. Raises NotFound, Refused, OSError."""
    if not (source / NEEDED).exists():
        hint = "name the directory of Mesos' programs: its own --launcher_dir, /usr/libexec/mesos in most packages"
        raise NotFound(f"has no {NEEDED}", subject=str(source), hint=hint)
    if directory.exists() and directory.samefile(source):
        raise Refused("is Mesos' own directory", subject=str(directory), hint="name another one, which is made")
    links = {each.name: str(each) for each in sorted(source.iterdir())}
    links[DEFAULT_EXECUTOR] = str(program)
    present = {each.name: each for each in directory.iterdir()} if directory.is_dir() else {}
    for name, path in present.items():
        if not path.is_symlink():
            hint = "name a directory that holds links only, or one that is to be made"
            raise Refused(f"is not a link, but {name} of another program", subject=str(path), hint=hint)
    return Plan(links, tuple(sorted(present.keys() - links.keys())))


def _link(path: Path, target: str) -> None:
    """In one step: an agent may start the program meanwhile."""
    if path.is_symlink() and str(path.readlink()) == target:
        return
    fresh = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(target)
    fresh.replace(path)
