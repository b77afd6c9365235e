#!/usr/bin/env python3
"""Stands in for mesos-executor: runs each task's shell command, over Mesos' v1 executor interface.

Used as the agent's command executor and, by its path, as a custom executor of tests. There a task has no command: its
data is taken for one, and without data it runs until it is killed. Resubscribes after an agent restart and sends again
what was not acknowledged. For tests to look at: `executor.jsonl` in its sandbox holds every event with its time, and a
MESSAGE is answered by itself. Lives in the agent's build directory as a copy: standard library only.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

Message = dict[str, Any]
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_RETRY_S = 0.2
_IDLE_EXIT_S = 1.0  # after the last acknowledgement of a command executor's only task
_GRACE_S = 3.0


class Executor:
    def __init__(self) -> None:
        environment = os.environ
        self.ids = {
            "executor_id": {"value": environment["MESOS_EXECUTOR_ID"]},
            "framework_id": {"value": environment["MESOS_FRAMEWORK_ID"]},
        }
        self.agent = environment["MESOS_AGENT_ENDPOINT"]
        self.checkpoint = environment.get("MESOS_CHECKPOINT") == "1"
        self.one_task = len(sys.argv) > 1  # the agent passes --launcher_dir to its command executor
        self.lock = threading.RLock()
        self.tasks: dict[str, Message] = {}
        self.updates: dict[str, Message] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.killed: set[str] = set()
        self.kill_policies: dict[str, Message] = {}
        self.tells_killing = False
        self.journal = Path("executor.jsonl")

    def note(self, kind: str, value: object) -> None:
        with self.journal.open("a") as journal:
            journal.write(json.dumps({"at_s": time.time(), "kind": kind, "value": value}) + "\n")

    def run(self) -> None:
        self.note("start", {"pid": os.getpid(), "environment": dict(os.environ)})
        while True:
            try:
                self.subscribe()
            except (OSError, http.client.HTTPException) as error:
                self.note("disconnected", repr(error))
            if not self.checkpoint:
                os._exit(1)
            time.sleep(_RETRY_S)

    def subscribe(self) -> None:
        with self.lock:
            pending = {
                "unacknowledged_tasks": list(self.tasks.values()),
                "unacknowledged_updates": list(self.updates.values()),
            }
        connection, response = self.post({"type": "SUBSCRIBE", "subscribe": pending, **self.ids})
        if response.status != 200:
            self.note("refused", response.read().decode())
            return
        buffer = b""
        while data := response.read1(1 << 16):
            buffer += data
            while b"\n" in buffer:
                length, _, rest = buffer.partition(b"\n")
                if len(rest) < int(length):
                    break
                buffer = rest[int(length) :]
                self.handle(json.loads(rest[: int(length)]))
        connection.close()

    def post(self, message: Message) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.agent)
        connection.request("POST", "/api/v1/executor", json.dumps(message), _JSON)
        return connection, connection.getresponse()

    def handle(self, event: Message) -> None:
        self.note("event", event)
        body = event.get(event["type"].lower(), {})
        match event["type"]:
            case "SUBSCRIBED":
                capabilities = body["framework_info"].get("capabilities", [])
                self.tells_killing = any(each["type"] == "TASK_KILLING_STATE" for each in capabilities)
            case "LAUNCH":
                self.launch(body["task"])
            case "LAUNCH_GROUP":
                for task in body["task_group"]["tasks"]:
                    self.launch(task)
            case "KILL":
                self.kill(body["task_id"]["value"], body.get("kill_policy"))
            case "ACKNOWLEDGED":
                self.acknowledged(body["uuid"])
            case "MESSAGE":
                self.call("MESSAGE", {"data": body["data"]})
            case "SHUTDOWN":
                os._exit(0)

    def launch(self, task: Message) -> None:
        task_id = task["task_id"]["value"]
        command = task.get("command", {})
        self.tasks[task_id] = task
        self.kill_policies[task_id] = task.get("kill_policy", {})
        variables = command.get("environment", {}).get("variables", [])
        environment = os.environ | {variable["name"]: variable.get("value", "") for variable in variables}
        line = command.get("value") or base64.b64decode(task.get("data", "")).decode() or "exec sleep infinity"
        argv = ["sh", "-c", line] if command.get("shell", True) else command.get("arguments") or [line]
        try:
            child = subprocess.Popen(argv, env=environment, start_new_session=True)
        except OSError as error:
            self.update(task_id, "TASK_FAILED", message=str(error), reason="REASON_TASK_INVALID")
            return
        self.running[task_id] = child
        self.update(task_id, "TASK_STARTING")
        self.update(task_id, "TASK_RUNNING", message=f"pid {child.pid}")
        threading.Thread(target=self.wait, args=(task_id, child), daemon=True).start()

    def wait(self, task_id: str, child: subprocess.Popen[bytes]) -> None:
        code = child.wait()
        state = "TASK_KILLED" if task_id in self.killed else "TASK_FAILED" if code else "TASK_FINISHED"
        self.update(task_id, state, message=f"Command exited with status {code}")

    def kill(self, task_id: str, policy: Message | None) -> None:
        child = self.running.get(task_id)
        if child is None or task_id in self.killed:
            return
        self.killed.add(task_id)
        policy = policy or self.kill_policies[task_id]
        grace_s = policy.get("grace_period", {}).get("nanoseconds", _GRACE_S * 1e9) / 1e9
        if self.tells_killing:  # the agent ends an executor that tells it to another framework
            self.update(task_id, "TASK_KILLING")
        _signal_group(child, signal.SIGTERM)
        threading.Timer(grace_s, _signal_group, (child, signal.SIGKILL)).start()

    def update(self, task_id: str, state: str, **fields: object) -> None:
        key = base64.b64encode(uuid.uuid4().bytes).decode()
        status = {"task_id": {"value": task_id}, "state": state, "source": "SOURCE_EXECUTOR", "uuid": key, **fields}
        status |= {"executor_id": self.ids["executor_id"], "timestamp": time.time()}
        with self.lock:
            self.updates[key] = {"status": status}
            self.call("UPDATE", {"status": status})

    def acknowledged(self, key: str) -> None:
        with self.lock:
            update = self.updates.pop(key, None)
            if update is None:
                return
            task_id, state = update["status"]["task_id"]["value"], update["status"]["state"]
            self.tasks.pop(task_id, None)
        if self.one_task and state in ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED"):
            threading.Timer(_IDLE_EXIT_S, os._exit, (0,)).start()

    def call(self, kind: str, body: Message) -> None:
        try:
            connection, response = self.post({"type": kind, kind.lower(): body, **self.ids})
            if response.status != 202:
                self.note("refused", response.read().decode())
            connection.close()
        except (OSError, http.client.HTTPException) as error:  # kept in self.updates until the agent is back
            self.note("undelivered", repr(error))


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.poll() is None:
        os.killpg(child.pid, number)


if __name__ == "__main__":
    Executor().run()
