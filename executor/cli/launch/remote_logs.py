"""What the containers of a pod wrote, read from its agent while they write: no access to the node is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Final

from executor.errors import ExecutorError, NotFound
from executor.mesos.scheduler import AgentFiles
from executor.names import PODS, is_pod_id

POLL_S: Final = 0.3
STREAMS: Final = ("stdout", "stderr")
Show = Callable[[str, str, bytes], None]
"""Takes a container, a stream and a block of it."""


class RemoteLogs:
    """The logs of the pod with this id. `sandbox` is the executor's, as its agent's files API names it. `failed` takes
    the error that ended it.
    """

    def __init__(
        self, files: AgentFiles, sandbox: str, pod: str, show: Show, failed: Callable[[Exception], None]
    ) -> None:
        self._files, self._show, self._failed = files, show, failed
        self._directory = f"{sandbox}/{PODS}/{pod}" if is_pod_id(pod) else ""
        self._at: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"logs of {pod}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        if self._directory:
            self._thread.start()

    def finish(self, timeout_s: float) -> None:
        """The containers have ended: what is left is shown."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            is_last = False
            while not is_last:
                is_last = self._over.wait(POLL_S)
                self._look()
        except NotFound:  # the sandbox went with its executor
            return
        except ExecutorError as error:
            self._failed(error)

    def _look(self) -> None:
        try:
            names = self._files.names(self._directory)
        except NotFound:  # nothing was written yet
            return
        for name in sorted(map(PurePosixPath, names)):
            if name.suffix[1:] in STREAMS and not name.name.startswith("."):
                self._follow(f"{self._directory}/{name.name}", name.stem, name.suffix[1:])

    def _follow(self, path: str, container: str, stream: str) -> None:
        at = self._at.get(path, 0)
        if at > self._files.size(path):  # rotated: the rest is in the file before
            self._drain(f"{path}.1", at, container, stream)
            at = 0
        self._at[path] = self._drain(path, at, container, stream)

    def _drain(self, path: str, at: int, container: str, stream: str) -> int:
        while block := self._files.read(path, at):
            self._show(container, stream, block)
            at += len(block)
        return at
