"""The commands' entry: global options, errors in one line, exit codes. A command's module is imported when it is
called.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click

from executor import __version__
from executor.cli.exits import MEANINGS, Exit, of
from executor.cli.printing.output import json_line, note
from executor.cli.session import Session, as_json
from executor.cli.shells import PROGRAM
from executor.config import DEFAULT_PATH
from executor.errors import ExecutorError, Failure, reason

PACKAGES: Final = MappingProxyType(
    {
        "pods": {
            "ps": "List the pods of this node.",
            "inspect": "Show everything about pods.",
            "describe": "Show a pod for people: what it is, its state, what happened.",
            "logs": "Print what a pod's container wrote.",
            "exec": "Run a command in a pod's container.",
            "top": "Show what classes and pods use now.",
            "stats": "Show what pods use now, one line each.",
            "kill": "End pods, or send a signal to their containers.",
            "rm": "Remove the records and logs of pods that have ended.",
        },
        "history": {
            "why": "Show what happened to a task, also after its executor's end.",
            "events": "Show what the executor did, and follow it.",
        },
        "revocation": {
            "revoke": "Take revocable resources back, and spare regular pods.",
            "rehearse": "Show what a revocation would do and how long it takes; ends nothing.",
            "report": "Write a revocation as a page: timeline, victims, proof.",
        },
        "lending": {
            "lend": "Offer the unused resources of this node's owners as revocable, until SIGTERM.",
            "lending": "Show what this node offers, who borrowed it, and what was returned.",
        },
        "node": {
            "doctor": "Check that this node can run pods.",
            "gc": "Release what dead executors left on this node.",
            "images": "List, pull, import and remove the images of this node.",
            "dns": "Serve, keep and list the names of pods and Mesos tasks.",
            "metrics": "Print the metrics for Prometheus, or write them as a textfile.",
            "serve": "Show this node's pods and revocations to a browser on this machine.",
            "log-level": "Show or change what the executor logs.",
            "check-config": "Check the configuration and print what is in force.",
            "completion": "Print the script of a shell's completion.",
            "version": "Print the version.",
        },
        "launch": {
            "run": "Run the pods of a file on the cluster, and stay until they have ended.",
            "validate": "Check a TaskInfo, an ExecutorInfo or a pod before it is launched.",
            "task": "Print the TaskInfos of the pods and workloads in a file.",
            "executor-info": "Print an ExecutorInfo for this executor.",
            "launcher-dir": "Make the agent's directory of programs, with this as its default executor.",
        },
    }
)
"""The packages of commands below this one, and what each command does, in one line."""
COMMANDS: Final = MappingProxyType({name: text for package in PACKAGES.values() for name, text in package.items()})
_TITLES: Final = MappingProxyType(
    {
        "pods": "Pods",
        "history": "What happened",
        "revocation": "Revocation",
        "lending": "Lending",
        "node": "This node",
        "launch": "Launching",
    }
)
_EXITS: Final = "\n".join(["\b", "Exit codes:", *(f"{code:>5}  {meaning}" for code, meaning in MEANINGS.items())])


_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What goes wrong with output that is redirected into a file."""


class _Commands(click.Group):
    """Knows each command by name; `executor.cli.<package>.<name>` defines it as `command`."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        package = next((each for each, commands in PACKAGES.items() if name in commands), None)
        if package is None:
            return None
        module = importlib.import_module(f"executor.cli.{package}.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def invoke(self, context: click.Context) -> Any:
        try:
            result = super().invoke(context)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of our output has seen enough
            _discard_output()
            return Exit.OK
        except OSError as error:
            if error.errno not in _DISK:
                raise
            _discard_output()
            hint = "make room, or write somewhere else"
            raise Failure(f"cannot be written: {reason(error)}", subject="standard output", hint=hint) from error
        except ExecutorError as error:
            if as_json(context):
                json_line({"error": {"message": error.message, "subject": error.subject, "hint": error.hint}})
            raise
        return result

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        for package, commands in PACKAGES.items():
            with formatter.section(_TITLES[package]):
                formatter.write_dl(list(commands.items()))


_BEFORE: Final = ("--executor", "--config", "--run-dir")
"""Options of the program, which kubectl's users write behind the command."""
_HABITS: Final = MappingProxyType(
    {
        ("rm", "-f"): "rm never asks, and removes ended pods only; `kill POD` ends one that runs",
        ("rm", "--force"): "rm never asks, and removes ended pods only; `kill POD` ends one that runs",
        ("events", "-p"): "--pod POD for one pod, --level LEVEL for a level and above",
    }
)
"""What to type for an option that other programs have, and that would have two meanings here."""


def _discard_output() -> None:
    """So that Python does not try to flush the rest at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_streams() -> None:
    """Python has none in the place of one that its caller has closed. One that lacks letters, as in a locale of
    ISO 8859, gets a question mark for each: the name of one pod ends no command.
    """
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 # as long as the process
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _executor_ids(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    from executor.cli.complete import executor_ids

    return executor_ids(context, parameter, incomplete)


@click.group(
    cls=_Commands,
    epilog=_EXITS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="Runs pods on a Mesos agent. Without a command, and started by an agent (MESOS_* set), it is the executor.",
)
@click.option(
    "--executor",
    default="",
    metavar="ID",
    help="One executor, by its ExecutorID, its container id, or the beginning of one of them.",
    shell_complete=_executor_ids,
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.option("--config", default="", metavar="FILE", help=f"The configuration file (default: {DEFAULT_PATH}).")
@click.option("--run-dir", default="", metavar="DIR", help="Where control sockets are (default: node.run_dir).")
@click.pass_context
def root(context: click.Context, executor: str, run_dir: str, config: str) -> None:
    """The options before a command."""
    context.obj = Session(executor, run_dir, config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    _open_streams()
    line = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = root.main(line, PROGRAM, standalone_mode=False)
        return code if isinstance(code, int) else Exit.OK
    except ExecutorError as error:
        note(str(error))
        return of(error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return Exit.OK
    except click.ClickException as error:
        hint = _hint(error)
        if _wants_json(line):
            json_line({"error": {"message": error.format_message(), "subject": "", "hint": hint}})
        note(f"{error.format_message()} ({hint})")
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED


def _hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption):
        if error.option_name in _BEFORE:
            return f"it stands before the command: {PROGRAM} {error.option_name} ..."
        if context and (habit := _HABITS.get((context.info_name, error.option_name))):
            return habit
    return f"see {context.command_path if context else PROGRAM} --help"


def _wants_json(line: Sequence[str]) -> bool:
    """For a line that is too wrong to be read; what is behind the dashes is the pod's command's own."""
    return "--json" in (line[: line.index("--")] if "--" in line else line)
