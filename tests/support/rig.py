"""A whole node with everything real: containerd with an image, a CNI network, Mesos, and this program as the executor.

    with Rig() as rig, rig.scheduler() as scheduler:
        scheduler.launch([rig.pod("web"), rig.pod("batch", revocable=True)], rig.executor("mixed"))

To be used in the private node (MPE_TEST_NAMESPACE): the bridge, the rules and the sockets vanish with it. What must
not be left by the executor is counted by `leaks`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

from executor.images.store import ImageStore
from tests.support import cgroupdirs, config_file, podnet
from tests.support.containerd import PrivateContainerd
from tests.support.images import ImageSpec, write_archive
from tests.support.mesos import messages
from tests.support.mesos.cluster import Cluster, node_cgroup
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler
from tests.support.patience import patient

IMAGE = "docker.io/library/busybox:test"
IMAGE_HELLO = "docker.io/library/hello:test"
NAMESPACE = "mesos-pods"
T = TypeVar("T")
NETWORK = "podnet"
WATCHER = "mesos-pod-executor-watcher"
PROGRAM = (sys.executable, "-m", "executor")
PROGRAM_ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
OPTIONS = AgentOptions(
    launcher="linux",
    estimator=True,
    revocable_cpu_low_priority=False,
    resources="cpus:64;mem:16384;disk:4096;ports:[31000-32000]",
)
SLEEP = ("sh", "-c", "trap 'exit 0' TERM; sleep 1000000 & wait")
"""A well-behaved process: it ends at SIGTERM, and not by itself in the days of the longest run."""


class Rig:
    program_environment: Mapping[str, str] = PROGRAM_ENVIRONMENT

    def __init__(
        self,
        options: AgentOptions = OPTIONS,
        *,
        program: Sequence[str] = PROGRAM,
        config: Mapping[str, str] | None = None,
        revocable: Mapping[str, float] | None = None,
        master_flags: Mapping[str, str] | None = None,
    ) -> None:
        assert os.environ.get("MPE_TEST_NAMESPACE"), "a rig is built in the private node only"
        self.program = tuple(program)
        self.directory = Path(tempfile.mkdtemp(prefix="mpe-rig-"))
        self.containerd = PrivateContainerd()
        self.cluster = Cluster(1, options, master_flags=master_flags)
        self.cgroup = f"{node_cgroup()}/executors-{self.directory.name.rpartition('-')[2]}"
        """Parent of the executors' cgroups where the agent makes none (posix launcher)."""
        self._config = dict(config or {})
        self._revocable = dict(revocable or {"cpus": 32, "mem": 8192})

    @property
    def _shim_tops(self) -> tuple[str, ...]:
        return f"{self.cgroup}-shims", f"{self.cgroup}-regular-shims"

    # --- life ------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._write_network()
            self.containerd.__enter__()
            asyncio.run(self._import())
            self.cluster.start()
            if self.agent.options.estimator:
                self.agent.set_revocable(**self._revocable)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):  # nobody wonders about an interrupt
            self.keep_evidence()
        self.close()

    def close(self) -> None:
        self.cluster.stop()
        self.containerd.close()
        for top in (self.cgroup, *self._shim_tops):
            cgroupdirs.sweep(top)
        for pin in self.run_dir.glob("netns/*/pod-*"):  # of executors that died with the agent
            subprocess.run(["umount", "--lazy", str(pin)], check=False, capture_output=True)
        for directory in (self.directory, self.run_dir):
            shutil.rmtree(directory, ignore_errors=True)

    def keep_evidence(self) -> None:
        """The executors' logs, for whoever reads why a test failed."""
        for sandbox in self.sandboxes():
            for name in ("stderr", "stdout", "executor.log"):
                path = sandbox / name
                if path.exists() and path.stat().st_size:
                    print(f"--- {name} of {sandbox.name}\n{path.read_text(errors='replace')[-20000:]}", file=sys.stderr)

    def sandboxes(self) -> list[Path]:
        """The sandboxes of all executors that ever ran here."""
        return sorted(self.cluster.directory.glob("agent*/**/executors/*/runs/????????-*"))

    @property
    def agent(self) -> Any:
        return self.cluster.agent

    def _write_network(self) -> None:
        """As an operator writes it for the Mesos agent: one plain .conf of a version that the agent understands."""
        self.cni_config.mkdir()
        configuration = podnet.bridge(NETWORK, self.directory / "ipam")
        (self.cni_config / "10-podnet.conf").write_text(json.dumps(configuration))

    async def _import(self) -> None:
        from executor.containerd import Containerd

        hello = ImageSpec(IMAGE_HELLO, cmd=("/bin/echo", "hello from the image"))
        archive = write_archive(self.directory / "image.tar", ImageSpec(IMAGE), hello)
        async with await Containerd.connect(self.containerd.address, NAMESPACE) as client:
            await ImageStore(client).import_archive(archive)
            for image in (IMAGE, IMAGE_HELLO):
                await ImageStore(client).lookup(image)

    # --- what Mesos is told ----------------------------------------------------------------------------------

    @property
    def cni_config(self) -> Path:
        return self.directory / "cni"

    @property
    def run_dir(self) -> Path:
        """In the private node's own /run, for the paths of sockets must be short, however long TMPDIR is."""
        return Path("/run", self.directory.name)

    def values(self) -> dict[str, str]:
        """The configuration of this node, as variables would have it: NODE_RUN_DIR is [node] run_dir."""
        return {
            "CONTAINERD_ADDRESS": self.containerd.address,
            "CONTAINERD_NAMESPACE": NAMESPACE,
            "CNI_CONFIG_DIR": str(self.cni_config),
            "CNI_DEFAULT_NETWORK": NETWORK,
            "NODE_STATE_DIR": str(self.directory / "state"),
            "NODE_RUN_DIR": str(self.run_dir),
            "DNS_HOSTS_DIR": str(self.run_dir / "names"),
            "CGROUPS_ROOT": self.cgroup,
            "PODS_DEFAULT_IMAGE": IMAGE,
            "IMAGES_HOSTS_DIR": str(self.directory / "certs.d"),
            "IMAGES_DOCKER_CONFIG": str(self.directory / "docker.json"),
            "IMAGES_CONTENT_DIR": str(self.containerd.directory),
            "IMAGES_PATIENCE_S": "0",
            "POLICY_DEFAULT": "privileged",  # tests/integration/policy has the other levels
            **self._config,
        }

    def environment(self) -> dict[str, str]:
        """For the program's commands: they read the same file as the executor."""
        return {"MESOS_POD_EXECUTOR_CONFIG": str(self.write_config()), **PROGRAM_ENVIRONMENT}

    def write_config(self, **values: str) -> Path:
        """The operator's file, with these keys besides; another set of keys is another file."""
        return config_file.write(self.directory, {**self.values(), **values})

    def scheduler(self, **options: Any) -> Scheduler:
        return Scheduler(self.cluster.endpoint, **options)

    def executor(self, executor_id: str = "mixed", **fields: Any) -> dict[str, Any]:
        """An ExecutorInfo for both classes: it lists no cpus, so that its tasks may bring both kinds. `config` are
        keys of the operator's file besides the node's, `environment` the framework's variables.
        """
        resources = fields.pop("resources", [messages.scalar("mem", 128)])
        line = f"exec {shlex.join([*self.program, *self.options(fields.pop('config', {}))])}"
        environment = {**self.program_environment, **fields.pop("environment", {})}
        return messages.executor_info(executor_id, line, resources, environment=environment, **fields)

    def options(self, config: Mapping[str, str]) -> list[str]:
        """The executor's own: its configuration file."""
        return ["--config", str(self.write_config(**config))]

    def pod(
        self,
        name: str,
        *,
        revocable: bool = False,
        command: Sequence[str] = SLEEP,
        cpus: float = 0.1,
        mem: float = 32,
        spec: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        container: Mapping[str, Any] | None = None,
        ports: int = 0,
        **task: Any,
    ) -> dict[str, Any]:
        """A TaskInfo with a Pod of one container in its data. A revocable one borrows its cpus; its memory is of the
        executor's own kind, for Mesos allows no task with revocable memory beside an executor with regular memory.
        """
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, **(metadata or {})},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 2,
                "containers": [{"name": "app", "image": IMAGE, "command": list(command), **(container or {})}],
                **(spec or {}),
            },
        }
        resources = [
            messages.scalar("cpus", cpus, revocable=revocable),
            messages.scalar("mem", mem),
        ]
        if ports:
            resources.append(messages.ports(ports))
        return messages.task_info(name, resources, data=json.dumps(pod).encode(), **task)

    # --- what an operator sees -------------------------------------------------------------------------------

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of the program's own commands."""
        environment = {**os.environ, **self.environment()}
        line = [*self.program, *arguments]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=patient(60), check=False)
        if check and done.returncode:
            raise AssertionError(f"{line} exited with {done.returncode}: {done.stderr}{done.stdout[-2000:]}")
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.command(*arguments, "--json").stdout)

    def pods(self) -> list[dict[str, Any]]:
        return list(self.json("ps")["pods"])

    def processes(self, pod: Mapping[str, Any]) -> list[tuple[int, float]]:
        """Every process in a pod's cgroup with its start time, read from the kernel without the executor's help."""
        found: list[tuple[int, float]] = []
        for path in (cgroupdirs.of_processes() / pod["cgroup"].lstrip("/")).glob("**/cgroup.procs"):
            pids = map(int, path.read_text().split())
            found += [(pid, psutil.Process(pid).create_time()) for pid in pids]
        return sorted(found)

    def journal(self, executor_id: str, scheduler: Scheduler) -> list[dict[str, Any]]:
        path = self.agent.sandbox(scheduler.framework_id, executor_id) / "journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    # --- what must not be left -------------------------------------------------------------------------------

    def leaks(self) -> dict[str, int]:
        """How much of the executors' is left on the node now."""
        return asyncio.run(self._count())

    async def _count(self) -> dict[str, int]:
        from executor.containerd import Containerd

        async with await Containerd.connect(self.containerd.address, NAMESPACE) as client:
            containers = len(await client.containers.list())
            snapshots = sum(snapshot.kind == "active" for snapshot in await client.snapshots.list())
        ips = [path for path in (self.directory / "ipam").glob("*/*") if path.name[0].isdigit()]
        netns = [path for path in (self.run_dir / "netns").glob("*/*") if path.name.startswith("pod-")]
        return {
            "containers": containers,
            "netns": len(netns),
            "cgroups": len(self.cgroups()),
            "snapshots": snapshots,
            "ips": len(ips),
        }

    def cgroups(self) -> list[str]:
        """Directories of executors that are not alive, in every hierarchy; Mesos's own parent directory is not the
        executor's.
        """
        tops = (self.agent.cgroups_root, self.cgroup, *self._shim_tops)
        found = [path for top in tops for path in cgroupdirs.below(top)]
        return [str(path) for path in found if not str(path).endswith(tops)]

    def wait_clean(self, timeout_s: float = 15.0) -> dict[str, int]:
        """The leaks once there are none, or those that were left at the end."""
        return wait_for(lambda: leaks if not any((leaks := self.leaks()).values()) else None, timeout_s) or self.leaks()


def end_watcher(pid: int) -> None:
    """End the watcher of an executor: then its death is noticed by other executors and by gc only."""
    container = Path(psutil.Process(pid).cwd()).name
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if WATCHER in line and container in line:
            process.kill()


def wait_for(condition: Callable[[], T | None], timeout_s: float, interval_s: float = 0.1) -> T | None:
    """The first value that is there; None at the end of the time."""
    deadline = time.monotonic() + patient(timeout_s)
    while (value := condition()) is None and time.monotonic() < deadline:
        time.sleep(interval_s)
    return value
