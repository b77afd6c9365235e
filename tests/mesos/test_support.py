"""The Mesos that other tests stand on is the real one: what it offers, refuses, kills and keeps is what Mesos does."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import cgroupdirs, leaks
from tests.support.mesos import messages
from tests.support.mesos.cluster import Cluster, MesosAgent
from tests.support.mesos.http import Message
from tests.support.mesos.messages import scalar, task_info
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.provider import RevocableProvider
from tests.support.mesos.scheduler import CAPABILITIES, DISCONNECTED, Scheduler, UnexpectedError
from tests.support.mesos.server import wait_until
from tests.support.node.record import start_ticks

pytestmark = [pytest.mark.root, pytest.mark.mesos]

_NO_MIX = "Cannot use both revocable and non-revocable 'cpus' at the same time"
_PREEMPTED = "Container preempted by QoS correction"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    options = AgentOptions(estimator=True, executor_reregistration_timeout_s=1, executor_shutdown_grace_period_s=1)
    with Cluster(1, options) as cluster:
        cluster.agent.set_revocable(cpus=3, mem=300)
        yield cluster


@pytest.fixture
def scheduler(cluster: Cluster) -> Iterator[Scheduler]:
    with Scheduler(cluster.endpoint) as scheduler:
        yield scheduler


def _executor(agent: MesosAgent, executor_id: str, *resources: Message, **fields: Any) -> Message:
    command = f"exec python3 {agent.build / 'libexec/mesos-executor'}"
    return messages.executor_info(executor_id, command, resources or (scalar("mem", 32),), **fields)


def _task(task_id: str, cpus: float = 0.1, *, revocable: bool = False, **fields: Any) -> Message:
    return task_info(task_id, [scalar("cpus", cpus, revocable=revocable), scalar("mem", 16)], **fields)


def _journal(agent: MesosAgent, scheduler: Scheduler, executor_id: str, kind: str) -> list[Any]:
    lines = (agent.sandbox(scheduler.framework_id, executor_id) / "executor.jsonl").read_text().splitlines()
    return [entry["value"] for entry in map(json.loads, lines) if entry["kind"] == kind]


def _revocable_cpus(offers: list[Message]) -> float:
    resources = [resource for offer in offers for resource in offer["resources"] if "revocable" in resource]
    return sum(float(resource["scalar"]["value"]) for resource in resources if resource["name"] == "cpus")


def _is_alive(pid: int) -> bool:
    return start_ticks(pid) is not None  # a zombie that the host's process 1 does not reap has ended


def test_a_plain_command_runs_to_its_end_with_its_output_in_the_sandbox(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([_task("plain", command=messages.command("echo $WORD; exit 4", {"WORD": "hello"}))])
    assert scheduler.wait_status("plain", "TASK_FAILED").message == "Command exited with status 4"
    assert scheduler.states("plain") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    assert "hello" in (cluster.agent.sandbox(scheduler.framework_id, "plain") / "stdout").read_text()
    pid = _journal(cluster.agent, scheduler, "plain", "start")[0]["pid"]
    wait_until(lambda: not _is_alive(pid), 10, lambda: f"the command executor {pid} does not end by itself")


def test_one_executor_holds_regular_and_revocable_tasks(cluster: Cluster, scheduler: Scheduler) -> None:
    executor = _executor(cluster.agent, "mixed")
    scheduler.launch([_task("regular"), _task("borrowed", 1.5, revocable=True)], executor)
    scheduler.launch([_task("later", 0.5, revocable=True)], executor)
    for name in ("regular", "borrowed", "later"):
        scheduler.wait_status(name, "TASK_RUNNING")
    launched = [event for event in _journal(cluster.agent, scheduler, "mixed", "event") if event["type"] == "LAUNCH"]
    resources = {event["launch"]["task"]["name"]: event["launch"]["task"]["resources"] for event in launched}
    assert [resource["name"] for resource in resources["borrowed"] if "revocable" in resource] == ["cpus"]
    assert not any("revocable" in resource for resource in resources["regular"])


def test_mixed_cpus_are_refused_in_the_master_s_words(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch(
        [_task("a", revocable=True)], _executor(cluster.agent, "x", scalar("cpus", 0.1), scalar("mem", 32))
    )
    both = [scalar("cpus", 0.1), scalar("cpus", 0.1, revocable=True), scalar("mem", 16)]
    scheduler.launch([task_info("b", both)], _executor(cluster.agent, "y"))
    a, b = (scheduler.wait_status(name, "TASK_ERROR") for name in "ab")
    assert a.message == f"Task and its executor mix revocable and non-revocable resources: {_NO_MIX}"
    assert b.message == f"Task mixes revocable and non-revocable resources: {_NO_MIX}"
    assert {a.reason, b.reason} == {"REASON_TASK_INVALID"}


def test_a_group_goes_to_a_custom_executor_with_cpus_mem_and_disk(cluster: Cluster, scheduler: Scheduler) -> None:
    whole = (scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 10))
    scheduler.launch([_task("g1"), _task("g2")], _executor(cluster.agent, "group", *whole), group=True)
    for name in ("g1", "g2"):
        scheduler.wait_status(name, "TASK_RUNNING")
    scheduler.launch([_task("g3")], _executor(cluster.agent, "bare"), group=True)
    assert scheduler.wait_status("g3", "TASK_ERROR").reason == "REASON_TASK_GROUP_INVALID"


def test_stock_preemption_takes_the_regular_task_too(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([_task("r"), _task("v", revocable=True)], _executor(cluster.agent, "preempted"))
    for name in ("r", "v"):
        scheduler.wait_status(name, "TASK_RUNNING")
    cluster.agent.qos_kill(scheduler.framework_id, "preempted")
    gone = [scheduler.wait_status(name, "TASK_GONE") for name in ("r", "v")]
    assert {(status.source, status.reason, status.message) for status in gone} == {
        ("SOURCE_AGENT", "REASON_CONTAINER_PREEMPTED", _PREEMPTED)
    }


def test_a_correction_for_another_container_kills_nothing(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([_task("spared")], _executor(cluster.agent, "other"))
    scheduler.wait_status("spared", "TASK_RUNNING")
    cluster.agent.qos_kill(scheduler.framework_id, "other", "00000000-0000-0000-0000-000000000000")
    time.sleep(0.5)
    assert scheduler.states("spared") == ["TASK_STARTING", "TASK_RUNNING"]


def test_the_estimate_can_be_changed_and_running_tasks_stay(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.wait_offers(lambda offers: _revocable_cpus(offers) == 3)
    scheduler.launch([_task("stays", 1, revocable=True)], _executor(cluster.agent, "estimate"))
    scheduler.wait_status("stays", "TASK_RUNNING")
    cluster.agent.set_revocable()
    scheduler.wait_offers(lambda offers: bool(offers) and _revocable_cpus(offers) == 0)
    cluster.agent.set_revocable(cpus=3, mem=300)
    scheduler.wait_offers(lambda offers: _revocable_cpus(offers) == 3)  # beyond what is used
    assert scheduler.states("stays")[-1] == "TASK_RUNNING"


def test_without_the_capability_nothing_revocable_is_offered(cluster: Cluster) -> None:
    others = tuple(capability for capability in CAPABILITIES if capability != "REVOCABLE_RESOURCES")
    with Scheduler(cluster.endpoint, capabilities=others) as scheduler:
        assert _revocable_cpus(scheduler.wait_offers()) == 0
        with pytest.raises(UnexpectedError, match="no agent offers enough"):
            scheduler.launch([_task("never", revocable=True)], timeout_s=0.5)


def test_an_executor_outlives_its_agent_and_delivers_what_happened_meanwhile(
    cluster: Cluster, scheduler: Scheduler
) -> None:
    short = _task("short", data=b"while [ ! -e finish ]; do sleep 0.05; done")
    scheduler.launch([_task("long"), short], _executor(cluster.agent, "survivor"))
    for name in ("long", "short"):
        scheduler.wait_status(name, "TASK_RUNNING")
    sandbox = cluster.agent.sandbox(scheduler.framework_id, "survivor")
    pid = _journal(cluster.agent, scheduler, "survivor", "start")[0]["pid"]
    cluster.agent.kill()
    (sandbox / "finish").touch()
    time.sleep(0.3)
    cluster.agent.start()
    scheduler.wait_status("short", "TASK_FINISHED")
    assert _is_alive(pid)
    assert scheduler.states("long")[-1] == "TASK_RUNNING"
    scheduler.kill("long", grace_s=3)
    scheduler.wait_status("long", "TASK_KILLED")
    kills = [event for event in _journal(cluster.agent, scheduler, "survivor", "event") if event["type"] == "KILL"]
    assert kills[0]["kill"]["kill_policy"] == messages.kill_policy(3)


def test_messages_pass_both_ways(cluster: Cluster, scheduler: Scheduler) -> None:
    agent_id = scheduler.launch([_task("talker")], _executor(cluster.agent, "talk"))
    scheduler.wait_status("talker", "TASK_RUNNING")
    scheduler.message(agent_id, "talk", b"ping\0\xff")
    assert scheduler.wait_message() == b"ping\0\xff"
    scheduler.shutdown_executor(agent_id, "talk")
    assert scheduler.wait_status("talker", "TASK_FAILED").reason == "REASON_EXECUTOR_TERMINATED"


def test_without_acknowledgements_the_first_update_holds_back_the_others(cluster: Cluster) -> None:
    with Scheduler(cluster.endpoint, acknowledge=False) as scheduler:
        scheduler.launch([_task("held", command=messages.command("true"))])
        scheduler.wait_status("held", "TASK_STARTING")
        time.sleep(0.5)
        assert scheduler.states("held") == ["TASK_STARTING"]
        scheduler.acknowledge = True
        scheduler.acknowledge_all()
        scheduler.wait_status("held", "TASK_FINISHED")


def test_reconciliation_tells_the_latest_state(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([_task("known")], _executor(cluster.agent, "reconciled"))
    scheduler.wait_status("known", "TASK_RUNNING")
    start = scheduler.mark()
    scheduler.reconcile()
    assert scheduler.wait_status("known", "TASK_RUNNING", start=start).reason == "REASON_RECONCILIATION"


def test_draining_kills_with_its_own_reason() -> None:
    with Cluster() as cluster, Scheduler(cluster.endpoint) as scheduler:
        scheduler.launch([_task("drained", kill_policy=messages.kill_policy(9))], _executor(cluster.agent, "drain"))
        scheduler.wait_status("drained", "TASK_RUNNING")
        cluster.master.operator.drain(cluster.agent.agent_id, max_grace_s=2.5)
        assert scheduler.wait_status("drained", "TASK_KILLED").reason == "REASON_AGENT_DRAINING"
        kills = [event for event in _journal(cluster.agent, scheduler, "drain", "event") if event["type"] == "KILL"]
        assert kills[0]["kill"]["kill_policy"] == messages.kill_policy(2.5)


def test_a_resource_provider_needs_nothing_of_the_agent() -> None:
    with Cluster() as cluster, Scheduler(cluster.endpoint) as scheduler:
        with RevocableProvider(cluster.agent.endpoint, cpus=2) as provider:
            scheduler.launch([_task("lent", 1.5, revocable=True)], _executor(cluster.agent, "provided"))
            scheduler.wait_status("lent", "TASK_RUNNING")
            provider.offer(cpus=3)
            scheduler.wait_offers(lambda offers: _revocable_cpus(offers) == 1.5)
        scheduler.wait_offers(lambda offers: bool(offers) and _revocable_cpus(offers) == 0)
        assert scheduler.states("lent")[-1] == "TASK_RUNNING"


def test_the_linux_launcher_gives_each_executor_a_cgroup_and_nothing_is_left() -> None:
    with Cluster(1, AgentOptions(launcher="linux")) as cluster, Scheduler(cluster.endpoint) as scheduler:
        scheduler.launch([_task("boxed")], _executor(cluster.agent, "box"))
        scheduler.wait_status("boxed", "TASK_RUNNING")
        pid = _journal(cluster.agent, scheduler, "box", "start")[0]["pid"]
        own = cluster.agent.cgroup(scheduler.framework_id, "box")
        assert pid in cgroupdirs.pids(own)
        containers = cluster.agent.operator.containers()
        assert [container["executor_id"]["value"] for container in containers] == ["box"]
        directory, root = cluster.directory, cluster.agent.cgroups_root
    assert not cgroupdirs.below(root)
    assert not directory.exists()
    assert not _is_alive(pid)


@pytest.mark.skipif("MPE_TEST_NAMESPACE" not in os.environ, reason="makes network interfaces: needs the private node")
def test_the_network_isolator_attaches_an_executor_by_the_agent_s_cni_configuration(tmp_path: Path) -> None:
    subprocess.run(["ip", "addr", "add", "10.88.0.1/32", "dev", "lo"], check=True)  # reachable from the bridge
    ipam = {"type": "host-local", "subnet": "10.95.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
    network = {"name": "podnet", "type": "bridge", "bridge": "pod0", "isGateway": True, "ipMasq": True, "ipam": ipam}
    (tmp_path / "podnet.conf").write_text(json.dumps({"cniVersion": "0.2.0", **network}))  # Mesos reads only `ip4`
    options = AgentOptions(launcher="linux", cni_config_dir=tmp_path)
    container = {"type": "MESOS", "network_infos": [{"name": "podnet"}]}
    with Cluster(1, options, address="10.88.0.1") as cluster, Scheduler(cluster.endpoint) as scheduler:
        task = _task("attached", data=b"hostname -i; exec sleep infinity")
        scheduler.launch([task], _executor(cluster.agent, "networked", container=container))
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
        scheduler.launch([_task("kept")], _executor(cluster.agent, "keeper"))
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
    assert not any(map(_is_alive, pids))


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
    wait_until(lambda: not any(map(_is_alive, pids)), 5, lambda: f"some of {pids} are still there")
