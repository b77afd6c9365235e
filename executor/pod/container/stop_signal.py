"""The signal that asks one run of a container to stop, after its preStop hook. A hook takes time, in which the run may
end and the next one begin: neither the hook nor the signal ever reaches that one.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from cgroups.held import HeldProcess
from executor.concurrency import first_to_end
from executor.log import get_logger
from executor.pod.container import hooks
from executor.spec import signals

if TYPE_CHECKING:
    from executor.log import Logger
    from executor.pod.container.container_run import ContainerRun
    from executor.probes.ask import Means, Reach
    from executor.spec.model import ContainerSpec

log = get_logger(__name__)


def send(current: ContainerRun, container: ContainerSpec) -> bool:
    """The stop signal to the first process, which is held, so that it can reach no other; where the container says so,
    to its whole process group. Whether the first process was there.
    """
    if current.leader is None or current.started_at is None:
        return False
    number, leader = stop_signal(container, current.image.config.stop_signal), current.leader.pid
    others = _others_of_group(leader) if container.stops_group else []  # before it ends, and they get another parent
    was_there = current.leader.send(number)
    for pid in others:
        if (held := HeldProcess.open(pid)) is not None:
            with held:
                if _group(pid) == leader:
                    held.send(number)
    return was_there


def _others_of_group(leader: int) -> list[int]:
    """The descendants of a process that are in the group which it leads, as far as each parent is in it."""
    found, parents = [], [leader]
    while parents:
        path = Path(f"/proc/{parents.pop()}")
        with contextlib.suppress(OSError):
            lists = [each.read_text() for each in path.glob("task/*/children")]
            members = [pid for pid in map(int, " ".join(lists).split()) if _group(pid) == leader]
            found += members
            parents += members
    return found


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


async def send_after_hook(
    current: ContainerRun, container: ContainerSpec, reach: Reach, means: Means, log: Logger
) -> None:
    """The preStop hook, if it has one, and then the stop signal. The end of the run ends the hook."""
    hook = container.hooks.pre_stop
    if hook is not None and current.leader is not None and current.lives():
        await first_to_end(current.leader.ended(), hooks.run(hooks.PRE_STOP, hook, reach, means, log))
    send(current, container)


def stop_signal(container: ContainerSpec, of_image: str) -> int:
    """The container's own, else the image's STOPSIGNAL, else SIGTERM. One of an image that cannot be read is logged."""
    if container.stop_signal is not None:
        return container.stop_signal
    if not of_image:
        return signal.SIGTERM
    try:
        return signals.number(of_image)
    except ValueError as error:
        log.warning(
            "an image's STOPSIGNAL cannot be read: SIGTERM is sent",
            code="pod.stop_signal_unknown",
            container=container.name,
            error=f"image {container.image}: {error}",
        )
        return signal.SIGTERM
