#!/usr/bin/env python3
"""scheduler.py without a client library: the v1 scheduler API of Mesos over plain HTTP, with the standard library only.

    mesos-pod-executor executor-info >executor.json
    python3 scheduler_http.py MASTER:5050 executor.json --image docker.io/library/busybox:1.36

It launches one regular and two revocable pods, asks what runs, takes everything revocable back, kills the regular pod
and ends. Needs mesos_pods.py beside it. One line of JSON for each event. A scheduler for every day also subscribes
again when its stream ends, follows a redirect to the leading master, and reconciles.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mesos_pods

Json = dict[str, Any]
_PATH = "/api/v1/scheduler"
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Master:
    """Events come on one connection, calls go over others, with the id of the stream."""

    def __init__(self, address: str, framework: Json, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._framework_id: Json = {}
        stream = http.client.HTTPConnection(address, timeout=timeout_s)
        subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": framework}}
        stream.request("POST", _PATH, json.dumps(subscribe), _HEADERS)
        self._events = stream.getresponse()
        if self._events.status != 200:
            raise OSError(f"SUBSCRIBE: {self._events.status} {self._events.read().decode()}")
        self._stream_id = self._events.headers["Mesos-Stream-Id"]

    @property
    def framework_id(self) -> str:
        return str(self._framework_id["value"])

    def events(self) -> Iterator[Json]:
        """RecordIO: a length in decimal, a line feed, and that many bytes."""
        while length := self._events.readline():
            event: Json = json.loads(self._events.read(int(length)))
            if event["type"] == "SUBSCRIBED":
                self._framework_id = event["subscribed"]["framework_id"]
            yield event

    def call(self, kind: str, body: Json | None = None) -> None:
        """Raises OSError where the master refuses it."""
        message = {"type": kind, "framework_id": self._framework_id}
        message |= {} if body is None else {kind.lower(): body}
        connection = http.client.HTTPConnection(self._address, timeout=self._timeout_s)
        connection.request("POST", _PATH, json.dumps(message), {**_HEADERS, "Mesos-Stream-Id": self._stream_id})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status != 202:
            raise OSError(f"{kind}: {answer.status} {text}")


class Example:
    def __init__(self, master: Master, executor: Json, image: str) -> None:
        self.failed = ""
        self._master, self._placer = master, mesos_pods.Placer(executor)
        self._pods = [wanted("web", image), *(wanted(f"batch-{n}", image, revocable=True) for n in range(2))]
        self._offers: list[Json] = []
        self._launched = False
        self._running: set[str] = set()

    def run(self) -> None:
        """Until the regular pod has been killed, or something failed."""
        for event in self._master.events():
            kind = event["type"]
            if kind == "OFFERS":
                self._offered(event["offers"]["offers"])
            elif kind == "RESCIND":
                self._offers = [each for each in self._offers if each["id"] != event["rescind"]["offer_id"]]
            elif kind == "UPDATE":
                if self._updated(event["update"]["status"]):
                    return
            elif kind == "MESSAGE":
                self._answered(event["message"])
            elif kind == "FAILURE" and "executor_id" in event["failure"]:  # status 9: also the end of its last pod
                tell("executor", **event["failure"])
                self._placer.forget(event["failure"]["agent_id"]["value"])
            elif kind == "ERROR":
                self.failed = event["error"]["message"]
            if self.failed:
                return

    def _offered(self, offers: list[Json]) -> None:
        if self._launched:
            self._master.call("DECLINE", mesos_pods.decline(offers))
            return
        self._offers += offers
        for agent in {each["agent_id"]["value"] for each in self._offers}:
            own = [each for each in self._offers if each["agent_id"]["value"] == agent]
            tasks = self._placer.place(self._master.framework_id, own, self._pods)
            if tasks and not self._launched:
                self._launched = True
                self._master.call("ACCEPT", mesos_pods.accept(own, tasks))
                self._master.call("SUPPRESS")
                if others := [each for each in self._offers if each not in own]:
                    self._master.call("DECLINE", mesos_pods.decline(others))
                self._offers.clear()

    def _updated(self, update: Json) -> bool:
        """Acknowledges it; whether everything is done."""
        if "uuid" in update:
            self._master.call("ACKNOWLEDGE", {key: update[key] for key in ("agent_id", "task_id", "uuid")})
        status = mesos_pods.Status.of(update)
        tell("status", task=status.task_id, state=status.state, reason=status.reason or None, message=status.message,
             next=status.next.name)  # fmt: skip
        if status.state == "TASK_RUNNING":
            self._running.add(status.task_id)
            if len(self._running) == len(self._pods):
                self._send(update, mesos_pods.listing("example-list"))
                self._send(update, mesos_pods.revoke("example-1", {"all": True}, grace="1s", reason="an example"))
        elif status.next in (mesos_pods.Next.CORRECT, mesos_pods.Next.AGAIN, mesos_pods.Next.ELSEWHERE):
            self.failed = f"{status.task_id}: {status.state}: {status.message}"
        return status.task_id == "web" and status.state == "TASK_KILLED"

    def _send(self, update: Json, data: str) -> None:
        self._master.call("MESSAGE", {**{key: update[key] for key in ("agent_id", "executor_id")}, "data": data})

    def _answered(self, message: Json) -> None:
        answer = mesos_pods.Answer.of(message["data"])
        tell("message", executor=message["executor_id"]["value"], **{answer.kind: answer.body})
        if answer.kind == "error" or (answer.kind == "revocation" and not answer.body["regular"]["unchanged"]):
            self.failed = json.dumps(answer.body)
        elif answer.kind == "revocation" and answer.is_final:
            self._master.call("KILL", {"task_id": {"value": "web"}})


def wanted(name: str, image: str, *, revocable: bool = False) -> mesos_pods.Wanted:
    """A pod that sleeps."""
    container = {"name": "main", "image": image, "command": ["sleep", "3600"]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "demo"}}, "spec": spec}
    return mesos_pods.Wanted(name, pod, cpus=0.1, mem=32, revocable=revocable)


def tell(what: str, **facts: Any) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("master", metavar="HOST:PORT")
    parser.add_argument("executor", type=Path, help="what `mesos-pod-executor executor-info` printed")
    parser.add_argument("--image", required=True, help="an image that the node has, with the program sleep")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds without an event (60)")
    arguments = parser.parse_args()
    framework = {"user": "root", "name": "example", "roles": ["*"], "checkpoint": True}
    framework["capabilities"] = [{"type": each} for each in mesos_pods.CAPABILITIES]
    master = Master(arguments.master, framework, arguments.timeout)
    example = Example(master, json.loads(arguments.executor.read_text()), arguments.image)
    try:
        example.run()
    except OSError as error:
        example.failed = str(error)
    finally:
        master.call("TEARDOWN")
    tell("end", failed=example.failed)
    return 1 if example.failed else 0


if __name__ == "__main__":
    sys.exit(main())
