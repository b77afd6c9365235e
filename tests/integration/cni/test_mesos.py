"""Pods beside tasks of a Mesos agent on one network: neither ever touches the other, no address is given out twice.

The agent is re-enacted as Mesos 1.11.0's network/cni isolator calls plugins: the single-plugin configuration of
version 0.2.0, network info in `args`, CNI_* and PATH only, no result handed back on DEL.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from executor.cni import NetworkRequest, PortMapping, netns
from executor.errors import Refused
from tests.integration.cni.lab import REAL_PLUGINS, Lab, ask, run

pytestmark = pytest.mark.root


class Agent:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.config = (lab.config_dir / "podnet.conf").read_text()
        self.directory = lab.directory / "agent"
        self.addresses: dict[str, str] = {}

    def pin(self, container: str) -> Path:
        return self.directory / container

    async def attach(self) -> str:
        container = str(uuid.uuid4())
        await netns.ensure(self.pin(container))
        result = await asyncio.to_thread(self._call, "ADD", container)
        assert result["cniVersion"] == "0.2.0"
        self.addresses[container] = result["ip4"]["ip"].split("/")[0]
        return container

    async def detach(self, container: str) -> None:
        await asyncio.to_thread(self._call, "DEL", container)
        await netns.destroy(self.pin(container))
        del self.addresses[container]

    async def alive(self, container: str) -> None:
        """The task's server can be reached from the host."""
        await asyncio.to_thread(self.lab.start_server, self.pin(container), 7, container)
        assert (await self.lab.ask(self.addresses[container], 7))[0] == container

    def _call(self, command: str, container: str) -> dict[str, Any]:
        config = json.loads(self.config)
        config["args"] = {"org.apache.mesos": {"network_info": {"name": config["name"]}}}
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_PATH": str(REAL_PLUGINS),
            "CNI_IFNAME": "eth0",
            "CNI_NETNS": str(self.pin(container)),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }
        plugin = REAL_PLUGINS / config["type"]
        done = subprocess.run(
            [plugin], input=json.dumps(config), env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        return dict(json.loads(done.stdout or "{}"))

    def rules(self) -> list[str]:
        return [
            rule
            for rule in run("iptables-save", "-t", "nat").splitlines()
            if any(each in rule for each in self.addresses)
        ]


async def test_pods_come_and_go_beside_tasks(lab: Lab) -> None:
    agent = Agent(lab)
    tasks = [await agent.attach() for _ in range(2)]
    rules = agent.rules()
    assert rules
    for _ in range(3):
        ports = {0: (PortMapping(18000, 80),)}
        pods = [lab.up(f"pod-{n}", NetworkRequest("podnet", port_mappings=ports.get(n, ()))) for n in range(10)]
        (attached, fresh) = await asyncio.gather(
            asyncio.gather(*pods), asyncio.gather(*(agent.attach() for _ in range(10)))
        )
        given = {made.ips[0].partition("/")[0] for (made,) in attached} | set(agent.addresses.values())
        assert len(given) == 10 + 12, "an address was given out twice"
        gone = [lab.down(f"pod-{n}") for n in range(10)]
        await asyncio.gather(*gone, *(agent.detach(container) for container in fresh))
        assert agent.rules() == rules
        assert set(lab.addresses().values()) == set(tasks)
    for container in tasks:
        await agent.alive(container)
        await agent.detach(container)
    assert lab.clean(), lab.retries()


async def test_a_cold_node(lab: Lab) -> None:
    """Bridge, chains and the address book do not exist yet."""
    agent = Agent(lab)
    ports = (PortMapping(18000, 80),)
    await asyncio.gather(
        lab.up("pod-0", NetworkRequest("podnet", port_mappings=ports)), agent.attach(), lab.up("pod-1"), agent.attach()
    )
    assert len(lab.addresses()) == 4
    tasks = list(agent.addresses)
    await asyncio.gather(lab.down("pod-0"), lab.down("pod-1"), *(agent.detach(task) for task in tasks))
    assert lab.clean(), lab.retries()


async def test_a_task_is_not_detached(lab: Lab) -> None:
    agent = Agent(lab)
    task = await agent.attach()
    before = agent.rules()
    with pytest.raises(Refused):
        await lab.cni.detach(task, agent.pin(task))
    await lab.cni.detach("pod-unknown", agent.pin(task))  # bridge's DEL would take eth0 from whoever is there
    await agent.alive(task)
    assert agent.rules() == before
    await agent.detach(task)
    assert lab.clean(), lab.retries()


async def test_a_pod_and_a_task_reach_each_other(lab: Lab) -> None:
    agent = Agent(lab)
    task = await agent.attach()
    (pod,) = await lab.up("pod-one")
    await lab.serve("pod-one", 80)
    answer = await asyncio.to_thread(ask, pod.ips[0], 80, agent.pin(task))
    assert answer == ("pod-one", agent.addresses[task])
    await agent.alive(task)
    assert await lab.ask(agent.addresses[task], 7, pod="pod-one") == (task, pod.ips[0].partition("/")[0])
    await agent.detach(task)
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()
