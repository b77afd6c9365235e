"""How much is used now, from two looks at sums (`GET /v1/usage`): what `top` and the page show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from executor.cli.exits import Unreachable
from executor.cli.pods import status
from executor.cli.printing import output
from executor.cli.session import Session

Document = dict[str, Any]
Look = dict[str, Document]
SORTS: Final[Mapping[str, Callable[[Document], Any]]] = MappingProxyType(
    {
        "cpu": lambda row: -(row["cpus_used"] or 0),
        "memory": lambda row: -(row["memory_bytes"] or 0),
        "network": lambda row: -_bytes_per_s(row),
        "name": lambda row: (row["namespace"], row["name"]),
    }
)
"""Orders of the pods of `usage`, by name."""
RESOURCES: Final = ("cpu", "memory", "io")
"""Those of which classes have a pressure."""


def look(session: Session) -> Look:
    """Every class of every executor and every pod, by a key of its own. A silent executor is named and left out."""
    found: Look = {}
    for client in session.answering():
        try:
            document = client.get("/v1/usage")
            known = {pod["pod"]: pod for pod in client.get("/v1/pods")["pods"]}
        except Unreachable as error:
            output.note(str(error))
            continue
        own = {"executor": document["executor"], "container": client.id}
        for each in document["classes"]:
            found[f"{client.id}/{each['class']}"] = {**own, **each}
        for each in document["pods"]:
            pod = known.get(each["pod"], each)  # one that has ended since is as it was
            found[each["pod"]] = {**own, **each, "status": status.word(pod), "reason": status.reason(pod)}
    return found


def usage(now: Look, before: Look) -> Document:
    """`executors`, `classes` and `pods`, each row with a rate in the place of its sum. Pure."""
    rows = [_row(row, before.get(key)) for key, row in now.items()]
    return {
        "executors": sorted({row["container"] for row in rows}),
        "classes": [row for row in rows if "pod" not in row],
        "pods": [row for row in rows if "pod" in row],
    }


def _row(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> Document:
    row = {key: value for key, value in now.items() if key not in ("at_s", "cpu_usage_usec")}
    row["cpus_used"] = None
    if "pod" in row:  # an executor of an older version knows nothing of its pod's network
        row["network"] = _network(now.get("network"), None if before is None else before.get("network"))
    if before is not None and None not in (now["cpu_usage_usec"], before["cpu_usage_usec"]):
        time_s = max(now["at_s"] - before["at_s"], 1e-6)
        row["cpus_used"] = round(max(0, now["cpu_usage_usec"] - before["cpu_usage_usec"]) / 1e6 / time_s, 3)
    return row


def _network(now: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> Document | None:
    """Rates between two looks; None without networks of its own, or with one look only."""
    if now is None or before is None:
        return None
    time_s = max(now["at_s"] - before["at_s"], 1e-6)
    return {f"{key}_per_s": round(max(0, now[key] - before[key]) / time_s, 1) for key in now if key != "at_s"}


def _bytes_per_s(row: Document) -> float:
    network = row["network"] or {}
    return float(network.get("received_bytes_per_s", 0) + network.get("sent_bytes_per_s", 0))
