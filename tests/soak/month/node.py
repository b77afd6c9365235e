"""What pods have on one simulated machine: processes, containers, networks. A call may be late, fail or half fail."""

from __future__ import annotations

import asyncio
import errno
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from executor.config import Config, load
from executor.errors import (
    ContainerdFailure,
    ContainerdUnavailable,
    ExecutorError,
    ImageFailure,
    NetworkFailure,
    NotFound,
    TimedOut,
)
from executor.exec.run import Result
from executor.images.model import Image, ImageConfig
from executor.names import PodClass, container_id
from executor.pod.container.container_run import ContainerRun
from executor.pod.life.model import Phase
from executor.pod.release.leaks import Leak
from executor.pod.release.pace import ReleasePace
from executor.probes.ask import Means, Reach
from tests.soak.month.rates import Rates

if TYPE_CHECKING:
    from tests.soak.month.groups import SimCgroup
    from tests.soak.month.pod import SimPod
    from tests.soak.month.processes import Process

CALL_S = 0.02
LATE_S = 5.0
CONTAINERD_PATIENCE_S = 30.0
PID_MAX = 1 << 22
"""No process of this kernel has a pid above it: what looks at a simulated one in /proc finds none."""
IMAGE = Image("image", "sha256:0", "sha256:0", ImageConfig())
CONFIG = load(None, {})


class BrokenRuleError(AssertionError):
    """Something was done that must never be done."""


@dataclass
class Behaviour:
    """A container ends `ends_s` after its start with `exit_code`, or `stop_s` after a stop signal, if it takes one.
    `oom`: the kernel ends it then, for memory. From `sick_s` on its probes fail.
    """

    ends_s: float
    exit_code: int = 0
    stop_s: float | None = 0.2
    oom: bool = False
    sick_s: float | None = None


@dataclass
class Machine:
    """What the pods of a machine share. As `executor.pod.node.Node`, as far as a performer needs one."""

    chance: random.Random
    rates: Rates
    counts: Counter[str]
    config: Config = CONFIG
    probing: Means = field(default_factory=Means)
    release_pace: ReleasePace = field(default_factory=lambda: ReleasePace(4))
    launching: Mapping[PodClass, asyncio.Semaphore] = field(
        default_factory=lambda: {each: asyncio.Semaphore(4) for each in PodClass}
    )
    containerd_up: asyncio.Event = field(default_factory=asyncio.Event)
    pids: int = PID_MAX
    held: dict[str, set[str]] = field(default_factory=dict)
    """By pod, what is there of it."""
    broken: list[BaseException] = field(default_factory=list)
    """Rules that were broken where an exception would reach nobody."""

    def __post_init__(self) -> None:
        self.containerd_up.set()

    @property
    def shims_boost(self) -> Machine:
        return self

    @contextmanager
    def after(self, _: float) -> Iterator[None]:
        """CPU for shims: this machine has enough."""
        yield

    def happens(self, part: float, what: str) -> bool:
        """Whether a fault comes now; it is counted."""
        found = self.chance.random() < part
        if found:
            self.counts[what] += 1
        return found

    async def call(self) -> None:
        """The time of a call, of containerd or of a plugin."""
        late = self.happens(self.rates.late_part, "call: late")
        await asyncio.sleep(self.chance.uniform(0, LATE_S if late else CALL_S))

    async def containerd(self) -> None:
        """The same of containerd, which may be away. Raises ContainerdUnavailable after a while."""
        await self.call()
        try:
            async with asyncio.timeout(CONTAINERD_PATIENCE_S):
                await self.containerd_up.wait()
        except TimeoutError as error:
            raise ContainerdUnavailable("does not answer") from error

    def next_pid(self) -> int:
        self.pids += 1
        return self.pids


class SimSandbox:
    """As `executor.pod.sandbox.Sandbox`."""

    def __init__(self, machine: Machine, pod: SimPod, cgroup: SimCgroup) -> None:
        self._machine, self._pod, self.cgroup = machine, pod, cgroup
        self.files = None
        self.ips: tuple[str, ...] = ()
        self.network_infos: list[dict[str, Any]] = []

    def starting(self) -> AbstractContextManager[None]:
        """This machine has enough CPU."""
        return nullcontext()

    @property
    def labels(self) -> dict[str, str]:
        return {"pod": self._pod.id}

    async def prepare(self) -> None:
        self._pod.held.update(("cgroup", "files"))
        await self._machine.call()
        self._pod.held.add("netns")

    async def connect(self) -> None:
        await self._machine.call()
        failed = self._machine.happens(self._machine.rates.network_failures_part, "network: failed")
        if not failed or self._machine.chance.random() < 0.5:
            self._pod.held.add("ip")
        if failed:
            raise NetworkFailure("the plugin failed")
        self.ips = ("10.0.0.2",)

    async def release_network(self) -> list[Leak]:
        return await self._release("network", "ip", "netns")

    async def release_cgroup(self) -> list[Leak]:
        if self._pod.processes:
            raise BrokenRuleError(f"{self._pod.id} loses its cgroup with processes in it")
        return await self._release("cgroup", "cgroup")

    async def remove_files(self, *, over_disk: bool = False) -> list[Leak]:  # the interface
        return await self._release("files", "files")

    async def _release(self, what: str, *names: str) -> list[Leak]:
        await self._machine.call()
        if self._machine.happens(self._machine.rates.release_failures_part, f"release of {what}: failed"):
            return [Leak(what, self._pod.id, "it failed")]
        self._pod.held.difference_update(names)
        return []


class SimContainers:
    """As `executor.pod.container.containers.Containers`; `images` is its own. `behaviour` says what each does."""

    def __init__(self, machine: Machine, pod: SimPod, behaviour: Callable[[str, int], Behaviour]) -> None:
        self._machine, self._pod, self._behaviour = machine, pod, behaviour
        self._runs: dict[str, ContainerRun] = {}
        self.images = self
        self.tries = 0

    async def pull(self) -> None:
        await self._machine.call()
        if self._machine.happens(self._machine.rates.pull_failures_part, "pull: failed"):
            raise ImageFailure("the registry does not answer")

    def run_of(self, name: str) -> ContainerRun | None:
        return self._runs.get(name)

    async def create(self, name: str, run: int = 1, *, sandbox: asyncio.Future[None] | None = None) -> None:
        await self._machine.containerd()
        self._pod.held.add(f"container {name}")
        if sandbox is not None:
            await asyncio.shield(sandbox)
            await self._machine.containerd()
        if self._machine.happens(self._machine.rates.create_failures_part, "create: failed"):
            raise ContainerdFailure("could not be created")
        pid = self._machine.next_pid()
        self._runs[name] = ContainerRun(container_id(self._pod.id, name, run), run, "s", IMAGE, pid, None, {})

    async def renew(self, name: str, run: int) -> None:
        self._runs.pop(name, None)
        self._pod.oom_kills.pop(name, None)  # another group
        await self.create(name, run)

    async def start(self, name: str) -> ContainerRun:
        await self._machine.containerd()
        current = self._runs[name]
        fails = self._machine.happens(self._machine.rates.start_failures_part, "start: failed")
        if not fails or self._machine.chance.random() < 0.5:
            current.started_at = time.monotonic()
            self._pod.begin_process(name, current.pid, self._behaviour(name, current.run))
            await self._machine.containerd()
        if fails:
            raise ContainerdFailure("could not be started")
        current.start_known = True
        return current

    async def terminate(self, name: str, run: int) -> None:
        self._check_stopped(name, run)
        await self._machine.call()
        self._pod.signal(name, run)

    async def kill(self, name: str, run: int) -> None:
        self._check_stopped(name, run)
        current = self._runs.get(name)
        if current is not None and current.run == run and current.pid in self._pod.processes:
            self._pod.kill_process(self._pod.processes[current.pid])

    def _check_stopped(self, name: str, run: int) -> None:
        container = self._pod.pod.containers[name]
        if container.run == run and container.phase is Phase.RUNNING and self._pod.pod.stop is None:
            raise BrokenRuleError(f"{self._pod.id}/{name} is stopped while it is {container.phase}")

    async def written(self, names: Iterable[str] | None = None) -> None:  # the interface
        await self._machine.call()

    async def end(self, _: float) -> list[int]:
        return []

    def end_starts(self) -> None:
        return

    async def kill_all(self) -> None:
        """SIGKILL through containerd, which does not end what is stuck."""
        await self._machine.call()

    def reach(self, name: str, _: str) -> Reach:
        """Its commands are probes: they fail from a time on, and containerd may not run them in time."""
        current = self._runs.get(name)

        def process() -> Process | None:
            return None if current is None else self._pod.processes.get(current.pid)

        async def run(_: object, timeout_s: float | None) -> Result:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._machine.containerd()
            except TimeoutError as error:
                raise TimedOut("took too long", subject=name) from error
            if (found := process()) is None:
                raise NotFound("does not run", subject=name)
            sick = found.sick_at_s is not None and asyncio.get_running_loop().time() >= found.sick_at_s
            return Result(int(sick), "")

        def no_namespace() -> int:
            raise OSError(errno.ENOENT, "no network is simulated")

        return Reach(tuple, no_namespace, run, lambda: process() is not None)

    async def remove_all(self, pause: Callable[[float], Awaitable[None]]) -> list[Leak]:  # the interface
        self.tries += 1
        found = []
        for name in sorted(each for each in self._pod.held if each.startswith("container ")):
            try:
                await self._machine.containerd()
                if self._machine.happens(self._machine.rates.release_failures_part, "release of container: failed"):
                    raise ContainerdFailure("could not be removed")
            except ExecutorError as error:
                found.append(Leak("container", name, str(error)))
                continue
            self._pod.held.discard(name)
        return found
