"""What the prompt of the demo can ask the demo's own scheduler for: `incident NAME` and `launch FILE`.

The demo serves a socket; `python -m tests.support.demo_desk SOCKET incident NAME` asks it, and prints the answer.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from tests.support.incidents import Stage
    from tests.support.mesos.sharing import SharingScheduler

COMMANDS: Final = ("incident", "launch")
_NOT_RUN: Final = ("TASK_ERROR", "TASK_FAILED", "TASK_DROPPED", "TASK_LOST", "TASK_GONE")
_LAUNCH: Final = "usage: launch FILE [--revocable]\nLaunches the pods and workloads of FILE under the demo's executor."


class Desk:
    """Serves until it is closed, one request at a time."""

    def __init__(self, path: Path, scheduler: SharingScheduler, stage: Stage) -> None:
        self._scheduler, self._stage = scheduler, stage
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, name="desk", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                with connection, connection.makefile("rw", encoding="utf-8") as stream:
                    self._answer(json.loads(stream.readline()), lambda text: print(text, file=stream, flush=True))

    def _answer(self, words: Sequence[str], say: Callable[[str], None]) -> None:
        """Lines of text, then the exit code."""
        from tests.support.mesos.history import UnexpectedError

        code = 1
        try:
            self._scheduler.revive()
            code = (self._incident if words[0] == "incident" else self._launch)(words[1:], say)
        except (UnexpectedError, AssertionError) as error:
            say(f"{words[0]}: {str(error).partition(chr(10))[0]}")  # and not the history of the scheduler
        finally:
            self._scheduler.release()
        with contextlib.suppress(OSError):  # who asked may be gone
            say(json.dumps(code))

    def _incident(self, words: Sequence[str], say: Callable[[str], None]) -> int:
        from tests.support.incidents import INCIDENTS

        if list(words) == ["end"]:
            for line in self._stage.end():
                say(line)
            return 0
        incident = INCIDENTS.get(words[0]) if len(words) == 1 else None
        if incident is None:
            say("usage: incident NAME     stages it, and says what to type; `incident end` ends their pods")
            for name, each in INCIDENTS.items():
                say(f"  {name:<14}  {each.what}")
            return 0 if not words else 2
        say(f"{incident.what} ...")
        task = incident.begin(self._stage)
        say("It is there. The runbook says:")
        for line in incident.asks:
            say(f"  mesos-pod-executor {line.replace('TASK', task)}")
        return 0

    def _launch(self, words: Sequence[str], say: Callable[[str], None]) -> int:
        options = [word for word in words if word.startswith("--")]
        files = [word for word in words if word not in options]
        if len(files) != 1 or set(options) - {"--revocable"}:
            say(_LAUNCH)
            return 2
        done = self._stage.rig.command("task", files[0], *options, check=False)
        if done.returncode:
            say(done.stderr.strip())
            return done.returncode
        tasks = json.loads(done.stdout)
        if any("disk" in resource for task in tasks for resource in task["resources"]):
            say("It has claims, and Mesos makes persistent volumes for a role only. Type:")
            say(f"  mesos-pod-executor run {files[0]} --master $MASTER --role demo")
            return 1
        states = []
        for name, state in self._stage.launch_tasks(tasks):
            say(f"{name}: {state}")
            states.append(state)
        return int(any(state.startswith(_NOT_RUN) for state in states))


def ask(path: Path, words: Sequence[str]) -> Iterator[str]:
    """The lines of the answer; the last one is the exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        with connection.makefile("rw", encoding="utf-8") as stream:
            print(json.dumps(list(words)), file=stream, flush=True)
            yield from (line.rstrip("\n") for line in stream)


def main() -> int:
    path, command, *words = sys.argv[1:]
    if command == "launch":
        words = [word if word.startswith("-") else str(Path(word).resolve()) for word in words]
    before = None
    try:
        for line in ask(Path(path), [command, *words]):
            if before is not None:
                print(before, flush=True)
            before = line
    except OSError as error:
        print(f"{command}: the demo does not answer: {error}", file=sys.stderr)
        return 1
    return int(before or 1)


if __name__ == "__main__":
    sys.exit(main())
