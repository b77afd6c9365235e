"""Clusters of real Mesos of other kinds: other launchers, isolators and masters, and how each of them ends."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.mesos import stock
from tests.support import cgroupdirs, leaks
from tests.support.mesos import messages
from tests.support.mesos.cluster import Cluster
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.provider import RevocableProvider
from tests.support.mesos.scheduler import DISCONNECTED, Scheduler
from tests.support.mesos.server import wait_until

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def test_draining_kills_with_its_own_reason() -> None:
    with Cluster() as cluster, Scheduler(cluster.endpoint) as scheduler:
        scheduler.launch(
            [stock.task("drained", kill_policy=messages.kill_policy(9))], stock.executor(cluster.agent, "drain")
        )
        scheduler.wait_status("drained", "TASK_RUNNING")
        cluster.master.operator.drain(cluster.agent.agent_id, max_grace_s=2.5)
        assert scheduler.wait_status("drained", "TASK_KILLED").reason == "REASON_AGENT_DRAINING"
        kills = [
            event for event in stock.journal(cluster.agent, scheduler, "drain", "event") if event["type"] == "KILL"
        ]
        assert kills[0]["kill"]["kill_policy"] == messages.kill_policy(2.5)


def test_a_resource_provider_needs_nothing_of_the_agent() -> None:
    with Cluster() as cluster, Scheduler(cluster.endpoint) as scheduler:
        with RevocableProvider(cluster.agent.endpoint, cpus=2) as provider:
            scheduler.launch([stock.task("lent", 1.5, revocable=True)], stock.executor(cluster.agent, "provided"))
            scheduler.wait_status("lent", "TASK_RUNNING")
            provider.offer(cpus=3)
            scheduler.wait_offers(lambda offers: stock.revocable_cpus(offers) == 1.5)
        scheduler.wait_offers(lambda offers: bool(offers) and stock.revocable_cpus(offers) == 0)
        assert scheduler.states("lent")[-1] == "TASK_RUNNING"


def test_the_linux_launcher_gives_each_executor_a_cgroup_and_nothing_is_left() -> None:
    with Cluster(1, AgentOptions(launcher="linux")) as cluster, Scheduler(cluster.endpoint) as scheduler:
        scheduler.launch([stock.task("boxed")], stock.executor(cluster.agent, "box"))
        scheduler.wait_status("boxed", "TASK_RUNNING")
        pid = stock.journal(cluster.agent, scheduler, "box", "start")[0]["pid"]
        own = cluster.agent.cgroup(scheduler.framework_id, "box")
        assert pid in cgroupdirs.pids(own)
        containers = cluster.agent.operator.containers()
        assert [container["executor_id"]["value"] for container in containers] == ["box"]
        directory, root = cluster.directory, cluster.agent.cgroups_root
    assert not cgroupdirs.below(root)
    assert not directory.exists()
    assert not stock.is_alive(pid)


@pytest.mark.skipif("MPE_TEST_NAMESPACE" not in os.environ, reason="makes network interfaces: needs the private node")
def test_the_network_isolator_attaches_an_executor_by_the_agent_s_cni_configuration(tmp_path: Path) -> None:
    subprocess.run(["ip", "addr", "add", "10.88.0.1/32", "dev", "lo"], check=True)  # reachable from the bridge
    ipam = {"type": "host-local", "subnet": "10.95.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
    network = {"name": "podnet", "type": "bridge", "bridge": "pod0", "isGateway": True, "ipMasq": True, "ipam": ipam}
    (tmp_path / "podnet.conf").write_text(json.dumps({"cniVersion": "0.2.0", **network}))  # Mesos reads only `ip4`
    options = AgentOptions(launcher="linux", cni_config_dir=tmp_path)
    container = {"type": "MESOS", "network_infos": [{"name": "podnet"}]}
    with Cluster(1, options, address="10.88.0.1") as cluster, Scheduler(cluster.endpoint) as scheduler:
        task = stock.task("attached", data=b"hostname -i; exec sleep infinity")
        scheduler.launch([task], stock.executor(cluster.agent, "networked", container=container))
        status = scheduler.wait_status("attached", "TASK_RUNNING")
        addresses = status.raw["container_status"]["network_infos"][0]["ip_addresses"]
        assert addresses[0]["ip_address"].startswith("10.95.0.")
        assert leaks.look().counts()["veths"] == 1
        scheduler.shutdown_executor(cluster.agent.agent_id, "networked")
        scheduler.wait_event("FAILURE")
        wait_until(lambda: leaks.look().counts()["veths"] == 0, 10, lambda: f"left: {leaks.look()}")
    subprocess.run(["ip", "addr", "delete", "10.88.0.1/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "delete", "pod0"], check=True)


def test_a_new_master_learns_the_tasks_from_the_agent() -> None:
    with Cluster() as cluster, Scheduler(cluster.endpoint) as scheduler:
        scheduler.launch([stock.task("kept")], stock.executor(cluster.agent, "keeper"))
        scheduler.wait_status("kept", "TASK_RUNNING")
        cluster.master.kill()
        scheduler.wait_event(DISCONNECTED)
        start = scheduler.mark()
        cluster.master.start()
        scheduler.subscribe()
        cluster.agent.restart()
        scheduler.wait_status("kept", "TASK_RUNNING", start=start)


def test_a_failing_test_leaves_neither_processes_nor_files() -> None:
    cluster = Cluster(agents=2)
    pids: list[int] = []

    def fail() -> None:
        with cluster:
            pids.extend(process.pid for process in (cluster.master, *cluster.agents))
            assert len({agent.agent_id for agent in cluster.agents}) == 2
            assert cluster.directory.exists()
            raise ZeroDivisionError(cluster.directory)

    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    assert not Path(caught.value.args[0]).exists()
    assert len(pids) == 3
    assert not any(map(stock.is_alive, pids))


def test_a_cluster_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        tempfile.tempdir = str(tmp_path)  # what a killed process leaves goes with the test's directory
        cluster = Cluster()
        cluster.start()
        os.write(writing, f"{cluster.master.pid} {cluster.agent.pid}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        pids = [int(pid) for pid in pipe.read().split()]
    assert len(pids) == 2
    wait_until(lambda: not any(map(stock.is_alive, pids)), 5, lambda: f"some of {pids} are still there")
