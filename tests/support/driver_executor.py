"""A Mesos executor that is nothing but the driver: it obeys messages and writes down what it sees.

Every event goes to `driver.jsonl` in its sandbox. A launch becomes TASK_STARTING and TASK_RUNNING, a kill TASK_KILLED.
Messages are JSON: `{"echo": TEXT}`; `{"updates": [[TASK, STATE, MESSAGE], ...]}` at once or, with `"when": "away"`, as
soon as the agent is gone; `{"stream": [TASK, ...], "count": N, "pause_s": S}` sends N numbered updates of each task and
a terminal one, whatever happens meanwhile; `{"exit": true}` ends the program when everything is acknowledged, as a
SHUTDOWN does.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from executor.config import LogSection
from executor.log import configure
from executor.mesos.driver import Driver
from executor.mesos.environment import TOKEN, Environment
from executor.mesos.events import Disconnected, Event, Kill, Launch, Message, Shutdown
from executor.mesos.status import TaskState, status
from executor.names import TaskId
from executor.process.initial_environment import erase

JOURNAL = "driver.jsonl"
DRAIN_TIMEOUT_S = 5.0
STREAMS = set[asyncio.Task[None]]()


def note(kind: str, value: object) -> None:
    with Path(JOURNAL).open("a") as journal:
        line = {"at_s": time.time(), "kind": kind, "value": value}
        journal.write(json.dumps(line, default=lambda data: bytes(data).decode()) + "\n")


def send(driver: Driver, updates: list[list[str]]) -> None:
    for task, state, message in updates:
        driver.update(status(TaskId(task), TaskState(state), message=message))


async def stream(driver: Driver, task: str, count: int, pause_s: float) -> None:
    for number in range(count):
        await asyncio.sleep(pause_s)
        send(driver, [[task, "TASK_RUNNING", str(number)]])
    send(driver, [[task, "TASK_FINISHED", "end"]])


async def obey(driver: Driver, command: dict[str, Any], away: list[list[str]]) -> bool:
    """Whether to go on."""
    if "echo" in command:
        driver.message(command["echo"].encode())
    if command.get("when") == "away":
        away += command.get("updates", [])
    else:
        send(driver, command.get("updates", []))
    for task in command.get("stream", []):
        work = asyncio.create_task(stream(driver, task, command["count"], command["pause_s"]))
        STREAMS.add(work)
        work.add_done_callback(STREAMS.discard)
    return not command.get("exit")


async def handle(driver: Driver, event: Event, away: list[list[str]]) -> bool:
    match event:
        case Launch(tasks=tasks):
            for task in tasks:
                task_id = task["task_id"]["value"]
                send(driver, [[task_id, "TASK_STARTING", ""], [task_id, "TASK_RUNNING", ""]])
        case Kill(task_id, grace_s):
            send(driver, [[task_id, "TASK_KILLED", f"grace {grace_s}"]])
        case Message(data):
            return await obey(driver, json.loads(data), away)
        case Disconnected():
            send(driver, away)
            away.clear()
        case Shutdown():
            return False
    return True


def has_token() -> bool:
    """Whether the kernel still shows it."""
    return b"secret" in Path("/proc/self/environ").read_bytes()


async def run() -> None:
    started_s = time.monotonic()
    before = signal.getsignal(signal.SIGINT)
    away: list[list[str]] = []
    environment = Environment.take(os.environ)
    erase(TOKEN)
    token_kept = has_token()
    async with Driver(environment) as driver:
        kept = {"sigint_kept": signal.getsignal(signal.SIGINT) is before, "token_kept": token_kept}
        note("start", {"pid": os.getpid(), **kept})
        async for event in driver.events():
            note(type(event).__name__, asdict(event) | {"ms": round((time.monotonic() - started_s) * 1000)})
            if not await handle(driver, event, away):
                break
        note("drained", await driver.drained(DRAIN_TIMEOUT_S))
    note("end", driver.unacknowledged)


if __name__ == "__main__":
    configure(LogSection(level="debug"))
    asyncio.run(run())
