"""`logs`: what containers wrote, read from the files that the executor names, or that a dead one left.

The two streams are files of their own, so their order against each other is known to the second only: all of stdout
comes before all of stderr, except for what arrives while following.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from executor.cli import complete, moments
from executor.cli.executors.client import Client, segment
from executor.cli.exits import Unreachable
from executor.cli.pods import lookup
from executor.cli.pods.logfile import LogFile, Part
from executor.cli.printing import output
from executor.cli.printing.written import Written, written
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound
from executor.output import times
from executor.output.endedlogs import reading
from executor.own_directory import OwnDirectory

Document = dict[str, Any]
_POLL_S: Final = 0.2
_CHECKS_EVERY: Final = 5  # polls between two questions whether the containers still run


@click.command("logs")
@click.argument("pod", shell_complete=complete.all_pods)
@click.argument("container", default="", shell_complete=complete.containers)
@click.option("-c", "--container", "named", default="", metavar="NAME", shell_complete=complete.containers,
              help="The container, as the argument.")  # fmt: skip
@click.option("--all-containers", is_flag=True, help="Every container, init containers too; each line is named.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the container has ended for good, over restarts.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="Only the last N lines of each stream.")
@click.option("-a", "--all", "everything", is_flag=True, help="Begin with the older files that rotation has kept.")
@click.option("--since", type=moments.MOMENT, help="Only what was written since 10m ago, or since a time.")
@click.option("--until", type=moments.MOMENT, help="Only what was written until 10m ago, or until a time.")
@click.option("-p", "--previous", is_flag=True, help="What the run before the present or last one wrote.")
@click.option("-t", "--timestamps", is_flag=True, help="Begin each line with its time, to the second.")
@click.option("--raw", is_flag=True, help="Print on a terminal what was written as it is, colours and all.")
@click.option("--stream", type=click.Choice(["all", "stdout", "stderr"]), default="all", show_default=True)
@json_option
@pass_session
def command(session: Session, /, pod: str, container: str, *, follow: bool, as_json: bool, **options: Any) -> None:
    """Print what a pod's CONTAINER wrote; without a name the one that is
    neither an init container nor a sidecar.

    POD is a task id, a pod's id or its beginning, or a name; also of a pod whose executor is dead or has ended, as long
    as its Mesos sandbox is there. All runs of a container write to one log. Where a log is older than its index of
    times, --since shows it from its beginning. A terminal gets text only: no colours, and nothing that could steer it.
    """
    if container and options["named"] and container != options["named"]:
        raise click.UsageError(f"which container: {container} or {options['named']}?")
    name = container or options["named"]
    if name and options["all_containers"]:
        raise click.UsageError("--all-containers contradicts the name of a container")
    if follow and (options["previous"] or options["until"] is not None):
        raise click.UsageError("--follow goes on, and contradicts --previous and --until")
    client, document = lookup.find_known(session, pod)
    chosen = document["containers"] if options["all_containers"] else [lookup.container(document, name)]
    if reason := document.get("logs_removed"):
        hint = "see [retention] in check-config"
        message = f"its log files were removed after its end, by the limit on {reason}"
        raise NotFound(message, subject=f"{document['pod']}/{chosen[0]['name']}", hint=hint)
    printed = written(raw=options["raw"])
    shown = _Shown(printed, as_json=as_json, named=options["all_containers"], timed=options["timestamps"])
    part = _part(options)
    with ExitStack() as stack:
        logs = list(_opened(stack, document, chosen, options["stream"]))
        for log in logs:
            shown.show(log, log.file.begin(part), last=not follow)
        if follow and client is not None:
            _follow(shown, logs, lambda: _runs(session, client, document["pod"], [each["name"] for each in chosen]))


def _part(options: dict[str, Any]) -> Part:
    return Part(options["tail"], options["everything"], options["since"], options["until"], options["previous"])


@dataclass(frozen=True)
class _Log:
    """One stream of one container."""

    container: str
    file: LogFile


def _opened(stack: ExitStack, document: Document, chosen: Sequence[Document], stream: str) -> Iterator[_Log]:
    """Those that have files. Raises NotFound if there is none."""
    streams = ("stdout", "stderr") if stream == "all" else (stream,)
    found = [
        (each["name"], name, Path(path))
        for each in chosen
        for name in streams
        if (path := (each.get("log") or {}).get(name))
    ]
    if not found:
        subject = "/".join([document["pod"], *(each["name"] for each in chosen[:1])])
        hint = f"see its state: mesos-pod-executor inspect {document['pod']}"
        raise NotFound("has no log file yet", subject=subject, hint=hint)
    stack.enter_context(reading(OwnDirectory.at(str(found[0][2].parent))))
    for container, name, path in found:
        yield _Log(container, stack.enter_context(closing(LogFile(name, path))))


def _follow(shown: _Shown, logs: Sequence[_Log], runs: Callable[[], bool]) -> None:
    polls, running = 0, True
    while running:
        time.sleep(_POLL_S)
        polls += 1
        if polls % _CHECKS_EVERY == 0:
            running = runs()
        for log in logs:
            shown.show(log, log.file.more(), last=not running)


def _runs(session: Session, client: Client, pod: str, containers: Sequence[str]) -> bool:
    """Or may be started again."""
    try:
        document = client.get(f"/v1/pods/{segment(pod)}")
    except NotFound:
        return False
    except Unreachable as error:
        document = lookup.wait_ended(session, pod, error)
    if document["state"] == "ended":
        return False
    return any(each["name"] in containers and each["state"] != "exited" for each in document["containers"])


class _Shown:
    """How output is printed: as it is, or line by line with what is known of each."""

    def __init__(self, printed: Mapping[str, Written], *, as_json: bool, named: bool, timed: bool) -> None:
        self._printed, self._as_json, self._named, self._timed = printed, as_json, named, timed

    def show(self, log: _Log, blocks: Iterator[bytes], *, last: bool) -> None:
        """What was read; `last`: nothing comes after it."""
        if self._as_json or self._named or self._timed:
            self._lines(log, blocks, last=last)
        else:
            printed = self._printed[log.file.name]
            for block in log.file.text(blocks, last=last):
                printed.block(block)
            if last:
                printed.end()
        if missed_bytes := log.file.missed():
            note = f"{missed_bytes} bytes of {log.file.name} are not there any more: they were rotated away"
            click.echo(note, err=True)

    def _lines(self, log: _Log, blocks: Iterator[bytes], *, last: bool) -> None:
        entries: list[times.Entry] | None = None
        for place, line in log.file.lines(blocks, last=last):
            if entries is None:
                entries = log.file.times()
            self._line(log, line.decode(errors="replace"), times.at(entries, place))

    def _line(self, log: _Log, line: str, at_s: float | None) -> None:
        time = None if at_s is None else moments.shown(at_s)
        if self._as_json:
            document = {"container": log.container, "stream": log.file.name, "line": line}
            output.json_line(document | ({"time": time} if time else {}))
            return
        named = f"[{output.clean(log.container)}] " if self._named else ""
        timed = f"{time or '-':<20} " if self._timed else ""
        self._printed[log.file.name].line(f"{named}{timed}", line)
