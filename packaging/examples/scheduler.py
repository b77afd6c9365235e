#!/usr/bin/env python3
"""A scheduler in one page: regular pods, pods on revocable cpus beside them, and taking the revocable ones back.

    mesos-pod-executor executor-info >executor.json
    python3 scheduler.py MASTER:5050 executor.json --image docker.io/library/busybox:1.36

It launches one regular and two revocable pods under one executor, asks the executor by MESSAGE what runs, has it take
everything revocable back, prints the receipt, and ends. Needs pymesos, mesos_pods.py beside it, an agent that offers
revocable cpus, and what `mesos-pod-executor doctor` checks. One line of JSON for each thing that happens.
scheduler_http.py is the same without pymesos.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path
from typing import Any

import mesos_pods
import pymesos

Json = dict[str, Any]


class Example(pymesos.Scheduler):  # type: ignore[misc] # pymesos has no types
    def __init__(self, executor: Json, image: str) -> None:
        self.done = threading.Event()
        self.failed = ""
        self._placer = mesos_pods.Placer(executor)
        self._pods = [wanted("web", image), *(wanted(f"batch-{n}", image, revocable=True) for n in range(2))]
        self._offers: dict[str, list[Json]] = {}
        self._launched = False
        self._running: set[str] = set()

    def resourceOffers(self, driver: Any, offers: list[Json]) -> None:  # noqa: N802
        """Regular and revocable resources of one agent may come in different offers: they are put together."""
        for offer in offers:
            self._offers.setdefault(offer["agent_id"]["value"], []).append(offer)
        for agent, known in list(self._offers.items()):
            tasks = None if self._launched else self._placer.place(driver.framework_id, known, self._pods)
            if tasks:
                self._launched = True
                driver.launchTasks([offer["id"] for offer in known], tasks)
                driver.suppressOffers()
            elif self._launched:
                for offer in known:
                    driver.declineOffer(offer["id"])
            else:
                continue  # the other part of this agent's resources comes in another offer
            del self._offers[agent]

    def offerRescinded(self, driver: Any, offer_id: Json) -> None:  # noqa: ARG002, N802
        for known in self._offers.values():
            known[:] = [offer for offer in known if offer["id"] != offer_id]

    def executorLost(self, driver: Any, executor_id: Json, agent_id: Json, status: int) -> None:  # noqa: ARG002, N802
        """Also the end of the last pod of an executor without cpus: with status 9, which is not a failure of it."""
        tell("executor", executor=executor_id["value"], status=status)
        self._placer.forget(agent_id["value"])

    def statusUpdate(self, driver: Any, update: Json) -> None:  # noqa: N802
        status = mesos_pods.Status.of(update)
        tell("status", task=status.task_id, state=status.state, reason=status.reason or None, message=status.message,
             next=status.next.name)  # fmt: skip
        if status.state == "TASK_RUNNING":
            self._running.add(status.task_id)
            if len(self._running) == len(self._pods):
                send(driver, update, mesos_pods.listing("example-list"))
                everything = mesos_pods.revoke("example-1", {"all": True}, grace="1s", reason="an example")
                send(driver, update, everything)
        elif status.task_id == "web" and status.state == "TASK_KILLED":
            self.done.set()
        elif status.next in (mesos_pods.Next.CORRECT, mesos_pods.Next.AGAIN, mesos_pods.Next.ELSEWHERE):
            self._fail(f"{status.task_id}: {status.state}: {status.message}")

    def frameworkMessage(self, driver: Any, executor_id: Json, agent_id: Json, message: str) -> None:  # noqa: N802
        """Every revocation's receipt comes, no matter who asked for it; so does the answer to a refused request."""
        answer = mesos_pods.Answer.of(message)
        tell("message", executor=executor_id["value"], agent=agent_id["value"], **{answer.kind: answer.body})
        if answer.kind == "error" or (answer.kind == "revocation" and not answer.body["regular"]["unchanged"]):
            self._fail(json.dumps(answer.body))
        elif answer.kind == "revocation" and answer.is_final:
            driver.killTask({"value": "web"})

    def error(self, driver: Any, message: str) -> None:  # noqa: ARG002
        self._fail(message)

    def _fail(self, why: str) -> None:
        self.failed = self.failed or why
        self.done.set()


def wanted(name: str, image: str, *, revocable: bool = False) -> mesos_pods.Wanted:
    """A pod that sleeps."""
    container = {"name": "main", "image": image, "command": ["sleep", "3600"]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "demo"}}, "spec": spec}
    return mesos_pods.Wanted(name, pod, cpus=0.1, mem=32, revocable=revocable)


def send(driver: Any, update: Json, data: str) -> None:
    driver.sendFrameworkMessage(update["executor_id"], update["agent_id"], data)


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
    framework["capabilities"] = [{"type": each} for each in mesos_pods.CAPABILITIES]
    example = Example(json.loads(arguments.executor.read_text()), arguments.image)
    driver = pymesos.MesosSchedulerDriver(example, framework, arguments.master)
    driver.start()
    if not example.done.wait(arguments.timeout):
        example.failed = "it took too long"
    driver.stop()
    driver.join()
    tell("end", failed=example.failed)
    return 1 if example.failed else 0


if __name__ == "__main__":
    sys.exit(main())
