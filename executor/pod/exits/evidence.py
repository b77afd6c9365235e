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
from executor.pod.exits import oom
from executor.pod.exits.causes import children_killed
from executor.pod.exits.process_state import is_dying
from executor.pod.life.container_life import KILLED_CODE
from executor.pod.life.events import ContainerExited
from executor.pod.pod_log import note_child_oom

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.errors import ContainerdFailure
    from executor.log import Logger
    from executor.names import PodId
    from executor.pod.container.container_run import ContainerRun
    from executor.pod.life.events import Oom
    from executor.spec.model import PodSpec

LOOKS_S = (0.1, 1.0)
"""When the count is read after a hint, which comes before the kernel has killed. Hints meanwhile change nothing."""


class Evidence:
    """`run_of` gives the run of a container that is there now. `close` ends the looks that are under way."""

    def __init__(
        self, tree: Tree, pod: PodId, spec: PodSpec, run_of: Callable[[str], ContainerRun | None], log: Logger
    ) -> None:
        self._tree, self._pod, self._spec = tree, pod, spec
        self._run_of, self._log = run_of, log
        self._reported: dict[str, int] = {}
        """How many of the kernel's victims in the present run of a container are in the log."""
        self._looks: dict[str, asyncio.Task[None]] = {}

    def close(self) -> None:
        """The pod has ended."""
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
        current = self._run_of(container)
        if current is None or current.pid != pid:
            return None
        if not current.start_known:
            current.early_exit_code = exit_code
            return None
        kills = 0 if pod_ends else self._kills(container)
        found = self._killer(container, pid, kills) if exit_code == KILLED_CODE and not pod_ends else None
        if found is None:
            self._report(container, kills)
        ran_s = 0.0 if current.started_at is None else time.monotonic() - current.started_at
        return ContainerExited(container, current.run, exit_code, found, ran_s, kills, pid)

    def _killer(self, container: str, pid: int, kills: int) -> Oom | None:
        if kills > self._reported.get(container, 0):  # an old kill explains no end now
            return oom.of_container(self._tree, self._spec, self._pod, container, pid)
        return oom.of_daemon(self._tree, self._spec, self._pod, container)

    def early(self, container: str) -> ContainerExited | None:
        """The end of a run that was reported before its start was known; None: it was not."""
        current = self._run_of(container)
        if current is None or current.early_exit_code is None:
            return None
        return self.read(container, current.early_exit_code, current.pid, pod_ends=False)

    def of_failed_start(self, container: str, error: ContainerdFailure) -> ContainerdFailure:
        """The failure, with what the kernel killed for memory. The runtime sets a container up within its limit, and
        containerd says no more of its death than `cannot start a stopped process`.
        """
        kills = self._kills(container)
        if not kills:
            return error
        hint = "raise its memory limit: the runtime sets the container up within it"
        return type(error)(f"{error.message}{children_killed(kills)}", subject=error.subject, hint=hint)

    def short_of_memory(self, container: str) -> None:
        """containerd reports that a limit was met, of this container or of a group above it."""
        if container not in self._looks:
            task = self._looks[container] = asyncio.create_task(self._look(container))
            task.add_done_callback(lambda _: self._looks.pop(container, None))

    async def _look(self, container: str) -> None:
        current = self._run_of(container)
        for delay_s in LOOKS_S:
            await asyncio.sleep(delay_s)
            if current is None or current is not self._run_of(container):
                return
            if current.lives() and not is_dying(current.pid):  # else its exit says it
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
