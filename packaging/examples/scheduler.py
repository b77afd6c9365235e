#!/usr/bin/env python3
"""A scheduler in one page: regular pods, pods on borrowed cpus beside them, and taking the borrowed ones back.

    mesos-pod-executor executor-info >executor.json
    python3 scheduler.py MASTER:5050 executor.json --image docker.io/library/busybox:1.36

It launches one regular and two revocable pods under one executor, asks the executor by MESSAGE to take everything
borrowed back, prints the receipt, and ends. Needs pymesos, an agent that offers revocable cpus (a resource estimator),
and what `mesos-pod-executor doctor` checks. One line of JSON for each thing that happens.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pymesos

Json = dict[str, Any]
CAPABILITIES = ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE", "REVOCABLE_RESOURCES")
"""PARTITION_AWARE: a revoked task is TASK_GONE, else TASK_LOST. TASK_KILLING_STATE: TASK_KILLING comes before."""


class Demo(pymesos.Scheduler):  # type: ignore[misc] # pymesos has no types
    def __init__(self, executor: Json, image: str) -> None:
        self.done = threading.Event()
        self.failed = ""
        self._executor = executor
        self._pods = [("web", False), ("batch-0", True), ("batch-1", True)]
        self._image = image
        self._offers: dict[str, list[Json]] = {}
        self._launched = False
        self._running: set[str] = set()

    def resourceOffers(self, driver: Any, offers: list[Json]) -> None:  # noqa: N802
        """Regular and revocable resources of one agent may come in different offers: they are put together."""
        for offer in offers:
            self._offers.setdefault(offer["agent_id"]["value"], []).append(offer)
        for agent, known in self._offers.items():
            tasks = None if self._launched else self._place(driver.framework_id, agent, known)
            if tasks:
                self._launched = True
                driver.launchTasks([offer["id"] for offer in known], tasks)
                driver.suppressOffers()

    def _place(self, framework: str, agent: str, offers: list[Json]) -> list[Json] | None:
        left = [json.loads(json.dumps(resource)) for offer in offers for resource in offer["resources"]]
        try:
            own = [take(left, each["name"], each["scalar"]["value"]) for each in self._executor["resources"]]
            executor = {**self._executor, "resources": own, "framework_id": {"value": framework}}
            return [self._task(name, agent, executor, left, revocable=revocable) for name, revocable in self._pods]
        except LookupError:
            return None

    def _task(self, name: str, agent: str, executor: Json, left: list[Json], *, revocable: bool) -> Json:
        """A pod borrows its cpus only: the executor's own memory is regular, and Mesos forbids to mix one resource."""
        container = {"name": "main", "image": self._image, "command": ["sleep", "3600"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "demo"}},
            "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]},
        }
        return {
            "name": name,
            "task_id": {"value": name},
            "agent_id": {"value": agent},
            "executor": executor,
            "resources": [take(left, "cpus", 0.1, revocable=revocable), take(left, "mem", 32)],
            "data": base64.b64encode(json.dumps(pod).encode()).decode(),
        }

    def statusUpdate(self, driver: Any, update: Json) -> None:  # noqa: N802
        task, state = update["task_id"]["value"], update["state"]
        tell("status", task=task, state=state, reason=update.get("reason"), message=update.get("message"))
        if state == "TASK_RUNNING":
            self._running.add(task)
            if len(self._running) == len(self._pods):
                request = {
                    "revoke": {"id": "example-1", "select": {"all": True}, "grace": "1s", "reason": "an example"}
                }
                data = base64.b64encode(json.dumps(request).encode()).decode()
                driver.sendFrameworkMessage(update["executor_id"], update["agent_id"], data)
        elif task == "web" and state == "TASK_KILLED":
            self.done.set()
        elif state in ("TASK_FAILED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED"):
            self._fail(f"{task}: {state}: {update.get('message')}")

    def frameworkMessage(self, driver: Any, executor_id: Json, agent_id: Json, message: str) -> None:  # noqa: N802
        """Every revocation's receipt comes, no matter who asked for it; so does the answer to a refused request."""
        document = json.loads(base64.b64decode(message))
        tell("message", executor=executor_id["value"], agent=agent_id["value"], **document)
        if "error" in document or not document["revocation"]["regular"]["unchanged"]:
            self._fail(json.dumps(document))
        elif document["revocation"]["state"] == "done":
            driver.killTask({"value": "web"})

    def error(self, driver: Any, message: str) -> None:  # noqa: ARG002
        self._fail(message)

    def _fail(self, why: str) -> None:
        self.failed = self.failed or why
        self.done.set()


def take(left: list[Json], name: str, amount: float, *, revocable: bool = False) -> Json:
    """A part of an offered resource, with all that the offer says of it (role, provider). Raises LookupError."""
    for resource in left:
        same = resource["name"] == name and ("revocable" in resource) == revocable
        if same and resource["scalar"]["value"] >= amount:
            resource["scalar"]["value"] -= amount
            return {**resource, "scalar": {"value": amount}}
    raise LookupError(name)


def tell(what: str, **facts: Any) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("master", metavar="HOST:PORT")
    parser.add_argument("executor", type=Path, help="what `mesos-pod-executor executor-info` printed")
    parser.add_argument("--image", required=True, help="an image that the node has, with the program sleep")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds (60)")
    arguments = parser.parse_args()
    framework = {"user": "root", "name": "example", "roles": ["*"], "checkpoint": True}
    framework["capabilities"] = [{"type": each} for each in CAPABILITIES]
    demo = Demo(json.loads(arguments.executor.read_text()), arguments.image)
    driver = pymesos.MesosSchedulerDriver(demo, framework, arguments.master)
    driver.start()
    if not demo.done.wait(arguments.timeout):
        demo.failed = "it took too long"
    driver.stop()
    driver.join()
    tell("end", failed=demo.failed)
    return 1 if demo.failed else 0


if __name__ == "__main__":
    sys.exit(main())
