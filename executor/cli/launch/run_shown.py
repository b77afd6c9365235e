"""How `run` prints states and output: from several threads, each line whole."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from executor.cli.printing import output
from executor.cli.printing.written import Written

Json = dict[str, Any]


class Shown:
    """How states and output are printed."""

    def __init__(self, streams: Mapping[str, Written], *, as_json: bool, named: bool) -> None:
        self._streams, self._as_json, self._named = streams, as_json, named
        self._lines: dict[tuple[str, str, str], bytes] = {}
        self._lock = threading.Lock()

    def status(self, task: str, status: Json, agent: str) -> None:
        """A task has a new state."""
        found = {
            "task": task,
            "state": status["state"],
            "reason": status.get("reason", ""),
            "message": status.get("message", ""),
            "agent": agent,
        }
        with self._lock:
            if self._as_json:
                output.json_line(found)
                return
            why = ": ".join(each for each in (found["reason"], found["message"]) if each)
            output.note(f"{task} {status['state']} on {agent}" + (f" ({why})" if why else ""))

    def block(self, task: str, container: str, stream: str, block: bytes) -> None:
        """A container wrote this. As it is of one pod, else line by line with its name."""
        if not self._as_json and not self._named:
            with self._lock:
                self._streams[stream].block(block)
            return
        key = task, container, stream
        *lines, self._lines[key] = (self._lines.get(key, b"") + block).split(b"\n")
        for line in lines:
            self._line(key, line)

    def end(self, task: str) -> None:
        """Nothing more comes of it."""
        for key in [each for each in self._lines if each[0] == task]:
            if rest := self._lines.pop(key):
                self._line(key, rest)

    def _line(self, key: tuple[str, str, str], line: bytes) -> None:
        task, container, stream = key
        text = line.decode(errors="replace")
        with self._lock:
            if self._as_json:
                output.json_line({"task": task, "container": container, "stream": stream, "line": text})
            else:
                self._streams[stream].line(f"[{output.clean(task)}/{output.clean(container)}] ", text)

    def note(self, text: str) -> None:
        """Something beside states and output."""
        with self._lock:
            output.note(text)
