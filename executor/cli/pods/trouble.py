"""What is wrong with pods that live, in sentences: for `doctor` and the page. Pure."""

from __future__ import annotations

from collections.abc import Iterable
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


def of(pods: Iterable[dict[str, Any]]) -> list[Trouble]:
    """The worst first."""
    found = [each for pod in pods if (each := _of(pod)) is not None]
    return sorted(found, key=lambda each: KINDS.index(each.kind))


KINDS: Final = ("stuck", "crash_loops", "network", "images", "unready")


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
    if pod.get("network_faults") and not pod.get("outcome"):
        text = f"the network of pod {name} is not as it was made: {'; '.join(map(str, pod['network_faults']))}"
        return Trouble("network", identity, text, why)
    if pod.get("healthy") is False:
        return Trouble("unready", identity, f"pod {name} fails its health check", why)
    return None
