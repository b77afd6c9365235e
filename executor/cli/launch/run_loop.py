"""The loop of `run`: hears the master and the user, asks Progress, and acts."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from executor.cli.exits import Exit
from executor.cli.launch.progress import REFUSE_S, Progress, made_by, pod_of
from executor.cli.launch.remote_logs import RemoteLogs
from executor.cli.launch.run_shown import Shown
from executor.cli.printing import output
from executor.errors import ExecutorError, MesosFailure, Refused
from executor.mesos.scheduler import AgentFiles, Framework
from executor.mesos.status import TERMINAL

Json = dict[str, Any]
FAILOVER_S: Final = 15.0
"""How long the master keeps the pods of a `run` whose connection is lost, as that of one that was killed."""
RETRY_S: Final = 1.0
TICK_S: Final = 0.25
WAITING_S: Final = 10.0
"""How often is said why a pod still waits."""
_NO_EXECUTOR: Final = ("REASON_EXECUTOR_", "REASON_CONTAINER_LAUNCH_FAILED")
"""How the reasons begin with which an agent says that there is no executor."""
_LAST_BYTES: Final = 4096
_LAST_LINES: Final = 5
LOGS_S: Final = 10.0
"""How long what a container has written is read after its end."""


@dataclass(frozen=True)
class Stop:
    """The user asked for the end."""


@dataclass(frozen=True)
class Lost:
    """The stream of events ended."""

    error: ExecutorError


class Run:
    """One thread decides; another one reads the master's events, and one for each pod what it writes."""

    def __init__(self, framework: Framework, progress: Progress, shown: Shown, authorization: str) -> None:
        self._framework, self._progress, self._shown = framework, progress, shown
        self._authorization = authorization
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._logs: dict[str, RemoteLogs] = {}
        self._states: dict[str, tuple[str, str]] = {}
        self._explained: set[str] = set()
        self._stops = 0
        self._suppressed = False
        self._lost_s: float | None = None
        self._said = ("", time.monotonic())

    def run(self) -> int:
        """The exit code. Raises MesosFailure where the master cannot be reached, Refused where it refuses."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._inbox.put(Stop()))
        threading.Thread(target=self._read, name="events", daemon=True).start()
        try:
            while not self._progress.is_over:
                for heard in self._heard():
                    self._take(heard)
                if self._stops > 1 or (self._stops and not self._progress.living):
                    return (
                        self._progress.exit_code if self._progress.living == {} and self._states else Exit.INTERRUPTED
                    )
                self._act(time.monotonic())
            for logs in self._logs.values():
                logs.finish(LOGS_S)
            return self._progress.exit_code
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._framework.id:
            try:
                self._framework.call("TEARDOWN")
            except ExecutorError as error:
                self._shown.note(f"the master ends what is left after {FAILOVER_S:g} s: {error}")

    def _read(self) -> None:
        while True:
            try:
                for event in self._framework.events():
                    self._inbox.put(event)
            except ExecutorError as error:
                self._inbox.put(Lost(error))
            time.sleep(RETRY_S)

    def _heard(self) -> Sequence[Any]:
        found = []
        try:
            found.append(self._inbox.get(timeout=TICK_S))
            while True:
                found.append(self._inbox.get_nowait())
        except queue.Empty:
            return found

    def _take(self, heard: Any) -> None:
        match heard:
            case Stop():
                self._stop()
            case Lost(error):
                self._take_lost(error)
            case {"type": "SUBSCRIBED"}:
                self._progress.framework = self._framework.id
                self._lost_s = None
                self._suppressed = False
                if self._progress.volumes:
                    self._progress.take_volumes(self._framework.volumes(self._framework.info["roles"][0]))
                self._call("RECONCILE", {"tasks": [{"task_id": {"value": each}} for each in self._progress.living]})
            case {"type": "OFFERS", "offers": {"offers": offers}}:
                self._progress.take_offers(offers, time.monotonic())
            case {"type": "RESCIND", "rescind": {"offer_id": {"value": offer}}}:
                self._progress.take_rescind(offer)
            case {"type": "UPDATE", "update": {"status": status}}:
                self._take_status(status)
            case {"type": "FAILURE", "failure": failure} if "agent_id" in failure:
                executor = failure.get("executor_id", {}).get("value")
                self._progress.take_failure(failure["agent_id"]["value"], executor)
            case {"type": "ERROR", "error": {"message": message}}:
                raise Refused(message, subject=f"master {self._framework.master}", hint="is the role allowed to it?")

    def _take_lost(self, error: ExecutorError) -> None:
        now_s = time.monotonic()
        if not self._framework.id or (self._lost_s is not None and self._lost_s + FAILOVER_S < now_s):
            raise error
        if self._lost_s is None:
            self._lost_s = now_s
            self._shown.note(f"{error}; trying again for {FAILOVER_S:g} s")
        self._progress.take_lost()

    def _take_status(self, status: Json) -> None:
        if "uuid" in status:
            self._call("ACKNOWLEDGE", {key: status[key] for key in ("agent_id", "task_id", "uuid")})
        task, state = status["task_id"]["value"], status["state"]
        if self._progress.take_status(status):
            self._shown.note(f"{task} met an offer that was gone: it is launched again")
            return
        if task not in self._progress.tasks:
            return
        agent = self._progress.agent_of(task)
        if (now := (state, status.get("message", ""))) != self._states.get(task):
            self._states[task] = now
            self._shown.status(task, status, agent)
        if (pod := pod_of(status)) and task not in self._logs:
            self._follow(task, pod, agent)
        if state in TERMINAL:
            if logs := self._logs.get(task):
                logs.finish(LOGS_S)
            self._shown.end(task)
            if status.get("source") != "SOURCE_EXECUTOR" and status.get("reason", "").startswith(_NO_EXECUTOR):
                self._say_executor(agent)

    def _say_executor(self, agent: str) -> None:
        """What the executor of that agent wrote last: Mesos says only that it has ended."""
        if agent in self._explained:
            return
        self._explained.add(agent)
        files, path = AgentFiles(agent, self._authorization), f"{self._sandbox}/stderr"
        try:
            text = files.read(path, max(0, files.size(path) - _LAST_BYTES)).decode(errors="replace")
        except ExecutorError as error:
            self._shown.note(f"what the executor on {agent} wrote cannot be read: {error}")
            text = ""
        for line in text.splitlines()[-_LAST_LINES:]:
            self._shown.note(f"the executor on {agent} wrote: {output.clean(line)}")
        command = self._progress.executor.get("command", {}).get("value", "")
        hint = "install the package there, or name it with --command, --config or --executor-info"
        self._shown.note(f"the agent starts {command}: {hint}")

    def _follow(self, task: str, pod: str, agent: str) -> None:
        files = AgentFiles(agent, self._authorization)
        self._logs[task] = RemoteLogs(
            files,
            self._sandbox,
            pod,
            lambda container, stream, block: self._shown.block(task, container, stream, block),
            lambda error: self._shown.note(f"the output of {task} cannot be read any more: {error}"),
        )
        self._logs[task].start()

    @property
    def _sandbox(self) -> str:
        executor = self._progress.executor["executor_id"]["value"]
        return f"/frameworks/{self._framework.id}/executors/{executor}/runs/latest"

    def _act(self, now_s: float) -> None:
        if self._lost_s is not None or not self._progress.framework:
            return
        if self._suppressed and self._progress.waiting:
            self._suppressed = not self._call("REVIVE", {"roles": self._framework.info["roles"]})
        why = self._progress.shortage() if self._progress.waiting else ""
        for accept in [] if self._stops else list(self._progress.accepts()):
            operation = {"type": "LAUNCH", "launch": {"task_infos": list(accept.tasks)}}
            body = {
                "offer_ids": [{"value": each} for each in accept.offers],
                "operations": [*accept.makes, operation],
                "filters": {"refuse_seconds": REFUSE_S},
            }
            for volume in made_by(accept):
                self._shown.note(f"makes the persistent volume {volume}, which stays when the pods have ended")
            if not self._call("ACCEPT", body):
                self._progress.take_unsent(accept)
        if declined := self._progress.declined(now_s):
            body = {"offer_ids": [{"value": each} for each in declined], "filters": {"refuse_seconds": REFUSE_S}}
            self._call("DECLINE", body)
        if not self._progress.waiting and not self._suppressed:
            self._suppressed = self._call("SUPPRESS", {"roles": self._framework.info["roles"]})
        self._say_waiting(why, now_s)

    def _say_waiting(self, why: str, now_s: float) -> None:
        """Not at once: offers come a moment after the subscription."""
        said, at_s = self._said
        waiting = self._progress.waiting
        if waiting and now_s - at_s >= (WAITING_S if said else WAITING_S / 5):
            self._shown.note(f"{len(waiting)} waiting, {waiting[0]} first: {why}")
            self._said = why, now_s

    def _stop(self) -> None:
        self._stops += 1
        if self._stops > 1:
            return
        living = self._progress.living
        if living:
            self._shown.note("killing the pods; Ctrl-C again leaves at once")
        for task, agent in living.items():
            self._call("KILL", {"task_id": {"value": task}, "agent_id": {"value": agent}})

    def _call(self, kind: str, body: Json) -> bool:
        """Whether the master took it. What a lost master did not get is sent again after the next subscription."""
        try:
            self._framework.call(kind, body)
        except MesosFailure as error:
            self._shown.note(str(error))
            return False
        return True
