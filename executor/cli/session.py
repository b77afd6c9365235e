"""What every command of one run shares: which executors are meant, and the options that all commands have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from executor import config
from executor.cli.client import Client, executors, is_dead
from executor.cli.exits import Unreachable
from executor.cli.output import note
from executor.errors import ExecutorError, NotFound
from executor.node import claims as owners

F = TypeVar("F", bound=Callable[..., Any])
_AS_JSON: Final = f"{__name__}.as_json"


@dataclass(frozen=True)
class Session:
    """`executor` is an ExecutorID, or the beginning of the id of an executor's container; empty for any."""

    executor: str
    run_dir_option: str
    config_option: str = ""

    @property
    def run_dir(self) -> Path:
        return Path(self.run_dir_option or self.configuration().node.run_dir)

    def configuration(self) -> config.Config:
        """What is in force for a command: --config, variables, the default file. Raises InvalidConfig."""
        return config.read(os.environ, Path(self.config_option) if self.config_option else None)

    def all(self) -> list[Client]:
        """The executors that are alive. Raises NotFound if one was asked for and is not there."""
        found = executors(self.run_dir, self.executor) or self._named()
        alive = [client for client in found if not is_dead(client)]
        locked = owners.living(self.run_dir) if len(alive) < len(found) else frozenset()
        for client in found:
            if client not in alive:
                state = "lives but does not answer" if client.id in locked else "is dead and left its socket behind"
                note(f"executor {client.id} {state} ({client.socket})")
        if self.executor and not found:
            known = _names(executors(self.run_dir)) or "none"
            raise NotFound("no such executor", subject=self.executor, hint=f"{self.run_dir} has: {known}")
        if found and not alive:
            hint = "they have ended: mesos-pod-executor gc --dry-run shows what they left"
            raise Unreachable("no executor on this node answers", subject=str(self.run_dir), hint=hint)
        return alive

    def _named(self) -> list[Client]:
        """Those whose ExecutorID it is, as `ps` shows it; of several frameworks there may be some."""
        return [client for client in executors(self.run_dir) if self.executor and _executor_id(client) == self.executor]

    def some(self) -> list[Client]:
        """The executors meant, of which there is one at least. Raises NotFound."""
        found = self.all()
        if not found:
            hint = "Mesos starts one with the first launch; else check --run-dir"
            raise NotFound("no executor runs on this node", subject=str(self.run_dir), hint=hint)
        return found

    def one(self) -> Client:
        """The only executor meant; a usage error if there are several."""
        found = self.some()
        if len(found) > 1:
            raise click.UsageError(
                f"{len(found)} executors run on this node; choose one by --executor: {_names(found)}"
            )
        return found[0]


def _names(clients: Iterable[Client]) -> str:
    """What --executor takes, for people."""
    named = ((client.id, _executor_id(client)) for client in clients)
    return ", ".join(f"{identity} ({name})" if name else identity for identity, name in named)


def _executor_id(client: Client) -> str:
    """Empty where nobody answers."""
    try:
        return str(client.get("/v1/executor")["executor"])
    except ExecutorError:
        return ""


pass_session = click.make_pass_decorator(Session)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, callback=_remember, help="Print JSON.")(command)


def _remember(context: click.Context, _: click.Parameter, chosen: Any) -> Any:
    context.meta[_AS_JSON] = chosen
    return chosen


def as_json(context: click.Context) -> bool:
    """Whether the command that was called in this context is to print JSON."""
    return bool(context.meta.get(_AS_JSON))
