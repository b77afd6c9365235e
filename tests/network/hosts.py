"""Several hosts on one machine: a network namespace each, on one switch, with a Mesos agent, a CNI network and names.

Every host has a /24 of its own for pods and tasks, and routes to the others'. The test itself sits on the switch,
beside the master. To be used in the private node.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from executor.dns.hostsdir import HostsDir
from tests.support import cgroupdirs
from tests.support.mesos import messages
from tests.support.mesos.cluster import Cluster, MesosAgent
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler
from tests.support.names import Service, configuration, ip, resolves

SWITCH = "sw0"
MASTER = "192.168.77.254"
NETWORK = "podnet"
OPTIONS = AgentOptions(launcher="linux")


@dataclass(frozen=True)
class Host:
    number: int
    directory: Path

    @property
    def name(self) -> str:
        return f"h{self.number}"

    @property
    def address(self) -> str:
        return f"192.168.77.{self.number}"

    @property
    def gateway(self) -> str:
        """Where its name server is, for whatever runs on it."""
        return f"10.92.{self.number}.1"

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("nsenter", f"--net=/run/netns/{self.name}")

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

    def environment(self, *mesos: str) -> dict[str, str]:
        """The program's configuration on this host."""
        listen = f"{self.gateway},{self.address}"
        return configuration(self.hosts, LISTEN=listen, MESOS=",".join(mesos)) | {
            "MESOS_POD_EXECUTOR_NODE_RUN_DIR": str(self.run_dir),
            "MESOS_POD_EXECUTOR_CNI_CONFIG_DIR": str(self.cni_config),
        }

    def dnsmasq(self) -> Service:
        log = self.directory / f"{self.name}.dnsmasq.log"
        return Service("dns", "run", environment=self.environment(), log=log, prefix=self.prefix)

    def sync(self, *mesos: str) -> Service:
        log = self.directory / f"{self.name}.sync.log"
        return Service("dns", "sync", environment=self.environment(*mesos), log=log, prefix=self.prefix)

    def resolves(self, name: str, *expected: str, **options: Any) -> float:
        """Of its own name server, asked from the switch."""
        return resolves(name, *expected, server=self.address, **options)

    def set_up(self, others: Mapping[int, str]) -> None:
        ip("netns", "add", self.name)
        ip("link", "add", f"v{self.name}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", f"v{self.name}", "master", SWITCH, "up")
        for words in (("addr", "add", f"{self.address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            ip("-n", self.name, *words)
        ip("-n", self.name, "link", "set", "lo", "up")
        subprocess.run([*self.prefix, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
        for number, address in others.items():
            ip("-n", self.name, "route", "add", f"10.92.{number}.0/24", "via", address)
        self._write_network()
        self.hosts.ensure()

    def _write_network(self) -> None:
        """As an operator writes it for the Mesos agent of this host."""
        self.cni_config.mkdir()
        ipam = {"type": "host-local", "subnet": f"10.92.{self.number}.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
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
        """The link by hand: the namespace itself lives on until the last process in it is reaped."""
        for command in (["ip", "link", "delete", f"v{self.name}"], ["ip", "netns", "delete", self.name]):
            subprocess.run(command, check=False, capture_output=True)
        for path in (self.hosts.path, self.run_dir):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def network(directory: Path, count: int) -> Iterator[list[Host]]:
    """The switch and its hosts."""
    hosts = [Host(number, directory) for number in range(1, count + 1)]
    with ExitStack() as stack:
        ip("link", "add", SWITCH, "type", "bridge")
        stack.callback(ip, "link", "delete", SWITCH)
        ip("addr", "add", f"{MASTER}/24", "dev", SWITCH)
        ip("link", "set", SWITCH, "up")
        subprocess.run(
            ["sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1"], check=True
        )  # agents' ports are found from here
        for host in hosts:
            stack.callback(host.tear_down)
            host.set_up({other.number: other.address for other in hosts if other != host})
            ip("route", "add", f"10.92.{host.number}.0/24", "via", host.address)
        yield hosts


@contextmanager
def mesos(hosts: list[Host], options: AgentOptions = OPTIONS) -> Iterator[tuple[Cluster, list[MesosAgent]]]:
    """A master on the switch and an agent on each host."""
    with Cluster(0, address=MASTER) as cluster:
        agents = [
            cluster.add_agent(
                replace(options, cni_config_dir=host.cni_config), address=host.address, prefix=host.prefix
            )
            for host in hosts
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
