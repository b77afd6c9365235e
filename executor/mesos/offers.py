"""A scheduler's part: take what tasks and executors ask for out of offers. Pure.

A request is a resource in Mesos' v1 JSON; ranges may have a `count` in their place. What is taken carries everything
that the offered resource says about itself (role of the allocation, provider, reservations), as the master demands.
Revocable and regular amounts never stand in for each other. A persistent volume is taken whole and by its id only. One
that a request names and no offer has can be made out of disk, for a role other than *.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

Message = dict[str, Any]

_SMALLEST: Final = 1e-6


class Pool:
    """What is left of some offers of one agent and one role. `makeable` are the ids of the persistent volumes that may
    be made, `principal` is the framework's: Mesos demands it in what the framework reserves.
    """

    def __init__(self, offers: Iterable[Message], *, makeable: Collection[str] = (), principal: str = "") -> None:
        self._left: list[Message] = [copy.deepcopy(resource) for offer in offers for resource in offer["resources"]]
        self._makeable, self._principal = frozenset(makeable), principal
        self.operations: list[Message] = []
        """What makes the volumes that were taken and are not there: it stands before the LAUNCH in an ACCEPT."""

    def take(self, requests: Sequence[Message]) -> list[Message] | None:
        """All requests or none of them."""
        before, operations = copy.deepcopy(self._left), len(self.operations)
        taken: list[Message] = []
        for request in requests:
            part = self._take_one(request)
            if part is None:
                self._left = before
                del self.operations[operations:]
                return None
            taken += part
        return taken

    def _take_one(self, request: Message) -> list[Message] | None:
        if volume := volume_id(request):
            return self._take_volume(volume, request)
        candidates = [left for left in self._left if _is_same_kind(left, request) and _is_divisible(left)]
        if request["type"] == "SCALAR":
            return _take_scalar(candidates, request["scalar"]["value"])
        wanted = request.get("count")
        return _take_any_ports(candidates, wanted) if wanted is not None else _take_ranges(candidates, request)

    def _take_volume(self, identity: str, request: Message) -> list[Message] | None:
        for offered in self._left:
            if volume_id(offered) == identity:
                self._left.remove(offered)
                return [offered]
        amount = request["scalar"]["value"]
        for offered in self._left if identity in self._makeable else ():
            is_disk = _is_same_kind(offered, request) and _is_divisible(offered)
            if is_disk and offered["scalar"]["value"] + _SMALLEST >= amount:
                offered["scalar"]["value"] -= amount
                return [self._make(copy.deepcopy(offered) | {"scalar": {"value": amount}}, request)]
        return None

    def _make(self, disk: Message, request: Message) -> Message:
        own = {"principal": self._principal} if self._principal else {}
        if not disk.get("reservations"):
            disk = disk | {"reservations": [each | own for each in request["reservations"]]}
            self.operations.append({"type": "RESERVE", "reserve": {"resources": [disk]}})
        wanted = request["disk"]
        kept = disk.get("disk", {}) | wanted | {"persistence": wanted["persistence"] | own}
        volume = disk | {"disk": kept}
        self.operations.append({"type": "CREATE", "create": {"volumes": [volume]}})
        return volume


def volume_id(resource: Message) -> str:
    """The id of a persistent volume; empty for another resource."""
    return str(resource.get("disk", {}).get("persistence", {}).get("id", ""))


def _is_divisible(offered: Message) -> bool:
    """Whether a part of it may be taken: not of a persistent volume, and of no disk that is whole or not at all."""
    disk = offered.get("disk", {})
    return "persistence" not in disk and disk.get("source", {}).get("type", "PATH") == "PATH"


def _is_same_kind(offered: Message, request: Message) -> bool:
    return bool(offered["name"] == request["name"]) and ("revocable" in offered) == ("revocable" in request)


def _take_scalar(candidates: list[Message], amount: float) -> list[Message] | None:
    taken = []
    for offered in candidates:
        part = min(amount, offered["scalar"]["value"])
        if part < _SMALLEST:
            continue
        taken.append(copy.deepcopy(offered) | {"scalar": {"value": round(part, 6)}})
        offered["scalar"]["value"] -= part
        amount -= part
    return None if amount > _SMALLEST else taken


def _take_any_ports(candidates: list[Message], count: int) -> list[Message] | None:
    taken = []
    for offered in candidates:
        for span in offered["ranges"]["range"]:
            size = min(count, span["end"] - span["begin"] + 1)
            if size > 0:
                taken.append(_ranges(offered, span["begin"], span["begin"] + size - 1))
                span["begin"] += size
                count -= size
    return None if count else taken


def _take_ranges(candidates: list[Message], request: Message) -> list[Message] | None:
    taken = []
    for span in request["ranges"]["range"]:
        home = next((offered for offered in candidates if _split(offered, span["begin"], span["end"])), None)
        if home is None:
            return None
        taken.append(_ranges(home, span["begin"], span["end"]))
    return taken


def _split(offered: Message, begin: int, end: int) -> bool:
    """Cut `begin` to `end` out of one offered range."""
    spans = offered["ranges"]["range"]
    for span in spans:
        if span["begin"] <= begin and end <= span["end"]:
            spans.append({"begin": end + 1, "end": span["end"]})
            span["end"] = begin - 1
            return True
    return False


def _ranges(offered: Message, begin: int, end: int) -> Message:
    return copy.deepcopy(offered) | {"ranges": {"range": [{"begin": begin, "end": end}]}}


def place(pool: Pool, agent_id: str, tasks: Sequence[Message], executor: Message | None) -> list[Message] | None:
    """The tasks, ready for a LAUNCH on that agent, or None if the pool does not hold their resources."""
    placed = []
    for task in tasks:
        if (taken := pool.take(task["resources"])) is None:
            return None
        ready = copy.deepcopy(task) | {"agent_id": {"value": agent_id}, "resources": taken}
        placed.append(ready | {"executor": executor} if executor else ready)
    return placed


def equip(pool: Pool, framework_id: str, executor: Message) -> Message | None:
    """The executor with its resources out of the pool, or None if they are not there."""
    taken = pool.take(executor["resources"])
    if taken is None:
        return None
    return copy.deepcopy(executor) | {"resources": taken, "framework_id": {"value": framework_id}}
