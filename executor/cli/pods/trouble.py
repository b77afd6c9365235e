"""What is wrong with pods that live, in sentences: for `doctor` and the page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from executor.cli.pods import status

RESTARTS: Final = 3
"""A container that was started again so often, and has ended once more, is in a crash loop."""


@dataclass(frozen=True)
class Trouble:
    """`kind` is stuck, crash_loops, network, images or unready; `hint` is what to type."""

    kind: str
    pod: str
    text: str
    hint: str


def of(pods: Iterable[dict[str, Any]], events: Sequence[Mapping[str, Any]] = ()) -> list[Trouble]:
    """The worst first. `events` are those of their executors, which know more than the pods' documents."""
    cut = _networks(events)
    found = [each for pod in pods if (each := _of(pod) or _network(pod, cut)) is not None]
    return sorted(found, key=lambda each: KINDS.index(each.kind))


KINDS: Final = ("stuck", "crash_loops", "network", "images", "unready")
_CUT: Final = ("network.changed", "network.mismatch", "network.rules_lost")


def _networks(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The pods of which the last event about their network says that it is not right, and what."""
    found: dict[str, str] = {}
    for event in events:
        pod, code = str(event.get("pod", "")), str(event.get("code", ""))
        if code in _CUT:
            found[pod] = str(event.get("text") or event.get("error") or event.get("message"))
        elif code in ("network.restored", "network.rules_restored"):
            found.pop(pod, None)
    return found


def _network(pod: dict[str, Any], cut: Mapping[str, str]) -> Trouble | None:
    identity = pod["pod"]
    if identity not in cut:
        return None
    text = f"the network of pod {status.name(pod)} was changed: {cut[identity]}"
    return Trouble("network", identity, text, f"mesos-pod-executor why {identity}")


def _of(pod: dict[str, Any]) -> Trouble | None:
    identity, name, word = pod["pod"], status.name(pod), status.word(pod)
    why = f"mesos-pod-executor why {identity}"
    if word == "stuck":
        return Trouble("stuck", identity, f"pod {name} {status.reason(pod)}", why)
    if word == "backing-off" and status.restarts(pod) >= RESTARTS:
        text = f"pod {name} was restarted {status.restarts(pod)} times: {status.reason(pod)}"
        return Trouble("crash_loops", identity, text, f"{why}; mesos-pod-executor logs {identity} --previous")
    if any(each.get("error") for each in pod.get("pulling", ())):
        return Trouble("images", identity, f"pod {name} waits for an image: {status.reason(pod)}", why)
    if pod.get("healthy") is False:
        return Trouble("unready", identity, f"pod {name} fails its health check", why)
    return None
