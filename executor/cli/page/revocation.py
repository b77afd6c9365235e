"""One revocation, from its receipt and its events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from executor.cli.page.markup import Markup, table, tag
from executor.cli.page.style import badge, page, size, tile
from executor.cli.page.timeline import duration, timeline
from executor.cli.printing.units import count

Json = Mapping[str, Any]
STATES: Final = {"done": "good", "stuck": "bad", "refused": "warn", "running": "warn"}
_LEVELS: Final = {"warning": "warn", "error": "bad"}
_HEAD: Final = frozenset({"seq", "time", "level", "code", "message", "exception", "revocation"})


def report(receipt: Json, events: Sequence[Json], host: str) -> str:
    """The page of `report` and of `serve`'s /revocations/ID."""
    began = next((each["time"] for each in events if each["code"] == "revocation.started"), "")
    head = [
        tag("h1", f"Revocation {receipt['id']}"),
        badge(receipt["state"], STATES.get(receipt["state"], "")),
        tag("p", " \u00b7 ".join(filter(None, (host, began, receipt["reason"])))),
    ]
    content = [
        tag("header", head),
        _tiles(receipt),
        tag("section", tag("h2", "What happened, from the request on"), picture(receipt)),
        tag("section", tag("h2", "Victims"), _victims(receipt["victims"])),
        tag("section", tag("h2", "Regular pods, before and after"), *_regular(receipt.get("regular"))),
        tag("section", tag("h2", "Events"), event_table(events)),
    ]
    return page(f"Revocation {receipt['id']}", content)


def picture(receipt: Json) -> Markup:
    """Timeline, its key, and the steps."""
    steps = [
        (number, step["step"], duration(step["ms"]), duration(step["took_ms"]), step["effect"])
        for number, step in enumerate(receipt["steps"], 1)
    ]
    key = [
        tag("span", tag("span", class_="dot", style=f"background:var(--{colour})"), text)
        for colour, text in (
            ("good", "exited within its grace"),
            ("bad", "killed"),
            ("warn", "alive"),
            ("revocable", "revocable pod, from the request to its last process's end"),
            ("regular", "regular pods"),
        )
    ]
    error = tag("p", badge("refused", "warn"), " ", receipt["error"]) if receipt.get("error") else None
    return tag(
        "div",
        error,
        tag("div", timeline(receipt), class_="wide") if receipt["victims"] else None,
        tag("div", key, class_="key") if receipt["victims"] else None,
        tag("div", table(("#", "step", "#at", "#took", "effect"), steps), style="margin-top:14px") if steps else None,
    )


def _tiles(receipt: Json) -> Markup:
    freed, regular = receipt["freed"], receipt.get("regular")
    verdict = "-" if regular is None else "unchanged" if regular["unchanged"] else "CHANGED"
    return tag(
        "div",
        tile(len(receipt["victims"]), "victims"),
        tile(duration(receipt["time_to_free_ms"]), "time to free"),
        tile(freed["cpus"], "cpus given back"),
        tile(size(freed["mem_bytes"]), "memory given back"),
        tile(verdict, "regular pods"),
        class_="tiles",
    )


def _victims(victims: Sequence[Json]) -> Markup:
    columns = ("tasks", "pod", "outcome", "#ended after", "notified", "#cpus", "#cpus used", "#memory")
    rows = (
        (
            ", ".join(each["tasks"]),
            tag("code", each["pod"]),
            badge(each["outcome"], {"exited": "good", "killed": "bad", "stuck": "bad"}.get(each["outcome"], "")),
            duration(each["ms"]),
            "yes" if each["notified"] else "no",
            each["cpus"],
            each["used_cpus"],
            size(each["mem_bytes"]),
        )
        for each in victims
    )
    return table(columns, rows)


def _regular(regular: Json | None) -> list[Markup]:
    if regular is None:
        return [tag("p", "They were not compared: nothing was touched.", class_="soft")]
    if regular["unchanged"]:
        what = f"{count(regular['pods'], 'pod')} with {regular['processes']} processes"
        text = f" {what}: every first process of a container is there, with the same pid and start time."
        lines = [tag("p", badge("unchanged", "good"), text)]
    else:
        lines = [tag("p", badge("CHANGED", "bad"), " This must never happen: ", "; ".join(regular["changed"]))]
    if regular["ended_meanwhile"]:
        pids = ", ".join(map(str, regular["ended_meanwhile"]))
        lines.append(tag("p", f"Other processes of theirs that ended meanwhile, by themselves or not: {pids}."))
    return lines


def event_table(events: Sequence[Json], known: Collection[str] = ()) -> Markup:
    """Events as rows of a table, without the keys that are `known` by what stands around it."""
    hidden = _HEAD.union(known)
    rows = (
        (
            tag("code", each["time"][11:23], style="white-space:nowrap"),
            badge(each["code"], _LEVELS.get(str(each.get("level")), "")),
            each.get("message", ""),
            tag(
                "code", " ".join(f"{key}={_flat(each[key])}" for key in each if key not in hidden and _says(each[key]))
            ),
        )
        for each in events
    )
    return table(("time", "event", "what", "with"), rows)


def _says(value: object) -> bool:
    return value not in (None, "", [], {})


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{each}" for key, each in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
