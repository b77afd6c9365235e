"""The streams of one process in a container: FIFOs that containerd's shim opens, and the reading ends held here.

A FIFO whose reading end is held loses nothing before it is read, and gives its writer no SIGPIPE.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from executor.errors import Failure, reason
from executor.log import get_logger

log = get_logger(__name__)

_READ_BYTES = 1 << 16
STDIN = "stdin"


class Fifos:
    """`paths` by the name of the stream: stdin, stdout, stderr. `make` before anything else, `remove` at the end."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = dict(paths)
        self._outputs: list[int] = []
        self._open: set[int] = set()
        self._ended = asyncio.Event()

    def make(self) -> None:
        """Raises Failure."""
        for name, path in self.paths.items():
            try:
                os.mkfifo(path, 0o600)
                if name != STDIN:
                    self._outputs.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            except OSError as error:
                raise Failure(f"cannot be made: {reason(error)}", subject=str(path)) from error

    def read(self, take: Callable[[bytes], None]) -> None:
        """Hand on the output as it comes, of all streams in the order in which it is read."""
        self._open = set(self._outputs)
        for descriptor in self._outputs:
            asyncio.get_running_loop().add_reader(descriptor, partial(self._read, descriptor, take))

    def _read(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(descriptor, _READ_BYTES)
            if data:
                take(data)
            else:  # no writer is left; the end would stay readable
                self._stop(descriptor)

    def _stop(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        self._open.discard(descriptor)
        if not self._open:
            self._ended.set()

    async def ended(self, timeout_s: float) -> bool:
        """Whether, in this time, every writer has closed its end and everything was read. Only after `read`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def remove(self) -> None:
        """Idempotent. What cannot be removed is logged."""
        for descriptor in self._outputs:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
        self._outputs = []
        for path in self.paths.values():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("could not remove", code="pod.leaked", what="files", path=str(path), error=str(error))
