"""A small v1 scheduler for tests and the demo (docs/scheduler-http-api.md).

One thread reads the event stream, another acknowledges updates; every method blocks and may be called from any
thread. It keeps the whole history: a test asks afterwards what was seen, and when.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from executor.mesos import offers as allocation
from tests.support.mesos import messages
from tests.support.mesos.history import Event, History, Status, UnexpectedError
from tests.support.mesos.http import CallError, Connection, Message, Stream, call
from tests.support.mesos.lost import LOST, Launches

__all__ = ["CAPABILITIES", "DISCONNECTED", "Event", "Scheduler", "Status", "UnexpectedError"]

_PATH = "/api/v1/scheduler"
CAPABILITIES = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE", "TASK_KILLING_STATE", "REVOCABLE_RESOURCES")
DISCONNECTED = "_DISCONNECTED"
"""The type of the event that marks the end of a stream."""


class Scheduler(History):
    """Subscribed while in its `with` block; leaving that tears the framework down, and with it all its executors.

    With `acknowledge` off, Mesos sends each task's first update again and again and holds back the later ones.
    """

    def __init__(
        self,
        master: str,
        *,
        name: str = "test",
        roles: Sequence[str] = ("*",),
        capabilities: Sequence[str] = CAPABILITIES,
        checkpoint: bool = True,
        failover_timeout_s: float = 600.0,
        acknowledge: bool = True,
    ) -> None:
        super().__init__()
        self.acknowledge = acknowledge
        self.framework_id = ""
        self.roles = tuple(roles)
        self._master = master
        self._info: Message = {
            "user": "root",
            "name": name,
            "roles": list(roles),
            "checkpoint": checkpoint,
            "failover_timeout": failover_timeout_s,
            "capabilities": [{"type": capability} for capability in capabilities],
        }
        self._offers: dict[str, Message] = {}
        self._executors: dict[tuple[str, str], Message] = {}
        self._agent_of: dict[str, str] = {}
        self._stream: Stream | None = None
        self._acknowledgements: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._launches = Launches()

    def __enter__(self) -> Self:
        self._spawn(self._send_acknowledgements)
        self.subscribe()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, CallError):
            self.call("TEARDOWN")
        self.disconnect()
        self._acknowledgements.put(None)
        for thread in self._threads:
            thread.join(10)

    def subscribe(self, *, timeout_s: float = 10.0) -> None:
        """Also to come back under the same id, after `disconnect` or a new master."""
        message: Message = {"type": "SUBSCRIBE", "subscribe": {"framework_info": self._info}}
        if self.framework_id:
            self._info["id"] = message["framework_id"] = {"value": self.framework_id}
        start = self.mark()
        self._stream = stream = Stream(self._master, _PATH, message)
        self._spawn(lambda: self._read(stream))
        event = self.wait_event("SUBSCRIBED", timeout_s=timeout_s, start=start)
        self.framework_id = event.body["subscribed"]["framework_id"]["value"]

    def disconnect(self) -> None:
        """Drop the stream, as a scheduler that dies does; the framework and its tasks stay."""
        if self._stream is not None:
            self._stream.close()

    def call(self, kind: str, body: Message | None = None) -> None:
        """Any call of the interface by its type; raises http.CallError or OSError."""
        call(self._master, _PATH, self._message(kind, body), self._headers())

    # --- offers, launching

    def offers(self) -> list[Message]:
        with self.changed:
            return list(self._offers.values())

    def wait_offers(self, wanted: Callable[[list[Message]], bool] = bool, timeout_s: float = 10.0) -> list[Message]:
        """The offers at hand, as soon as they satisfy `wanted`."""
        return self.wait(
            lambda: offers if wanted(offers := self.offers()) else None,
            timeout_s,
            lambda: f"the offers wanted did not come, only {self._offers}",
        )

    def launch(
        self,
        tasks: Sequence[Message],
        executor: Message | None = None,
        *,
        group: bool = False,
        role: str | None = None,
        agent_id: str | None = None,
        timeout_s: float = 10.0,
    ) -> str:
        """Launch on one agent what messages.py built, with resources out of its offers; returns the agent's id.

        Without an executor each task is run by the command executor. An executor that lives already is named again
        as it was launched, and an offer that was rescinded meanwhile makes no difference (lost.py). Raises
        UnexpectedError if the offers do not suffice in time.
        """
        offer_ids, agent, operation = self.wait(
            lambda: self._find_place(tasks, executor, group=group, role=role or self.roles[0], agent_id=agent_id),
            timeout_s,
            lambda: f"no agent offers enough for {[task['name'] for task in tasks]}, only {self._offers}",
        )
        again = partial(self.launch, tasks, executor, group=group, role=role, agent_id=agent)
        self._launches.sent((task["task_id"]["value"] for task in tasks), again)
        self.accept(offer_ids, [operation])
        return agent

    def _find_place(
        self, tasks: Sequence[Message], executor: Message | None, *, group: bool, role: str, agent_id: str | None
    ) -> tuple[list[str], str, Message] | None:
        for agent, offers in self._offers_by_agent(role, agent_id).items():
            pool = allocation.Pool(offers)
            info = None
            if executor is not None:
                key = (agent, executor["executor_id"]["value"])
                info = self._executors.get(key) or allocation.equip(pool, self.framework_id, executor)
                if info is None:
                    continue
            placed = allocation.place(pool, agent, tasks, None if group else info)
            if placed is None:
                continue
            if info is not None:
                self._executors[key] = info
            self._agent_of |= {task["task_id"]["value"]: agent for task in tasks}
            ids = [offer["id"]["value"] for offer in offers]
            if group and info is not None:
                return ids, agent, messages.launch_group_operation(info, placed)
            return ids, agent, messages.launch_operation(placed)
        return None

    def _offers_by_agent(self, role: str, agent_id: str | None) -> dict[str, list[Message]]:
        found: dict[str, list[Message]] = {}
        for offer in self._offers.values():
            agent = offer["agent_id"]["value"]
            if offer.get("allocation_info", {}).get("role", "*") == role and agent_id in (None, agent):
                found.setdefault(agent, []).append(offer)
        return found

    def accept(self, offer_ids: Iterable[str], operations: Sequence[Message], *, refuse_s: float = 0.0) -> None:
        """The bare ACCEPT call: operations are sent as they are, none declines."""
        ids = [{"value": offer_id} for offer_id in offer_ids]
        with self.changed:
            for offer_id in ids:
                self._offers.pop(offer_id["value"], None)
        self.call("ACCEPT", {"offer_ids": ids, "operations": list(operations), "filters": {"refuse_seconds": refuse_s}})

    # --- tasks, executors

    def kill(self, task_id: str, *, grace_s: float | None = None) -> None:
        """`grace_s` becomes the call's own kill_policy; without it the call has none."""
        body: Message = {"task_id": {"value": task_id}}
        if task_id in self._agent_of:
            body["agent_id"] = {"value": self._agent_of[task_id]}
        if grace_s is not None:
            body["kill_policy"] = messages.kill_policy(grace_s)
        self.call("KILL", body)

    def message(self, agent_id: str, executor_id: str, data: bytes) -> None:
        text = base64.b64encode(data).decode()
        self.call("MESSAGE", {**_executor(agent_id, executor_id), "data": text})

    def messages(self, executor_id: str | None = None, *, start: int = 0) -> list[bytes]:
        """What executors have sent."""
        bodies = [event.body["message"] for event in self.events[start:] if event.type == "MESSAGE"]
        wanted = [body for body in bodies if executor_id in (None, body["executor_id"]["value"])]
        return [base64.b64decode(body.get("data", "")) for body in wanted]

    def wait_message(
        self, matches: Callable[[bytes], bool] = bool, timeout_s: float = 10.0, *, start: int = 0
    ) -> bytes:
        def look() -> bytes | None:
            return next((data for data in self.messages(start=start) if matches(data)), None)

        return self.wait(look, timeout_s, lambda: "no such message came from an executor")

    def shutdown_executor(self, agent_id: str, executor_id: str) -> None:
        self.call("SHUTDOWN", _executor(agent_id, executor_id))

    def reconcile(self, task_ids: Iterable[str] = ()) -> None:
        """The answers come as updates without uuid; no task ids means all that the master knows."""
        self.call("RECONCILE", {"tasks": [{"task_id": {"value": task_id}} for task_id in task_ids]})

    def wait_forgotten(self, task_id: str, timeout_s: float = 20.0) -> None:
        """Until the master has taken the acknowledgement of its terminal status, so that its id may be used again."""
        deadline = time.monotonic() + timeout_s
        while True:
            start = self.mark()
            self.reconcile([task_id])
            if self.wait_status(task_id, {*messages.TERMINAL, "TASK_UNKNOWN"}, start=start).state == "TASK_UNKNOWN":
                return
            if time.monotonic() > deadline:
                raise UnexpectedError(f"the master still knows {task_id}:\n{self}")
            time.sleep(0.05)

    def acknowledge_all(self) -> None:
        """Every update seen so far (for `acknowledge=False`)."""
        for status in self.statuses():
            self._acknowledge(status.raw)

    # --- threads

    def _spawn(self, target: Callable[[], object]) -> None:
        thread = threading.Thread(target=target, name=f"scheduler {self._info['name']}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, stream: Stream) -> None:
        for body in stream:
            if body["type"] != "HEARTBEAT":
                self._take(body)
        self._take({"type": DISCONNECTED})

    def _take(self, body: Message) -> None:
        event = Event(time.time(), body["type"], body)
        if (again := self._launches.lost(event)) is not None:
            self._spawn(again)
            event = Event(event.at_s, LOST, body)
        with self.changed:
            self.events.append(event)
            self._follow(event)
            self.changed.notify_all()
        if event.type == "UPDATE" and self.acknowledge:
            self._acknowledge(body["update"]["status"])

    def _follow(self, event: Event) -> None:
        match event.type:
            case "OFFERS":
                self._offers |= {offer["id"]["value"]: offer for offer in event.body["offers"]["offers"]}
            case "RESCIND":
                self._offers.pop(event.body["rescind"]["offer_id"]["value"], None)
            case "FAILURE":
                self._forget(event.body["failure"])
            case "_DISCONNECTED":
                self._offers.clear()

    def _forget(self, failure: Message) -> None:
        """An executor that ended, or a whole agent with all its executors."""
        agent, executor = (failure.get(key, {}).get("value") for key in ("agent_id", "executor_id"))
        for key in [key for key in self._executors if key[0] == agent and executor in (None, key[1])]:
            del self._executors[key]

    def _acknowledge(self, status: Message) -> None:
        if "uuid" in status:
            self._acknowledgements.put({key: status[key] for key in ("agent_id", "task_id", "uuid")})

    def _send_acknowledgements(self) -> None:
        with contextlib.closing(Connection(self._master, _PATH)) as connection:
            while (body := self._acknowledgements.get()) is not None:
                with contextlib.suppress(OSError, http.client.HTTPException, CallError):  # Mesos sends the update again
                    connection.call(self._message("ACKNOWLEDGE", body), self._headers())

    def _message(self, kind: str, body: Message | None) -> Message:
        message: Message = {"type": kind, "framework_id": {"value": self.framework_id}}
        return message if body is None else message | {kind.lower(): body}

    def _headers(self) -> dict[str, str]:
        return self._stream.headers if self._stream is not None else {}


def _executor(agent_id: str, executor_id: str) -> Message:
    return {"agent_id": {"value": agent_id}, "executor_id": {"value": executor_id}}
