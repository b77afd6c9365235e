"""What commands and pages say of a pod: one word for its state, the same for people, and the reason of it. Pure.

`ps`, `top`, `describe`, `doctor` and the pages ask here, so that they agree.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from executor.cli.printing.units import age

Document = dict[str, Any]
DEFAULT_NAMESPACE: Final = "default"
_TONES: Final = MappingProxyType(
    {"running": "good", "destroying": "warn", "stopping": "warn", "tearing-down": "warn", "lost": "bad"}
)


def word(pod: Document) -> str:
    """The pod's state, or what is more to the point: `stuck`, `backing-off`."""
    if pod.get("stuck_pids") and pod.get("state") != "ended":
        return "stuck"
    if not pod.get("outcome") and any(each.get("state") == "backing-off" for each in pod.get("containers", [])):
        return "backing-off"
    return str(pod.get("state"))


def text(pod: Document) -> str:
    """`word` with how far it is, or for how long it has been so."""
    state, found = str(pod.get("state")), word(pod)
    if pulling := pod.get("pulling"):
        return f"pulling ({_progress(pulling)})"
    if state in ("ended", "lost") and pod.get("ended_age_s") is not None:
        return f"{state} {age(pod['ended_age_s'], units=1)} ago"
    return found


def reason(pod: Document) -> str:
    """What is wrong with it now, else the outcome that Mesos has of it. Empty for nothing."""
    if wrong := trouble(pod):
        return wrong
    if outcome := pod.get("outcome"):
        why = str(outcome.get("reason") or "").removeprefix("REASON_") or outcome.get("message") or ""
        return f"{outcome['state']} {why}".rstrip()
    return ""


def short_reason(text: str) -> str:
    """A reason for a narrow terminal: without the words that most outcomes begin with."""
    if not text.startswith("TASK_"):
        return text
    state, _, why = text.removeprefix("TASK_").partition(" ")
    return f"{state} {why.removeprefix('CONTAINER_').removeprefix('container ')}".rstrip()


def details(pod: Document) -> str:
    """As `reason`, with the whole message of an outcome."""
    return trouble(pod) or str((pod.get("outcome") or {}).get("message") or reason(pod))


def trouble(pod: Document) -> str:
    """What is wrong with a pod now, empty for nothing. One that is to end can only be stuck."""
    state = pod.get("state")
    if state == "lost":
        return "its executor died"
    if state != "ended" and (pids := pod.get("stuck_pids")):
        return f"survives SIGKILL: pid {', '.join(map(str, pids))}"
    if state == "ended" or pod.get("outcome"):
        return ""
    pulls = [str(each["error"]) for each in pod.get("pulling", ()) if each.get("error")]
    ends = [_last_end(each) for each in pod.get("containers", ()) if each.get("state") == "backing-off"]
    faults = "; ".join(map(str, pod.get("network_faults", ())))
    network = [f"network: {faults}"] if faults else []
    health = ["unhealthy"] if pod.get("healthy") is False else []
    return next(iter([*pulls, *ends, *network, *health]), "")


def tone(pod: Document) -> str:
    """How a page colours the state: good, warn, bad, or nothing."""
    return "bad" if trouble(pod) else _TONES.get(str(pod.get("state")), "")


def name(pod: Document) -> str:
    """With its namespace."""
    return "/".join(str(part) for part in (pod.get("namespace"), pod.get("name")) if part)


def short_name(pod: Document) -> str:
    """Without the namespace `default`."""
    return name(pod).removeprefix(f"{DEFAULT_NAMESPACE}/")


def main_containers(pod: Document) -> list[Document]:
    """Those that are no init containers."""
    return [each for each in pod.get("containers", []) if each.get("kind") != "init"]


def ready(pod: Document) -> int:
    """How many of the main containers are."""
    return sum(bool(each.get("ready", each.get("state") == "running")) for each in main_containers(pod))


def restarts(pod: Document) -> int:
    """The restarts of all main containers."""
    return sum(each.get("restarts") or 0 for each in main_containers(pod))


def _last_end(container: Document) -> str:
    message = container.get("message")
    code = container.get("exit_code")
    return f"{container['name']}: {message or ('ended' if code is None else f'exit code {code}')}"


def _progress(pulling: list[Document]) -> str:
    """The progress of all images that the pod waits for."""
    if any(each["error"] for each in pulling):
        return "backing off"
    total = sum(each["total_bytes"] for each in pulling)
    return f"{100 * sum(each['bytes'] for each in pulling) // total} %" if total else str(pulling[0]["phase"])
