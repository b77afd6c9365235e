"""`kill`: ends pods as a KILL of their scheduler would, or sends a signal to their containers."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, Final

import click

from executor.cli import complete
from executor.cli.executors.client import Client, segment
from executor.cli.exits import Exit, Unreachable
from executor.cli.pods import lookup
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound
from executor.spec import signals

_POLL_S: Final = 0.2
_SIGNAL: Final = re.compile(r"-([0-9]{1,2}|[A-Z][A-Z0-9+-]*)")
_WITH_VALUE: Final = frozenset({"-s", "--signal", "-c", "--container", "-t", "--grace", "--reason"})


class _Kill(click.Command):
    """Knows `-9` and `-HUP` too, as kill(1) has them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        known = [*spelt_out(args[:end]), *args[end:]]
        return super().parse_args(ctx, known)


def spelt_out(words: Sequence[str]) -> list[str]:
    """The words of a line with each signal as a value of --signal. Pure."""
    found = []
    for before, word in zip(("", *words), words, strict=False):
        match = None if before in _WITH_VALUE else _SIGNAL.fullmatch(word)
        found.append(f"--signal={match[1]}" if match else word)
    return found


def _read_signal(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return signals.name(signals.number(text))
    except ValueError as error:
        raise click.BadParameter(f"{error}; write such as HUP, SIGUSR1 or 9") from error


@click.command("kill", cls=_Kill)
@click.argument("pods", metavar="POD...", nargs=-1, required=True, shell_complete=complete.pods)
@click.option("-s", "--signal", callback=_read_signal, metavar="SIGNAL",
              help="Send this to the first processes, and end nothing else; also -9, -HUP.")  # fmt: skip
@click.option("-c", "--container", default="", metavar="NAME", shell_complete=complete.containers,
              help="With --signal: only to this container.")  # fmt: skip
@click.option("-t", "--grace", metavar="TIME", help="Time to end by itself, such as 5s or 0s (default: the pod's own).")
@click.option("--reason", default="", metavar="TEXT", help="Sent to the framework, and kept in the journal.")
@click.option("--no-wait", is_flag=True, help="Return when it has begun.")
@json_option
@pass_session
def command(session: Session, /, pods: Sequence[str], *, no_wait: bool, as_json: bool, **options: Any) -> int:
    """End each POD, a regular one too: an id or its beginning, a task id, or a name.

    Its framework gets TASK_KILLED, with who did it and the reason; a framework may launch the task again. To take
    revocable resources back use `revoke`. A signal ends a pod only if its process makes that of it; its restart policy
    decides what follows.
    """
    if options["container"] and options["signal"] is None:
        raise click.UsageError("--container is for --signal: a pod ends as a whole")
    body = {key: value for key, value in options.items() if value}
    found = [lookup.living(session, name) for name in pods]
    begun = [client.post(f"/v1/pods/{segment(pod['pod'])}/kill", body, timeout_s=None) for client, pod in found]
    waits = options["signal"] is None and not no_wait
    ends = [_wait(session, client, pod["pod"]) if waits else None for client, pod in found]
    documents = [{**each, "outcome": end} for each, end in zip(begun, ends, strict=True)]
    if as_json:
        output.json_document({"pods": documents})
    else:
        for (_, pod), document in zip(found, documents, strict=True):
            output.line(_text(pod, document))
    return Exit.OK


def _wait(session: Session, client: Client, pod: str) -> dict[str, Any] | None:
    """What became of it, also where its executor ended with it; None if the executor has removed its record."""
    while True:
        try:
            document = client.get(f"/v1/pods/{segment(pod)}")
        except NotFound:
            return None
        except Unreachable as error:
            return dict(lookup.wait_ended(session, pod, error).get("outcome") or {})
        if document["state"] == "ended":
            return dict(document.get("outcome") or {})
        if document.get("stuck_pids"):
            output.note(f"{pod}: does not end: mesos-pod-executor why {pod}")
            return None
        time.sleep(_POLL_S)


def _text(pod: dict[str, Any], document: dict[str, Any]) -> str:
    if document["signalled"]:
        return f"{pod['pod']}  signalled: {output.clean(document['signalled'])}"
    outcome = document["outcome"]
    return f"{pod['pod']}  {'is ending' if outcome is None else outcome.get('state', 'ended')}"
