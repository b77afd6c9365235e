"""What every command of one run shares: which executors are meant, and the options that all commands have."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from executor import config
from executor.cli.executors.client import Client, clients
from executor.cli.executors.look import Executor, State, dead_line, look, meant
from executor.cli.printing.output import note
from executor.errors import NotFound

F = TypeVar("F", bound=Callable[..., Any])
_AS_JSON: Final = f"{__name__}.as_json"


@dataclass(frozen=True)
class Session:
    """`executor` is an ExecutorID or its beginning, or the beginning of the id of an executor's container; empty for
    any.
    """

    executor: str
    run_dir_option: str
    config_option: str = ""
    _told: set[str] = field(default_factory=set)
    """The executors that were named on stderr."""

    @property
    def run_dir(self) -> Path:
        """Where the control sockets are. Raises InvalidConfig."""
        return Path(self.run_dir_option or self.configuration().node.run_dir)

    def configuration(self) -> config.Config:
        """What is in force for a command: --config, variables, the default file. Raises InvalidConfig."""
        return config.read(os.environ, Path(self.config_option) if self.config_option else None)

    def meant(self, executor_ids: Mapping[str, str]) -> frozenset[str]:
        """Which of these containers, each with its ExecutorID, --executor means; without it all."""
        return meant(executor_ids, self.executor)

    def everyone(self) -> list[Executor]:
        """Every executor that has a control socket, in any state."""
        return look(self.run_dir)

    def has_socket(self, container: str) -> bool:
        """Whether a control socket of this Mesos container is there, answered or not."""
        return any(each.id == container for each in clients(self.run_dir))

    def look(self) -> list[Executor]:
        """The executors meant, in any state. Raises NotFound if one was asked for and is not there, a usage error for
        the beginning of several ExecutorIDs.
        """
        found = look(self.run_dir, self.executor)
        if self.executor and not found:
            everyone = self.everyone()
            if several := [each.title for each in everyone if each.names.executor_id.startswith(self.executor)]:
                raise click.UsageError(f"--executor {self.executor} means several: {', '.join(several)}")
            known = ", ".join(each.title for each in everyone) or "none"
            raise NotFound("no such executor", subject=self.executor, hint=f"{self.run_dir} has: {known}")
        return found

    def all(self) -> list[Client]:
        """The executors meant that answer. Others are named on stderr: dead ones, and those that hang.

        Raises NotFound if one was asked for and is not there, Unreachable where executors live and none answers.
        """
        found = self.look()
        answering = [each.client for each in found if each.state is State.ANSWERS]
        self._tell(found, last=not answering)
        silent = [each.error for each in found if each.error is not None]
        if silent and not answering:
            raise silent[0]
        return answering

    def answering(self) -> list[Client]:
        """As `all`, for a look that is repeated: where none answers there is nothing to see, which is not an error."""
        found = self.look()
        self._tell(found, last=False)
        return [each.client for each in found if each.state is State.ANSWERS]

    def _tell(self, found: Sequence[Executor], *, last: bool) -> None:
        """Once in the life of this process. The caller that raises an error reports it."""
        new = [each for each in found if each.state is not State.ANSWERS and each.id not in self._told]
        self._told.update(each.id for each in new)
        if dead := [each for each in new if each.state is State.DEAD]:
            note(dead_line(dead))
        for each in new:
            if each.state is not State.DEAD and not last:
                note(f"left out: {each.error}")

    def some(self) -> list[Client]:
        """The executors meant, of which there is one at least. Raises NotFound, Unreachable."""
        found = self.all()
        if not found:
            hint = (
                "Mesos starts one with the first launch; ps --all, why, describe and logs know pods of ended ones;"
                " else check --run-dir"
            )
            raise NotFound("no executor runs on this node", subject=str(self.run_dir), hint=hint)
        return found

    def one(self) -> Client:
        """The only executor meant; a usage error if there are several."""
        found = [each for each in self.look() if each.state is not State.DEAD]
        if len(found) > 1:
            named = ", ".join(each.title for each in found)
            raise click.UsageError(f"{len(found)} executors run on this node; choose one by --executor: {named}")
        return self.some()[0]


class Subcommands(click.Group):
    """Commands of a command."""

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each one with its whole first sentence, which click cuts at some 45 letters."""
        with formatter.section("Commands"):
            rows = [(name, each.get_short_help_str(limit=200)) for name, each in sorted(self.commands.items())]
            formatter.write_dl(rows)


pass_session = click.make_pass_decorator(Session)


def json_option(command: F) -> F:
    """The option --json, for a command."""
    return click.option("--json", "as_json", is_flag=True, callback=_remember, help="Print JSON.")(command)


def _remember(context: click.Context, _: click.Parameter, chosen: Any) -> Any:
    if chosen:
        print_json(context)
    return chosen


def print_json(context: click.Context) -> None:
    """Note that the command called in this context is to print JSON, its errors too."""
    context.meta[_AS_JSON] = True


def as_json(context: click.Context) -> bool:
    """Whether the command that was called in this context is to print JSON."""
    return bool(context.meta.get(_AS_JSON))
