"""Pods of executors that cannot be asked any more, from their journals and Mesos sandboxes: what `ps --all` shows of
them, and where their logs are.

A pod that had not ended when its executor did is `lost`. The newest journals are read, within bounds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from executor.cli.history import journals
from executor.cli.history.journals import Journal
from executor.cli.session import Session
from executor.log.timeline import timeline
from executor.spec.model import ContainerKind

Document = dict[str, Any]
JOURNALS_MOST: Final = 20
BYTES_MOST: Final = 64 << 20
PODS_MOST: Final = 200
_STREAMS: Final = ("stdout", "stderr")
_KINDS: Final = (ContainerKind.INIT, ContainerKind.SIDECAR)


def pods(session: Session) -> list[Document]:
    """As `GET /v1/pods?all=1` would show them, the newest executor's first, PODS_MOST at most. Raises Failure."""
    found: list[Document] = []
    for journal in _newest(session):
        found += pods_of(journal, time.time())[-(PODS_MOST - len(found)) :]
        if len(found) >= PODS_MOST:
            break
    return found


def _newest(session: Session) -> Iterator[Journal]:
    read_bytes = 0
    for number, journal in enumerate(journals.left(session)):
        read_bytes += journal.size_bytes()
        if number == JOURNALS_MOST or read_bytes > BYTES_MOST:
            return
        yield journal


def find(session: Session, name: str) -> Document | None:
    """The newest one that a text means, as `why` takes it; None where there is none. Raises Failure."""
    for journal in _newest(session):
        recorded = journal.events()
        events = [event for event in timeline(recorded, name) if "pod" in event]
        own = [event for event in events if event["pod"] == events[0]["pod"]]
        if own:
            return _pod(journal, own, recorded[-1], time.time())
    return None


def story(session: Session, pod: str) -> list[Document]:
    """The timeline of one of them, by its id. Raises Failure."""
    return next((found for journal in _newest(session) if (found := timeline(journal.events(), pod))), [])


def pods_of(journal: Journal, now_s: float) -> list[Document]:
    """In the order of their launches, the last PODS_MOST."""
    by_pod: dict[str, list[Document]] = {}
    recorded = journal.events()
    for event in recorded:
        if "pod" in event:
            by_pod.setdefault(str(event["pod"]), []).append(event)
    latest = list(by_pod.items())[-PODS_MOST:]
    return [_pod(journal, events, recorded[-1], now_s) for _, events in latest]


def _pod(journal: Journal, events: Sequence[Document], last: Document, now_s: float) -> Document:
    """`last` is the executor's last event: the time at which a pod that had not ended was lost, or a little before."""
    identity = str(events[0]["pod"])
    first = next((each for each in events if each.get("code") == "pod.accepted"), events[0])
    end = next((each for each in reversed(events) if each.get("code") == "pod.ended"), None)
    document = {
        "pod": identity,
        "name": str(first.get("name", "")),
        "namespace": str(first.get("namespace", "")),
        "class": str(first.get("class", "")),
        "role": str(first.get("role", "")),
        "state": "ended" if end else "lost",
        "tasks": list(first.get("tasks") or [first["task"]] if "task" in first else []),
        "containers": _containers(Path(journal.names.sandbox, "pods", identity), events),
        "ips": [],
        "cgroup": "",
        "started_at": first["time"],
        "age_s": _age_s(first, now_s),
        "executor": journal.names.executor_id,
        "labels": {},
        "mesos_container": journal.container,
    }
    over = end or last
    document |= {"ended_at": over["time"], "ended_age_s": _age_s(over, now_s)}
    if outcome := next((each for each in reversed(events) if each.get("outcome")), None):
        state, reason, error = (outcome.get(key) for key in ("outcome", "reason", "error"))
        found = {"state": str(state), "reason": reason and str(reason), "message": str(error or "")}
        document["outcome"] = found
    return document


def _age_s(event: Document, now_s: float) -> float:
    return round(max(0.0, now_s - datetime.fromisoformat(str(event["time"])).timestamp()), 1)


def _containers(directory: Path, events: Sequence[Document]) -> list[Document]:
    """Those that the launch named, that have a log file, or that an event names; `kind` is there for init containers
    and sidecars.
    """
    accepted = next((each for each in events if each.get("code") == "pod.accepted"), {})
    kinds = dict(map(_kind_of, map(str, accepted.get("containers", ()))))
    named = [str(each["container"]) for each in events if each.get("code") == "pod.container_exited"]
    found = dict.fromkeys([*kinds, *_logged(directory), *named])
    return [
        _container(directory, name, events) | ({"kind": kind} if (kind := kinds.get(name)) else {}) for name in found
    ]


def _kind_of(text: str) -> tuple[str, str]:
    """A name and its kind, which is empty for a main container."""
    kind, _, name = text.partition(":")
    return (name, kind) if kind in _KINDS else (text, "")


def _logged(directory: Path) -> list[str]:
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208
    except OSError:
        return []
    return [name.removesuffix(".stdout") for name in names if name.endswith(".stdout") and not name.startswith(".")]


def _container(directory: Path, name: str, events: Sequence[Document]) -> Document:
    own = [each for each in events if each.get("container") == name]
    codes = [each.get("exit_code") for each in own if each.get("code") == "pod.container_exited"]
    return {
        "name": name,
        "id": "",
        "state": "exited",
        "pid": None,
        "image": "",
        "started": False,
        "ready": False,
        "exit_code": codes[-1] if codes else None,
        "restarts": sum(each.get("code") == "pod.restarting" for each in own),
        "message": "",
        "probes": {},
        "log": {stream: str(directory / f"{name}.{stream}") for stream in _STREAMS},
    }
