"""`describe`: a pod for people, as kubectl has it: what it is, how it is, what it wrote, what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from executor.cli import complete
from executor.cli.executors.client import segment
from executor.cli.history import former
from executor.cli.pods import lookup, status
from executor.cli.pods.tail import tail
from executor.cli.printing import output, units
from executor.cli.session import Session, json_option, pass_session
from executor.errors import ExecutorError
from executor.log.timeline import Shown, collapsed

Document = dict[str, Any]
_EVENTS: Final = 25
_HEAD: Final = ("seq", "time", "level", "code", "message", "exception", "since_ms", "since_launch_ms", "pod", "task",
                "class", "role", "name")  # fmt: skip


@click.command("describe")
@click.argument("pods", metavar="POD...", nargs=-1, required=True, shell_complete=complete.all_pods)
@json_option
@pass_session
def command(session: Session, *, pods: Sequence[str], as_json: bool) -> None:
    """Show each POD for people: its resources, networks and containers, with the last lines of those that failed, and
    its latest events; also one whose executor is dead. POD is an id or its beginning, a task id, or a name.

    `inspect` has everything, and `why` the verdict.
    """
    found = [_described(session, name) for name in pods]
    if as_json:
        output.json_document({"pods": found})
        return
    for number, document in enumerate(found):
        if number:
            output.line("")
        _show(document)


def _described(session: Session, name: str) -> Document:
    client, document = lookup.find_known(session, name)
    events: list[Document] = []
    if client is None:
        events = former.story(session, document["pod"])
    else:
        try:
            events = client.get(f"/v1/timelines/{segment(document['pod'])}")["events"]
        except ExecutorError as error:  # the rest is worth showing
            output.note(str(error))
    tails = [found.document() for each in document["containers"] if _failed(each) and (found := tail(each))]
    return {"pod": document, "log": tails, "events": events}


def _failed(container: Document) -> bool:
    return bool(container.get("exit_code") or container.get("restarts"))


def _show(found: Document) -> None:
    pod = found["pod"]
    output.fields((name, value) for name, value in _about(pod) if value not in (None, "", [], {}))
    for container in pod["containers"]:
        output.line("")
        output.line(f"container {output.clean(container['name'])}")
        output.fields((f"  {name}", value) for name, value in _about_container(container) if value not in (None, ""))
    for each in found["log"]:
        output.line("")
        output.line(f"the last lines of {output.clean(each['container'])} on {each['stream']}:")
        for line in each["lines"]:
            output.line(f"    {output.clean(line)}")
    shown = collapsed(found["events"])
    if not shown:
        return
    output.line("")
    more = f" (the last {_EVENTS} of {len(shown)})" if len(shown) > _EVENTS else ""
    output.line(f"events{more}")
    for event in shown[-_EVENTS:]:
        output.paragraph(_event(event), indent=4)


def _about(pod: Document) -> list[tuple[str, object]]:
    outcome, resources = pod.get("outcome") or {}, pod.get("resources") or {}
    limits = [f"{resources['cpus']:g} cpus", units.size(resources["mem_bytes"])] if resources else []
    disk = resources.get("disk_bytes")
    return [
        ("name", status.name(pod)),
        ("pod", pod["pod"]),
        ("task", pod.get("tasks")),
        ("class", pod.get("class")),
        ("role", pod.get("role")),
        ("state", status.text(pod)),
        ("reason", status.reason(pod)),
        ("message", None if (message := outcome.get("message") or "") in status.reason(pod) else message),
        ("age", units.age(pod.get("age_s"))),
        ("executor", pod.get("executor")),
        ("resources", ", ".join([*limits, f"{units.size(disk)} disk"] if disk else limits)),
        ("uses", _use(pod.get("usage"))),
        ("networks", [f"{each['network']} {output.clean(each['ips'])}" for each in pod.get("networks", ())]),
        ("ports", [f"{each['host_port']}->{each['container_port']}/{each['protocol']}" for each in _ports(pod)]),
        ("labels", [f"{key}={value}" for key, value in pod.get("labels", {}).items()]),
        ("restart policy", pod.get("restart_policy")),
    ]


def _ports(pod: Document) -> list[Document]:
    return [each for each in pod.get("host_ports", ()) if {"host_port", "container_port", "protocol"} <= set(each)]


def _use(usage: Document | None) -> str:
    if not usage:
        return ""
    size_bytes = usage.get("memory_bytes")
    memory = "" if size_bytes is None else f"{units.size(size_bytes)} of memory, "
    pids = usage.get("pids", 0)
    return f"{memory}{pids} {'process' if pids == 1 else 'processes'}"


def _about_container(container: Document) -> list[tuple[str, object]]:
    limits = container.get("limits") or {}
    memory = limits.get("mem_bytes")
    shown = [f"{limits['cpus']:g} cpus"] if limits.get("cpus") else []
    probes = [f"{kind} {'passes' if ok else 'FAILS'}" for kind, ok in (container.get("probes") or {}).items()]
    return [
        ("kind", container.get("kind")),
        ("state", container["state"]),
        ("ready", container.get("ready")),
        ("pid", container.get("pid")),
        ("image", container.get("image")),
        ("last exit", container.get("exit_code")),
        ("message", container.get("message")),
        ("restarts", container.get("restarts")),
        ("limits", ", ".join([*shown, units.size(memory)] if memory else shown)),
        ("out of memory", container.get("oom_kills") or None),
        ("probes", probes or None),
    ]


def _event(shown: Shown) -> str:
    event = shown.event
    keys = output.keys(event, [*_HEAD, *shown.repeated])
    times = f"  (x{shown.count})" if shown.count > 1 else ""
    level = "" if event.get("level", "info") == "info" else f"{event['level'].upper()} "
    text = f"{event.get('code', ''):<22} {output.clean(event.get('message'))}  {keys}{times}"
    return f"  {event['time']}  {level}{text}".rstrip()
