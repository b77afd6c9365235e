"""The node: what each executor's classes and pods are and use, its revocations, its latest events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from urllib.parse import quote

from executor.cli.page.markup import Markup, join, table, tag
from executor.cli.page.revocation import STATES, event_table, picture
from executor.cli.page.style import badge, meter, page, size, tile
from executor.cli.page.timeline import duration
from executor.cli.page.views import View, views
from executor.cli.pods import rates, status, trouble
from executor.cli.printing.units import age, count

Json = Mapping[str, Any]
REFRESH_S: Final = 5
_SHOWN_EVENTS: Final = 25
_SHOWN_REVOCATIONS: Final = 20
_HIGH: Final = 20.0
"""Per cent of the last ten seconds in which tasks waited, from which on a bar is red."""
_SHOWN_ENDED: Final = 20


def node(
    host: str,
    time: str,
    executors: Sequence[Json],
    usage: Json,
    problems: Sequence[str] = (),
    boxes: Sequence[Markup] = (),
    former: Sequence[Json] = (),
) -> str:
    """`executors` as `collect.executor` gives them, `usage` as `top` (schema/top.json); `problems` are sentences about
    executors, `boxes` what was drawn of the last hour and of lending, and `former` pods of executors that are gone.
    """
    lines = [
        tag("h1", f"Pods on {host}"),
        tag("p", f"mesos-pod-executor \u00b7 {time} \u00b7 renewed every {REFRESH_S} s"),
    ]
    sections = [*boxes, *(_view(each, usage) for each in views(executors, usage["classes"]))]
    if not executors:
        sections = [*boxes, tag("section", tag("p", "No executor runs on this node.", class_="soft"))]
    if former:
        sections.append(tag("section", tag("h2", "Pods of executors that ended or died"), _ended(former)))
    found = trouble.of(pod for each in executors for pod in each["pods"])
    if problems or found:
        items = [tag("li", each) for each in problems] + [tag("li", _trouble(each)) for each in found]
        sections = [tag("section", tag("h2", "Problems"), tag("ul", items), class_="problems"), *sections]
    return page(f"Pods on {host}", tag("header", lines), sections, refresh_s=REFRESH_S)


def _trouble(found: trouble.Trouble) -> Markup:
    return join([_link(found.pod, found.text), tag("div", found.hint, class_="soft")])


def _link(pod: str, text: object) -> Markup:
    return tag("a", text, href=f"/pods/{quote(pod, safe='')}")


def _view(view: View, usage: Json) -> Markup:
    own = {each["pod"]: each for each in usage["pods"]}
    borrowed = sum(each["cpus"] for each in view.classes if each["class"] == "revocable")
    done = [each for each in view.revocations if each["state"] == "done"]
    tiles = [
        tile(sum(each["pods"]["regular"] for each in view.executors), "regular pods"),
        tile(sum(each["pods"]["revocable"] for each in view.executors), "revocable pods"),
        tile(round(borrowed, 3), "cpus borrowed"),
        tile(len(done), "revocations done"),
        tile(duration(done[-1]["time_to_free_ms"]) if done else "-", "last time to free"),
        tile(sum(each["unacknowledged"] for each in view.executors), "unacknowledged updates"),
    ]
    heads = [head for each in view.executors for head in _head(each)]
    return join(
        [
            tag("header", heads, tag("p", _about(view)), style="margin:8px 0 12px"),
            tag("div", tiles, class_="tiles"),
            tag("div", [_class(each) for each in view.classes], class_="pair"),
            tag("section", tag("h2", "Pods by class and role"), _pods(view.pods, own)),
            tag("section", tag("h2", "Pods that ended lately"), _ended(view.ended)),
            tag("section", tag("h2", "Revocations"), _revocations(view.revocations, view.events)),
            tag("section", tag("h2", "Latest events"), event_table(list(reversed(view.events[-_SHOWN_EVENTS:])))),
        ]
    )


def _head(about: Json) -> tuple[Markup, Markup]:
    is_subscribed = about["subscribed"]
    link = badge("subscribed" if is_subscribed else "not subscribed", "good" if is_subscribed else "bad")
    return tag("h1", about["executor"]), link


def _about(view: View) -> str:
    text = f"framework {view.executors[0]['framework']}"
    return f"{text} \u00b7 a pair of executors, one for each class" if len(view.executors) > 1 else text


def _class(row: Json) -> Markup:
    used, memory = row["cpus_used"] or 0.0, row["memory_bytes"] or 0
    lines = [
        meter("cores", used / (row["cpus"] or 1.0), f"{used:.2f} of {row['cpus']:g}"),
        meter("memory", memory / (row["mem_bytes"] or 1), f"{size(memory)} of {size(row['mem_bytes'])}"),
    ]
    for resource in rates.RESOURCES:
        if (pressure := row["pressure"].get(resource)) is not None:
            some = pressure["some"]
            text = f"{some['avg10']:g} / {some['avg60']:g} / {some['avg300']:g} %"
            lines.append(meter(f"wait {resource}", some["avg10"] / 100, text, high=some["avg10"] >= _HIGH))
    note = tag("p", "Waits: per cent of the last 10 / 60 / 300 s in which a task waited (PSI).", class_="soft")
    return tag(
        "section",
        tag("h2", f"{row['class']}: {count(row['pods'], 'pod')}"),
        lines,
        note,
        class_=f"class {row['class']}",
    )


def _pods(pods: Sequence[Json], usage: Mapping[str, Json]) -> Markup:
    def group(pod: Json) -> tuple[str, str]:
        return pod["class"], pod["role"]

    columns = ("pod", "id", "state", "#ready", "#restarts", "#age", "#cores", "#memory", "address")
    head = tag("tr", [tag("th", each.lstrip("#"), class_="number" if "#" in each else None) for each in columns])
    body = []
    for (pod_class, role), members in groupby(sorted(pods, key=lambda pod: (group(pod), pod["name"])), group):
        rows = [_pod(pod, usage.get(pod["pod"], {})) for pod in members]
        title = [tag("span", class_="dot"), f"{pod_class}, role {role}: {len(rows)}"]
        body.append(tag("tr", tag("td", title, colspan=len(columns)), class_=f"role {pod_class}"))
        body += rows
    if not body:
        body = [tag("tr", tag("td", "none", colspan=len(columns), class_="empty"))]
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), class_="pods"), class_="wide")


def _pod(pod: Json, usage: Json) -> Markup:
    containers = pod["containers"]
    used, memory = usage.get("cpus_used"), usage.get("memory_bytes")
    accounted = "" if not usage else f" of {usage['cpus']:g}"
    cells: list[tuple[object, bool]] = [
        (_link(pod["pod"], f"{pod['namespace']}/{pod['name']}"), False),
        (tag("code", pod["pod"]), False),
        (_state(dict(pod)), False),
        (f"{sum(each['state'] == 'running' for each in containers)}/{len(containers)}", True),
        (sum(each["restarts"] for each in containers), True),
        (age(pod["age_s"]), True),
        ("-" if used is None else f"{used:.2f}{accounted}", True),
        ("-" if memory is None else f"{size(memory)} of {size(usage['mem_bytes'])}", True),
        (", ".join(pod["ips"]) or "-", False),
    ]
    row = [tag("td", cell, class_="number" if number else None) for cell, number in cells]
    return tag("tr", row, class_=pod["class"], id=pod["pod"])


def _state(pod: dict[str, Any]) -> Markup:
    wrong = status.trouble(pod)
    return join([badge(status.text(pod), status.tone(pod)), tag("div", wrong, class_="soft") if wrong else None])


def _ended(pods: Sequence[Json]) -> Markup:
    newest = sorted(pods, key=lambda pod: pod.get("ended_age_s") or 0.0)[:_SHOWN_ENDED]
    rows = [
        (
            _link(pod["pod"], f"{pod['namespace']}/{pod['name']}"),
            pod["class"],
            f"{age(pod.get('ended_age_s'))} ago",
            status.reason(dict(pod)),
            (pod.get("outcome") or {}).get("message") or "-",
        )
        for pod in newest
    ]
    return table(("pod", "class", "ended", "outcome", "why"), rows)


def _revocations(receipts: Sequence[Json], events: Sequence[Json]) -> Markup:
    """The newest is open; dry runs are counted only. Who asked for one stands in its first event."""
    begun = {
        str(each.get("revocation")): each
        for each in events
        if each.get("code") in ("revocation.started", "revocation.refused")
    }
    real = [each for each in reversed(receipts) if each["state"] != "dry-run"]
    dry = count(len(receipts) - len(real), "dry run") if len(receipts) > len(real) else ""
    shown = [_revocation(each, begun.get(each["id"], {}), opened=at == 0) for at, each in enumerate(real)]
    if not shown:
        shown = [tag("p", "None yet.", class_="soft")]
    return join(
        [*shown[:_SHOWN_REVOCATIONS], tag("p", f"and {dry}, which ended nothing", class_="soft") if dry else None]
    )


def _revocation(receipt: Json, started: Json, *, opened: bool) -> Markup:
    victims, cpus = count(len(receipt["victims"]), "victim"), receipt["freed"]["cpus"]
    facts = f"{victims}, {cpus:g} cpus, {duration(receipt['time_to_free_ms'])}"
    summary = [
        tag("h3", receipt["id"]),
        badge(receipt["state"], STATES.get(receipt["state"], "")),
        tag("span", facts),
        tag("span", receipt["error"]) if receipt.get("error") else None,
        tag("span", receipt["reason"], class_="soft"),
        tag("span", f"{started['time']} by {started.get('actor', 'unknown')}", class_="soft") if started else None,
        tag("a", "report", href=f"/revocations/{quote(receipt['id'], safe='')}"),
    ]
    return tag("details", tag("summary", summary), picture(receipt), open="open" if opened else None)
