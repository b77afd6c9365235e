"""`inspect`: everything the executor knows of one pod."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from executor.cli import complete
from executor.cli.executors.client import segment
from executor.cli.pods import status
from executor.cli.pods.lookup import find_known
from executor.cli.printing import forms, output, units
from executor.cli.printing.forms import Form, Kind
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound

_COLUMNS = ("container", "state", "pid", "exit", "restarts", "oom kills", "cpu limit", "mem limit", "image")
_SPARE_LINKS = ("errors", "dropped", "mtu", "kind", "sent", "received")
_SHOWN_APART = frozenset({"containers", "kernel_network"})


@click.command("inspect")
@click.argument("pods", metavar="POD...", nargs=-1, required=True, shell_complete=complete.all_pods)
@click.option("--check", is_flag=True, help="Have the CNI plugins check the pod's attachments (network_check).")
@forms.option
@json_option
@pass_session
def command(session: Session, *, pods: Sequence[str], check: bool, form: Form | None, as_json: bool) -> None:
    """Show everything about each POD: its id or the beginning of it, a task id, or its name; of a pod whose executor
    is dead or has ended, what its journal has.

    The document of one pod is the pod's own; that of several is {"pods": [...]}.
    """
    form = forms.chosen(form, as_json=as_json)
    found = [_inspected(session, name, check=check) for name in pods]
    if not form.is_table and form.kind is not Kind.NAME:
        forms.show(form, found[0] if len(found) == 1 else {"pods": found})
        return
    for number, document in enumerate(found):
        if form.kind is Kind.NAME:
            output.line(output.clean(status.name(document)))
            continue
        if number:
            output.line("")
        _show(document)


def _inspected(session: Session, name: str, *, check: bool) -> dict[str, Any]:
    client, document = find_known(session, name)
    if check and client is None:
        raise NotFound("has no executor any more", subject=document["pod"], hint="leave --check out")
    if check and client is not None:
        answer = client.post(f"/v1/pods/{segment(document['pod'])}/check", {}, timeout_s=None)
        document["network_check"] = answer["error"] or "passed"
    return document


def _show(document: dict[str, Any]) -> None:
    shown = {**document, "state": status.text(document)}
    output.fields((key, _flat(value)) for key, value in shown.items() if key not in _SHOWN_APART)
    _show_network(document.get("kernel_network"))
    output.line("")
    containers = document.get("containers", [])
    output.table(_COLUMNS, map(_row, containers), spare=("cpu limit", "mem limit", "oom kills", "restarts"))
    output.line("")
    for container in containers:
        for stream, path in (container.get("log") or {}).items():
            output.line(f"{output.clean(container['name'])} {stream}  {output.clean(path)}")


def _show_network(found: dict[str, Any] | None) -> None:
    """What the kernel has, and where it differs from what the plugins said."""
    if found is None:
        return
    output.line("")
    output.table(
        ("link", "kind", "ips", "mtu", "received", "sent", "dropped", "errors"),
        map(_link, found["links"]),
        spare=_SPARE_LINKS,
    )
    output.table(
        ("route", "gateway", "link"),
        ((each["destination"], each["gateway"] or None, each["ifname"]) for each in found["routes"]),
    )
    for each in found["differences"]:
        output.line(f"the kernel differs from what the plugins said: {output.clean(each)}")


def _link(link: dict[str, Any]) -> tuple[object, ...]:
    received, sent = units.size(link["received_bytes"]), units.size(link["sent_bytes"])
    dropped, errors = (link[f"received_{what}"] + link[f"sent_{what}"] for what in ("dropped", "errors"))
    state = "" if link["up"] and link["carrier"] else " (down)" if not link["up"] else " (no carrier)"
    return (link["ifname"] + state, link["kind"], link["ips"], link["mtu_bytes"], received, sent, dropped, errors)


def _row(container: dict[str, Any]) -> tuple[object, ...]:
    limits = container.get("limits") or {}
    size_bytes = limits.get("mem_bytes")
    memory = None if size_bytes is None else units.size(size_bytes)
    values = [container.get(key) for key in ("name", "state", "pid", "exit_code", "restarts", "oom_kills")]
    return (*values, limits.get("cpus"), memory, container.get("image"))


def _flat(value: object) -> object:
    if isinstance(value, dict):
        return [f"{key}={output.clean(each)}" for key, each in value.items()]
    if isinstance(value, list):
        return [" ".join(map(output.clean, each.values())) if isinstance(each, dict) else each for each in value]
    return value
