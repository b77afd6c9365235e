"""Hosts with what names of Mesos tasks need: a Mesos agent, a CNI network and a name server each.

The test itself is where the master is (tests/support/hosts.py). To be used in the private node.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from executor.dns.hostsdir import HostsDir
from tests.support import cgroupdirs, hosts
from tests.support.hosts import HERE
from tests.support.mesos import messages
from tests.support.mesos.cluster import Cluster, MesosAgent
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler
from tests.support.names import Service

NETWORK = "podnet"
OPTIONS = AgentOptions(launcher="linux")


@dataclass(frozen=True)
class Host(hosts.Host):
    directory: Path

    @property
    def hosts(self) -> HostsDir:
        return HostsDir(Path(f"/run/names-{self.name}"))

    @property
    def cni_config(self) -> Path:
        return self.directory / f"{self.name}.cni"

    @property
    def run_dir(self) -> Path:
        """What /run/mesos-pod-executor is on a host of its own."""
        return Path(f"/run/{self.name}")

    def values(self, *mesos: str) -> dict[str, str]:
        """The program's configuration on this host, as variables have it."""
        return {
            "DNS_HOSTS_DIR": str(self.hosts.path),
            "DNS_LISTEN": f"{self.gateway},{self.address}",
            "DNS_MESOS": ",".join(mesos),
            "NODE_RUN_DIR": str(self.run_dir),
            "CNI_CONFIG_DIR": str(self.cni_config),
        }

    def environment(self, *mesos: str) -> dict[str, str]:
        """For the program's commands on this host."""
        return {f"MESOS_POD_EXECUTOR_{name}": value for name, value in self.values(*mesos).items()}

    def dnsmasq(self) -> Service:
        log = self.directory / f"{self.name}.dnsmasq.log"
        return Service("dns", "run", environment=self.environment(), log=log, prefix=self.prefix)

    def sync(self, *mesos: str) -> Service:
        log = self.directory / f"{self.name}.sync.log"
        return Service("dns", "sync", environment=self.environment(*mesos), log=log, prefix=self.prefix)

    def set_up(self) -> None:
        self._write_network()
        self.hosts.ensure()

    def _write_network(self) -> None:
        """As an operator writes it for the Mesos agent of this host."""
        self.cni_config.mkdir()
        ipam = {"type": "host-local", "subnet": self.subnet, "routes": [{"dst": "0.0.0.0/0"}]}
        conf = {
            "cniVersion": "0.2.0",
            "name": NETWORK,
            "type": "bridge",
            "bridge": "pod0",
            "isGateway": True,
            "ipMasq": False,
            "ipam": {**ipam, "dataDir": str(self.directory / f"{self.name}.ipam")},
            "dns": {"nameservers": [self.gateway], "search": ["mesos"]},
        }
        (self.cni_config / "podnet.conf").write_text(json.dumps(conf))

    def tear_down(self) -> None:
        for path in (self.hosts.path, self.run_dir):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def network(directory: Path, count: int) -> Iterator[list[Host]]:
    """The segment and its hosts."""
    with ExitStack() as stack:
        made = [Host(plain.number, directory) for plain in stack.enter_context(hosts.hosts(count))]
        foreign = "net.ipv4.ip_nonlocal_bind=1"  # agents' ports are found from here
        subprocess.run(["sysctl", "-qw", foreign], check=True)
        for host in made:
            stack.callback(host.tear_down)
            host.set_up()
        yield made


@contextmanager
def mesos(machines: list[Host], options: AgentOptions = OPTIONS) -> Iterator[tuple[Cluster, list[MesosAgent]]]:
    """A master and an agent on each host."""
    with Cluster(0, address=HERE) as cluster:
        agents = [
            cluster.add_agent(
                replace(options, cni_config_dir=host.cni_config), address=host.address, prefix=host.prefix
            )
            for host in machines
        ]
        try:
            yield cluster, agents
        finally:
            halt(cluster)


def halt(cluster: Cluster) -> None:
    """End the agents. One that dies while it destroys a container leaves that frozen, and nothing kills it then."""
    for agent in cluster.agents:
        agent.kill()
        cgroupdirs.thaw(cgroupdirs.below(agent.cgroups_root))


def launch(scheduler: Scheduler, agent: MesosAgent, task_id: str, command: str, **fields: Any) -> str:
    """A task of the agent's command executor on the CNI network, running; its address."""
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)]
    container = {"type": "MESOS", "network_infos": [{"name": NETWORK}]}
    info = messages.task_info(
        task_id, resources, command=messages.command(command), **{"container": container, **fields}
    )
    scheduler.launch([info], agent_id=agent.agent_id)
    status = scheduler.wait_status(task_id, "TASK_RUNNING", 30)
    return str(status.raw["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"])
