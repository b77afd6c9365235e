"""A master, and on each host a containerd, a name server, and an agent whose CNI configuration tasks and pods share."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from executor.dns.hostsdir import HostsDir
from tests.support.hosts import HERE, Host, hosts
from tests.support.mesos.cluster import Cluster, MesosAgent
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler
from tests.support.names import Service
from tests.support.rig import Rig
from tests.support.spark.pods import full_name

AGENT_PORT = 5051
ALLOCATION_INTERVAL_S = 0.1  # as options.py tells the master
ISOLATION = ("cgroups/cpu", "cgroups/mem", "filesystem/linux", "network/cni")
"""With filesystem/linux, as in production: every executor is in a mount namespace of its own."""
RESOURCES = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]"
REVOCABLE = {"cpus": 4, "mem": 2048}


class HostRig(Rig):
    """One host. Its agent belongs to the cluster of all; executors and what they start share its network namespace,
    and so do its name server and the synchroniser, which knows the whole cluster's tasks from the master.
    """

    def __init__(self, host: Host, cluster: Cluster, config: Mapping[str, str], resources: str) -> None:
        self.names = HostsDir(Path(f"/run/names-{host.name}"))  # where dnsmasq's own user gets to
        names = {
            "DNS_HOSTS_DIR": str(self.names.path),
            "DNS_LISTEN": f"{host.gateway},{host.address}",
            "DNS_MESOS": cluster.endpoint,
        }
        super().__init__(revocable=REVOCABLE, config={**names, **config})
        self.host = host
        self.cluster = cluster
        self.cgroup = f"{self.cgroup}/{host.name}"
        options = AgentOptions(
            launcher="linux",
            isolation=ISOLATION,
            cni_config_dir=self.cni_config,
            estimator=resources == RESOURCES,
            revocable_cpu_low_priority=resources != RESOURCES,
            resources=resources,
        )
        mesos, directory = cluster.master.build, cluster.directory / f"agent-{host.name}"
        self._agent = MesosAgent(
            mesos, directory, cluster.master, options, address=host.address, port=AGENT_PORT, prefix=host.prefix
        )
        self.services = [self._service(command) for command in ("run", "sync")]

    def _service(self, command: str) -> Service:
        log = self.directory / f"dns-{command}.log"
        return Service("dns", command, environment=self.environment(), log=log, prefix=self.host.prefix)

    def __enter__(self) -> Self:
        try:
            self._write_network()
            self.containerd.__enter__()
            asyncio.run(self._import())
            self.cluster.agents.append(self._agent)
            self._agent.start()
            if self._agent.options.estimator:
                self._agent.set_revocable(**self._revocable)
            self.names.ensure()
            for service in self.services:
                service.start()
            self.host.resolves("nobody.mesos")
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        for service in self.services:
            service.kill()
        shutil.rmtree(self.names.path, ignore_errors=True)
        super().close()

    async def _count(self) -> dict[str, int]:
        return await super()._count() | {"names": len(self.names.files())}

    @property
    def agent(self) -> MesosAgent:
        return self._agent

    def _write_network(self) -> None:
        """Every host has a subnet of its own, and what leaves it keeps its address; names are asked for at the host."""
        super()._write_network()
        (path,) = self.cni_config.iterdir()
        network = json.loads(path.read_text())
        network["ipam"]["ranges"] = [[{"subnet": self.host.subnet}]]
        network["dns"] = {"nameservers": [self.host.gateway], "search": ["mesos"]}
        path.write_text(json.dumps(network))


@dataclass(frozen=True)
class Site:
    cluster: Cluster
    hosts: tuple[HostRig, ...]

    @property
    def master(self) -> str:
        return self.cluster.endpoint

    def scheduler(self, name: str) -> Scheduler:
        return Scheduler(self.cluster.endpoint, name=name)

    def stand_back(self, scheduler: Scheduler) -> None:
        """Have a framework take no further offers and give back those that it holds, so that Spark gets them."""
        scheduler.call("SUPPRESS", {"roles": list(scheduler.roles)})
        time.sleep(3 * ALLOCATION_INTERVAL_S)  # offers that were under way
        scheduler.accept([offer["id"]["value"] for offer in scheduler.offers()], [], refuse_s=3600.0)

    def names(self, pod_class: str) -> dict[str, tuple[str, ...]]:
        """The names of the pods of one class on all hosts, with their addresses."""
        found = [pod for rig in self.hosts for pod in rig.pods() if pod["class"] == pod_class]
        return {full_name(pod["name"]): tuple(pod["ips"]) for pod in found}

    def wait_names(self, known: Mapping[str, Sequence[str]]) -> None:
        """Until every host's name server has exactly these addresses for these names."""
        for rig in self.hosts:
            for name, addresses in known.items():
                rig.host.resolves(name, *addresses)

    def evidence(self) -> None:
        """The logs of every executor, Spark's too, of every pod, and of what serves names."""
        for log in [service.log_path for rig in self.hosts for service in rig.services]:
            print(f"--- {log}\n{log.read_text(errors='replace')[-5000:]}", file=sys.stderr)
        self.hosts[0].keep_evidence()
        for sandbox in self.hosts[0].sandboxes():
            for log in sorted(sandbox.glob("pods/*/*.std*")):
                print(f"--- {log.relative_to(sandbox)}\n{log.read_text(errors='replace')[-20000:]}", file=sys.stderr)

    def leaks(self) -> dict[str, dict[str, int]]:
        """What is left on each host, addresses of Spark's executors included; waits for what is still going."""
        return {rig.host.name: rig.wait_clean() for rig in self.hosts}


@contextmanager
def _shared_mounts() -> Iterator[None]:
    """As an init system leaves them, and as Mesos expects them; the private node has made them private."""
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@contextmanager
def site(
    count: int = 2, config: Mapping[str, str] = MappingProxyType({}), resources: str = RESOURCES
) -> Iterator[Site]:
    """`config` is the program's on every host, besides. With other `resources`, which reserve some, agents have no
    estimator: a lender offers what is revocable, and pairs of executors use it, so the agent lowers their weight.
    """
    with ExitStack() as stack:
        stack.enter_context(_shared_mounts())
        machines = stack.enter_context(hosts(count))
        cluster = stack.enter_context(Cluster(0, address=HERE))
        yield Site(
            cluster, tuple(stack.enter_context(HostRig(machine, cluster, config, resources)) for machine in machines)
        )
