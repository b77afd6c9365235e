"""Runs of a container whose first process is a real one."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cgroups.held import HeldProcess
from executor.images.model import Image, ImageConfig
from executor.names import ContainerId
from executor.pod.container.container_run import ContainerRun

IMAGE = Image("image", "sha256:0", "sha256:0", ImageConfig())


@contextmanager
def ran(number: int = 1, *command: str) -> Iterator[tuple[ContainerRun, subprocess.Popen[bytes]]]:
    """Run `number` of a container, and its first process: a sleep, if no command is given."""
    with subprocess.Popen(command or ("sleep", "1000")) as process:
        leader = HeldProcess.open(process.pid)
        current = ContainerRun(ContainerId("pod-1.app"), number, "snapshot", IMAGE, process.pid, leader, {})
        current.started_at, current.start_known = time.monotonic(), True
        try:
            yield current, process
        finally:
            current.close()
            process.kill()
