"""What the kernel says about the containers of one pod: whether it killed something in them for memory.

An exit is read together with the container's cgroup, which still knows whether the kernel killed something in it for
memory. If it was not the first process, the pod lives on or ends as it does, and an event in the log says so. While the
container runs, containerd's TaskOOM is taken as a hint to look: with a limit on a parent group every container below it
gets one, so the count of victims in the container's own group decides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cgroups import CgroupError
from executor.pod.container_life import KILLED_CODE
from executor.pod.exits import oom
from executor.pod.exits.process_state import is_dying
from executor.pod.model import ContainerExited
from executor.pod.pod_events import note_child_oom

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.log import Logger
    from executor.names import PodId
    from executor.pod.made import Made
    from executor.spec.model import PodSpec

LOOKS_S = (0.1, 1.0)
"""When the count is read after a hint, which comes before the kernel has killed. Hints meanwhile change nothing."""


class Evidence:
    """`made` gives the run of a container that is there now. `close` ends the looks that are under way."""

    def __init__(self, tree: Tree, pod: PodId, spec: PodSpec, made: Callable[[str], Made | None], log: Logger) -> None:
        self._tree, self._pod, self._spec = tree, pod, spec
        self._made, self._log = made, log
        self._reported: dict[str, int] = {}
        """How many of the kernel's victims in the present run of a container are in the log."""
        self._looks: dict[str, asyncio.Task[None]] = {}

    def close(self) -> None:
        for task in self._looks.values():
            task.cancel()

    def begin(self, container: str) -> None:
        """A run of it on a cgroup of its own begins."""
        self._reported.pop(container, None)

    def read(self, container: str, exit_code: int, pid: int, *, pod_ends: bool) -> ContainerExited | None:
        """The first process `pid` of a run of `container` has ended: the event, with what its cgroup still says.

        None: it belongs to an earlier run of the container, or the outcome of its start is not known yet. `pod_ends`:
        it explains every exit, so that nothing is read.
        """
        made = self._made(container)
        if made is None or made.pid != pid:
            return None
        if not made.start_known:
            made.early_exit_code = exit_code
            return None
        kills = 0 if pod_ends else self._kills(container)
        found = None
        if exit_code == KILLED_CODE and kills > self._reported.get(container, 0):  # an old kill explains no end now
            found = oom.of_container(self._tree, self._spec, self._pod, container, pid)
        if found is None:
            self._report(container, kills)
        ran_s = 0.0 if made.started_at is None else time.monotonic() - made.started_at
        return ContainerExited(container, made.run, exit_code, found, ran_s, kills, pid)

    def early(self, container: str) -> ContainerExited | None:
        """The end of a run that was reported before its start was known; None: it was not."""
        made = self._made(container)
        if made is None or made.early_exit_code is None:
            return None
        return self.read(container, made.early_exit_code, made.pid, pod_ends=False)

    def short_of_memory(self, container: str) -> None:
        """containerd reports that a limit was met, of this container or of a group above it."""
        if container not in self._looks:
            task = self._looks[container] = asyncio.create_task(self._look(container))
            task.add_done_callback(lambda _: self._looks.pop(container, None))

    async def _look(self, container: str) -> None:
        made = self._made(container)
        for delay_s in LOOKS_S:
            await asyncio.sleep(delay_s)
            if made is None or made is not self._made(container):
                return
            if made.lives() and not is_dying(made.pid):  # else its exit tells
                self._report(container, self._kills(container))

    def _kills(self, container: str) -> int:
        """How many processes of its present run the kernel has killed for memory."""
        spec = self._spec
        try:
            return self._tree.container(spec.pod_class, spec.role, self._pod, container).stat().oom_kills or 0
        except CgroupError:
            return 0

    def _report(self, container: str, kills: int) -> None:
        new = kills - self._reported.get(container, 0)
        if new > 0:
            self._reported[container] = kills
            found = oom.of_container(self._tree, self._spec, self._pod, container, None)
            note_child_oom(self._log, container, new, found)
