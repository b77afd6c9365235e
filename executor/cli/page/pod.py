"""One pod: the verdict first, then its containers with what they wrote last, its network, its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.cli.history.processes import Process
from executor.cli.history.verdict import Verdict
from executor.cli.page.markup import Markup, join, table, tag
from executor.cli.page.revocation import event_table
from executor.cli.page.style import badge, page
from executor.cli.pods import status
from executor.cli.pods.tail import Tail
from executor.cli.printing import units

Json = Mapping[str, Any]
REFRESH_S = 5
_OWN = ("pod", "task", "class", "role", "name", "namespace", "tasks", "since_ms")
"""Keys of events that the page has already."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a pod besides its document: the last lines of its containers, and the processes that survive
    SIGKILL.
    """

    tails: Sequence[Tail] = ()
    stuck: Sequence[Process] = ()


def pod(document: Json, verdict: Verdict | None, evidence: Evidence, events: Sequence[Json], host: str) -> str:
    """The page of `serve`'s /pods/ID. `document` is that of `inspect`."""
    known = dict(document)
    name = status.name(known)
    head = [tag("h1", name), badge(status.text(known), status.tone(known)), tag("span", status.reason(known))]
    about = f"{document['pod']} \u00b7 {document['class']} \u00b7 role {document['role']} \u00b7 {host}"
    sections = [
        _section("Why", _why(verdict)) if verdict else None,
        _section("Containers", _containers(document["containers"])),
        _section("Processes that survive SIGKILL", _stuck(evidence.stuck)) if evidence.stuck else None,
        *(_section(f"The last lines of {each.container} on {each.stream}", _lines(each)) for each in evidence.tails),
        _section("Network", _network(document.get("kernel_network"))),
        _section("Events", event_table(list(reversed(events)), _OWN)),
    ]
    back = tag("p", tag("a", "all pods", href="/"))
    return page(f"Pod {name}", back, tag("header", head, tag("p", about)), sections, refresh_s=REFRESH_S)


def _section(title: str, content: Markup) -> Markup:
    return tag("section", tag("h2", title), content)


def _why(verdict: Verdict) -> Markup:
    rows = (("what", verdict.what), ("why", verdict.why), ("by whom", verdict.actor), ("what to do", verdict.action))
    return table(("", ""), rows)


def _containers(containers: Sequence[Json]) -> Markup:
    columns = ("container", "state", "ready", "#restarts", "#last exit", "message", "image")
    rows = [
        (
            each["name"],
            each["state"],
            "yes" if each.get("ready") else "no",
            each.get("restarts") or 0,
            "-" if each.get("exit_code") is None else each["exit_code"],
            each.get("message") or "-",
            each.get("image") or "-",
        )
        for each in containers
    ]
    return table(columns, rows)


def _stuck(found: Sequence[Process]) -> Markup:
    columns = ("#pid", "state", "waits in", "mount", "command")
    return table(columns, [(each.pid, each.state, each.wchan, each.mount, tag("code", each.command)) for each in found])


def _lines(tail: Tail) -> Markup:
    return tag("pre", "\n".join(tail.lines))


def _network(found: Json | None) -> Markup:
    if found is None:
        return tag("p", "It has no network of its own now.", class_="soft")
    columns = ("link", "address", "#received", "#sent", "#dropped", "#errors")
    rows = [
        (
            link["ifname"],
            ", ".join(link["ips"]),
            units.size(link["received_bytes"]),
            units.size(link["sent_bytes"]),
            link["received_dropped"] + link["sent_dropped"],
            link["received_errors"] + link["sent_errors"],
        )
        for link in found["links"]
    ]
    differences = [tag("p", badge("differs", "bad"), " ", each) for each in found["differences"]]
    return join([*differences, table(columns, rows)])
