"""Hosts that run pods: what `hosts` makes, with this program as the executor on each, and images for it.

Pods and Mesos tasks of a host have an agent each: the isolator that attaches tasks puts executors into mount
namespaces of their own.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from executor.containerd import Containerd
from executor.images.store import ImageStore
from tests.network.hosts import NETWORK, Host, halt
from tests.network.hosts import OPTIONS as TASKS
from tests.support import config_file, rig
from tests.support.containerd import PrivateContainerd
from tests.support.hosts import HERE
from tests.support.images import ImageSpec, write_archive
from tests.support.mesos import messages
from tests.support.mesos.cluster import Cluster, MesosAgent
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler


class PodHosts:
    """A master, and on each host an agent for pods; on the last one another, for tasks. One containerd,
    with a namespace for each host.
    """

    def __init__(self, hosts: Sequence[Host], options: AgentOptions = rig.OPTIONS) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mpe-podhosts-"))
        self.hosts = {host.name: host for host in hosts}
        self.agents: dict[str, MesosAgent] = {}
        self.containerd = PrivateContainerd()
        self.cluster = Cluster(0, address=HERE)
        self._options = options

    def __enter__(self) -> Self:
        try:
            self.containerd.__enter__()
            asyncio.run(self._import())
            self.cluster.start()
            for host in self.hosts.values():
                where: dict[str, Any] = {"address": host.address, "prefix": host.prefix}
                self.agents[host.name] = self.cluster.add_agent(self._options, **where)
            self.task_agent = self.cluster.add_agent(replace(TASKS, cni_config_dir=host.cni_config), **where)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.keep_evidence()
        self.close()

    def keep_evidence(self) -> None:
        """The executors' logs, for whoever reads why a test failed."""
        for path in sorted(self.cluster.directory.glob("agent*/**/executors/*/runs/????????-*/stderr")):
            print(f"--- {path}\n{path.read_text(errors='replace')[-8000:]}", file=sys.stderr)

    def close(self) -> None:
        halt(self.cluster)
        self.cluster.stop()
        self.containerd.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def _import(self) -> None:
        archive = write_archive(self.directory / "image.tar", ImageSpec(rig.IMAGE))
        for host in self.hosts.values():
            async with await Containerd.connect(self.containerd.address, host.name) as client:
                await ImageStore(client).import_archive(archive)
                await ImageStore(client).lookup(rig.IMAGE)

    def executor(self, host: Host) -> dict[str, Any]:
        values = {
            "CONTAINERD_ADDRESS": self.containerd.address,
            "CONTAINERD_NAMESPACE": host.name,
            "CNI_DEFAULT_NETWORK": NETWORK,
            "NODE_STATE_DIR": str(self.directory / f"{host.name}.state"),
            "PODS_DEFAULT_IMAGE": rig.IMAGE,
            "POLICY_DEFAULT": "privileged",
            "CGROUPS_ROOT": "",
        }
        file = config_file.write(self.directory, host.values() | values)
        line = f"exec {shlex.join([*rig.PROGRAM, '--config', str(file)])}"
        return messages.executor_info(
            f"pods-{host.name}", line, [messages.scalar("mem", 128)], environment=rig.PROGRAM_ENVIRONMENT
        )

    def launch(
        self,
        scheduler: Scheduler,
        host: Host,
        name: str,
        command: Sequence[str] = rig.SLEEP,
        *,
        spec: Mapping[str, Any] | None = None,
        **metadata: Any,
    ) -> str:
        """A pod that runs; its address."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, **metadata},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "app", "image": rig.IMAGE, "command": list(command)}],
                **(spec or {}),
            },
        }
        resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)]
        task = messages.task_info(f"{name}.task", resources, data=json.dumps(pod).encode(), name=name)
        scheduler.launch([task], self.executor(host), agent_id=self.agents[host.name].agent_id)
        status = scheduler.wait_status(f"{name}.task", "TASK_RUNNING", 30)
        return str(status.raw["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"])

    def output(self, host: Host, scheduler: Scheduler, name: str) -> str:
        """What a pod of this name has written."""
        sandbox = self.agents[host.name].sandbox(scheduler.framework_id, f"pods-{host.name}")
        return "".join(path.read_text() for path in sandbox.glob("pods/*/app.stdout") if name in path.read_text())
