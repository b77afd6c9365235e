"""The postStart hooks and the probes of the containers of one pod: begun with a run of a container, ended with it.

What they find goes into the pod's inbox: one PostStartEnded, and a Probed for each verdict. The log has the first of a
row of failures, what could not be asked, and each verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from executor import exhausted
from executor.errors import ExecutorError
from executor.pod.container import hooks
from executor.pod.life.events import PostStartEnded, Probed
from executor.probes.prober import Prober
from executor.spec.probes import Kind

if TYPE_CHECKING:
    from executor.log import Logger
    from executor.pod.life.events import Event
    from executor.probes.ask import Means, Reach
    from executor.probes.state import Result, Verdict
    from executor.spec.model import ContainerSpec, PodSpec


class Watching:
    """`reach` gives the run of a container that is there now, for a purpose (see Containers.reach). `post` takes the
    events.
    """

    def __init__(
        self,
        means: Means,
        spec: PodSpec,
        reach: Callable[[str, str], Reach],
        post: Callable[[Event], None],
        log: Logger,
    ) -> None:
        self._means, self._reach, self._post, self._log = means, reach, post, log
        self._spec = {container.name: container for container in spec.containers}
        self._probers: dict[str, Prober] = {}
        self._hooks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, run: int) -> None:
        """This run of the container has been started."""
        self.stop(name)
        spec, log = self._spec[name], self._log.bind(container=name)
        if spec.hooks.post_start is not None:
            self._hooks[name] = asyncio.create_task(self._run_hook(spec, run, log))
        if spec.probes:
            self._probers[name] = Prober(
                spec.probes,
                self._reach(name, "probe"),
                self._means,
                lambda verdict: self._tell(name, run, verdict, log),
                lambda kind, result, *, first: self._note(kind, result, log, first=first),
            )
            self._probers[name].start()

    def stop(self, name: str) -> None:
        """Nothing more comes of this run."""
        if (prober := self._probers.pop(name, None)) is not None:
            prober.close()
        if (hook := self._hooks.pop(name, None)) is not None:
            hook.cancel()

    def close(self) -> None:
        """End the hooks and probes of all containers."""
        for name in {*self._probers, *self._hooks}:
            self.stop(name)

    async def _run_hook(self, spec: ContainerSpec, run: int, log: Logger) -> None:
        hook = spec.hooks.post_start
        if hook is None:
            return
        reach = self._reach(spec.name, "post-start")
        try:
            error = await hooks.run(hooks.POST_START, hook, reach, self._means, log)
        except Exception as failure:  # noqa: BLE001 - the boundary of a pod: what fails in it harms no other
            error = str(exhausted.of_pod(log, failure))
        if error and not reach.runs():  # it failed because the container ends, whose exit code decides
            return
        self._post(PostStartEnded(spec.name, run, error))

    def _tell(self, name: str, run: int, verdict: Verdict, log: Logger) -> None:
        if verdict.fatal:
            log.warning(
                "a probe ends a container",
                code="pod.probe_failed",
                probe=verdict.kind,
                count=verdict.failures,
                error=verdict.message,
            )
        elif verdict.kind is not Kind.CHECK:
            log.info(
                "a probe of a container has another result",
                code="pod.probe_passes" if verdict.ok else "pod.probe_fails",
                probe=verdict.kind,
                count=verdict.failures,
                error=verdict.message,
            )
        self._post(Probed(name, run, verdict))

    def _note(self, kind: Kind, result: Result | ExecutorError, log: Logger, *, first: bool) -> None:
        if isinstance(result, ExecutorError):
            self._means.counts[kind, "error"] += 1
            if first:
                log.warning("a container could not be asked", code="pod.probe_error", probe=kind, error=result)
        else:
            self._means.counts[kind, "passed" if result.ok else "failed"] += 1
