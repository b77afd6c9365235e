"""A master and agents in private directories: `with Cluster(agents=1) as cluster: ...` leaves nothing behind.

Master and agents are processes of their own, so each can be killed and started again alone. Everything blocks; from
asyncio use `asyncio.to_thread`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import cgroupdirs
from tests.support.mesos import build, wire
from tests.support.mesos.operator import Operator
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.server import MesosProcess, NotReadyError, kill_processes_of, wait_until

START_TIMEOUT_S = 30.0


class MesosMaster(MesosProcess):
    def __init__(
        self,
        mesos: Path,
        directory: Path,
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        flags: Mapping[str, str] | None = None,
    ) -> None:
        """`flags` are any of mesos-master in their MESOS_* form."""
        super().__init__("master", mesos, directory, address=address, port=port)
        self.operator = Operator(self.endpoint)
        self._flags = dict(flags or {})

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Returns when this master leads. A master that was killed comes back with an empty registry."""
        self.spawn(self._flags)
        self.wait_log(r"Elected as the leading master", timeout_s)


class MesosAgent(MesosProcess):
    """`cgroups_root` is the agent's own directory in every hierarchy that its isolators use (linux launcher)."""

    def __init__(
        self,
        mesos: Path,
        directory: Path,
        master: MesosMaster,
        options: AgentOptions,
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        super().__init__("agent", mesos, directory, address=address, port=port, prefix=prefix)
        self.master, self.options = master, options
        self.operator = Operator(self.endpoint)
        self.cgroups_root = f"{node_cgroup()}/mesos-{secrets.token_hex(4)}"
        self._revocable, self._qos = directory / "revocable", directory / "qos"
        self.agent_id = ""

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start, or start again with the same work directory, port and options; returns when registered."""
        variables = self.options.environment(self.cgroups_root.lstrip("/"))
        variables |= {
            "MESOS_LAUNCHER_DIR": variables.get("MESOS_LAUNCHER_DIR", str(self.build / "libexec")),
            "MESOS_APPC_STORE_DIR": str(self.directory / "appc"),
            "MESOS_DOCKER_STORE_DIR": str(self.directory / "docker"),
            "MPE_MESOS_MASTER": self.master.endpoint,
            "MPE_MESOS_QOS": str(self._qos),
        }
        if self.options.estimator:
            variables["MPE_MESOS_REVOCABLE"] = str(self._revocable)
        self.spawn(variables)
        self.wait_registered(timeout_s=timeout_s)

    def wait_registered(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Since the last start of the agent; sets `agent_id`."""
        self.wait_log(r"(Registered|Re-registered) with master", timeout_s)
        wait_until(self._learn_id, timeout_s, lambda: f"the master does not list the agent at {self.endpoint}")

    def _learn_id(self) -> bool:
        for agent in self.master.operator.agents():
            if agent.get("active") and str(agent.get("pid", "")).endswith(f"@{self.endpoint}"):
                self.agent_id = agent["agent_info"]["id"]["value"]
                return True
        return False

    def restart(self, *, down_s: float = 0.0) -> None:
        """SIGKILL, wait, start: what an upgrade or a crash of the agent is to its executors."""
        self.kill()
        if down_s:
            with contextlib.suppress(NotReadyError):
                wait_until(lambda: False, down_s, lambda: "")
        self.start()

    def set_revocable(self, **amounts: float) -> None:
        """What the estimator reports from now on: `cpus` in cores, `mem` and `disk` in MB; none takes all back.

        An estimate is what could be lent beyond the revocable resources that tasks use already.
        """
        if not self.options.estimator:
            raise ValueError("this agent has no estimator: AgentOptions(estimator=True)")
        messages = [wire.revocable(name, value) for name, value in amounts.items()]
        _replace(self._revocable, wire.framed(messages))

    def qos_kill(self, framework_id: str, executor_id: str, container_id: str | None = None) -> None:
        """Have the agent's QoS controller kill one executor, as in stock Mesos; returns when it has been told."""
        _replace(self._qos, wire.framed([wire.qos_kill(framework_id, executor_id, container_id)]))
        wait_until(lambda: not self._qos.exists(), 10.0, lambda: "the agent does not ask for QoS corrections")

    def sandbox(self, framework_id: str, executor_id: str) -> Path:
        """The newest run's sandbox; raises NotReadyError if the executor was never launched here."""
        runs = self.work_dir.glob(f"agents/0/work/slaves/*/frameworks/{framework_id}/executors/{executor_id}/runs/*")
        found = [run for run in runs if not run.is_symlink()]
        if not found:
            raise NotReadyError(f"no sandbox of executor {executor_id!r} below {self.work_dir}")
        return max(found, key=lambda run: run.stat().st_ctime_ns)

    def container_id(self, framework_id: str, executor_id: str) -> str:
        return self.sandbox(framework_id, executor_id).name

    def cgroup(self, framework_id: str, executor_id: str) -> str:
        """The path of an executor's container in the hierarchies of the isolators and the freezer (linux launcher)."""
        return f"{self.cgroups_root}/{self.container_id(framework_id, executor_id)}"


class Cluster:
    """`agents` is how many, all with `options`, or one AgentOptions for each. Raises build.BuildError without Mesos."""

    def __init__(
        self,
        agents: int | Iterable[AgentOptions] = 1,
        options: AgentOptions | None = None,
        *,
        address: str = "127.0.0.1",
        mesos: Path | None = None,
        master_flags: Mapping[str, str] | None = None,
    ) -> None:
        self._master_flags = master_flags
        self._wanted = [options or AgentOptions()] * agents if isinstance(agents, int) else list(agents)
        self._mesos = mesos
        self.address = address
        self.directory = Path()
        self.agents: list[MesosAgent] = []

    @property
    def agent(self) -> MesosAgent:
        return self.agents[0]

    @property
    def endpoint(self) -> str:
        """The master's, for frameworks."""
        return self.master.endpoint

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        mesos = build.ensure(self._mesos)
        self.directory = Path(tempfile.mkdtemp(prefix="mpe-mesos-"))
        self.master = MesosMaster(mesos, self.directory / "master", address=self.address, flags=self._master_flags)
        try:
            self.master.start()
            for options in self._wanted:
                self.add_agent(options)
        except BaseException:
            self.stop()
            raise

    def add_agent(
        self, options: AgentOptions | None = None, *, address: str | None = None, prefix: Sequence[str] = ()
    ) -> MesosAgent:
        """One more agent; with a `prefix` such as `ip netns exec NAME` it plays another host."""
        directory = self.directory / f"agent{len(self.agents)}"
        agent = MesosAgent(
            self.master.build,
            directory,
            self.master,
            options or AgentOptions(),
            address=address or self.address,
            prefix=prefix,
        )
        self.agents.append(agent)
        agent.start()
        return agent

    def stop(self) -> None:
        """End everything and remove every trace; raises NotReadyError naming what would not go. May be repeated."""
        if self.directory == Path():
            return
        for process in (*self.agents, self.master):
            process.kill()
        for agent in self.agents:  # one that was killed in the middle of a container's destruction left it frozen
            cgroupdirs.thaw(cgroupdirs.below(agent.cgroups_root))
        kill_processes_of(self.directory)
        left = [str(path) for agent in self.agents for path in cgroupdirs.sweep(agent.cgroups_root)]
        _unmount_below(self.directory)
        shutil.rmtree(self.directory)
        self.directory = Path()
        if not os.environ.get("MPE_TEST_CGROUP"):
            left += [str(path) for path in cgroupdirs.sweep(node_cgroup())]
        if left:
            raise NotReadyError(f"cgroups were left: {', '.join(left)}")


def node_cgroup() -> str:
    """The one top-level cgroup below which a test may make cgroups: the private node's, else this process's own."""
    return os.environ.get("MPE_TEST_CGROUP") or f"/mpe-test-{os.getpid()}"


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_bytes(content)
    scratch.rename(path)


def _unmount_below(directory: Path) -> None:
    """The isolators of an agent that was killed leave mounts below its work directory."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((path for path in mounts if Path(path).is_relative_to(directory)), reverse=True):
        libc.umount2(os.fsencode(mount), 2)  # MNT_DETACH
