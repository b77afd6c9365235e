"""The Mesos that other tests stand on is the real one: what it offers, refuses, kills and keeps is what Mesos does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.mesos import stock
from tests.support.mesos import messages
from tests.support.mesos.cluster import Cluster
from tests.support.mesos.lost import LOST
from tests.support.mesos.messages import scalar, task_info
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import CAPABILITIES, Scheduler, UnexpectedError
from tests.support.mesos.server import wait_until
from tests.support.mesos.sharing import SharingScheduler

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


def test_a_plain_command_runs_to_its_end_with_its_output_in_the_sandbox(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([stock.task("plain", command=messages.command("echo $WORD; exit 4", {"WORD": "hello"}))])
    assert scheduler.wait_status("plain", "TASK_FAILED").message == "Command exited with status 4"
    assert scheduler.states("plain") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    assert "hello" in (cluster.agent.sandbox(scheduler.framework_id, "plain") / "stdout").read_text()
    pid = stock.journal(cluster.agent, scheduler, "plain", "start")[0]["pid"]
    wait_until(lambda: not stock.is_alive(pid), 10, lambda: f"the command executor {pid} does not end by itself")


def test_a_launch_whose_offer_is_rescinded_meanwhile_is_sent_again(scheduler: Scheduler) -> None:
    stale = scheduler.wait_offers()
    scheduler.call("DECLINE", {"offer_ids": [offer["id"] for offer in stale], "filters": {"refuse_seconds": 0.0}})
    names, sleep = ("one", "two"), messages.command("sleep 100")
    scheduler.launch([stock.task(name, command=sleep) for name in names])
    for name in names:
        scheduler.wait_status(name, "TASK_RUNNING")
    assert sum(event.type == LOST for event in scheduler.events) == 2


def test_offers_that_are_released_go_to_another_framework(cluster: Cluster) -> None:
    with SharingScheduler(cluster.endpoint) as scheduler:
        scheduler.wait_offers()
        scheduler.release()
        with Scheduler(cluster.endpoint, name="other") as other:
            assert other.wait_offers(timeout_s=20)
            assert scheduler.offers() == []
        scheduler.revive()
        assert scheduler.wait_offers(timeout_s=20)


def test_one_executor_holds_regular_and_revocable_tasks(cluster: Cluster, scheduler: Scheduler) -> None:
    executor = stock.executor(cluster.agent, "mixed")
    scheduler.launch([stock.task("regular"), stock.task("borrowed", 1.5, revocable=True)], executor)
    scheduler.launch([stock.task("later", 0.5, revocable=True)], executor)
    for name in ("regular", "borrowed", "later"):
        scheduler.wait_status(name, "TASK_RUNNING")
    launched = [
        event for event in stock.journal(cluster.agent, scheduler, "mixed", "event") if event["type"] == "LAUNCH"
    ]
    resources = {event["launch"]["task"]["name"]: event["launch"]["task"]["resources"] for event in launched}
    assert [resource["name"] for resource in resources["borrowed"] if "revocable" in resource] == ["cpus"]
    assert not any("revocable" in resource for resource in resources["regular"])


def test_mixed_cpus_are_refused_in_the_master_s_words(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch(
        [stock.task("a", revocable=True)], stock.executor(cluster.agent, "x", scalar("cpus", 0.1), scalar("mem", 32))
    )
    both = [scalar("cpus", 0.1), scalar("cpus", 0.1, revocable=True), scalar("mem", 16)]
    scheduler.launch([task_info("b", both)], stock.executor(cluster.agent, "y"))
    a, b = (scheduler.wait_status(name, "TASK_ERROR") for name in "ab")
    assert a.message == f"Task and its executor mix revocable and non-revocable resources: {_NO_MIX}"
    assert b.message == f"Task mixes revocable and non-revocable resources: {_NO_MIX}"
    assert {a.reason, b.reason} == {"REASON_TASK_INVALID"}


def test_a_group_goes_to_a_custom_executor_with_cpus_mem_and_disk(cluster: Cluster, scheduler: Scheduler) -> None:
    whole = (scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 10))
    scheduler.launch([stock.task("g1"), stock.task("g2")], stock.executor(cluster.agent, "group", *whole), group=True)
    for name in ("g1", "g2"):
        scheduler.wait_status(name, "TASK_RUNNING")
    scheduler.launch([stock.task("g3")], stock.executor(cluster.agent, "bare"), group=True)
    assert scheduler.wait_status("g3", "TASK_ERROR").reason == "REASON_TASK_GROUP_INVALID"


def test_stock_preemption_takes_the_regular_task_too(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([stock.task("r"), stock.task("v", revocable=True)], stock.executor(cluster.agent, "preempted"))
    for name in ("r", "v"):
        scheduler.wait_status(name, "TASK_RUNNING")
    cluster.agent.qos_kill(scheduler.framework_id, "preempted")
    gone = [scheduler.wait_status(name, "TASK_GONE") for name in ("r", "v")]
    assert {(status.source, status.reason, status.message) for status in gone} == {
        ("SOURCE_AGENT", "REASON_CONTAINER_PREEMPTED", _PREEMPTED)
    }


def test_a_correction_for_another_container_kills_nothing(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([stock.task("spared")], stock.executor(cluster.agent, "other"))
    scheduler.wait_status("spared", "TASK_RUNNING")
    cluster.agent.qos_kill(scheduler.framework_id, "other", "00000000-0000-0000-0000-000000000000")
    time.sleep(0.5)
    assert scheduler.states("spared") == ["TASK_STARTING", "TASK_RUNNING"]


def test_the_estimate_can_be_changed_and_running_tasks_stay(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.wait_offers(lambda offers: stock.revocable_cpus(offers) == 3)
    scheduler.launch([stock.task("stays", 1, revocable=True)], stock.executor(cluster.agent, "estimate"))
    scheduler.wait_status("stays", "TASK_RUNNING")
    cluster.agent.set_revocable()
    scheduler.wait_offers(lambda offers: bool(offers) and stock.revocable_cpus(offers) == 0)
    cluster.agent.set_revocable(cpus=3, mem=300)
    scheduler.wait_offers(lambda offers: stock.revocable_cpus(offers) == 3)  # beyond what is used
    assert scheduler.states("stays")[-1] == "TASK_RUNNING"


def test_without_the_capability_nothing_revocable_is_offered(cluster: Cluster) -> None:
    others = tuple(capability for capability in CAPABILITIES if capability != "REVOCABLE_RESOURCES")
    with Scheduler(cluster.endpoint, capabilities=others) as scheduler:
        assert stock.revocable_cpus(scheduler.wait_offers()) == 0
        with pytest.raises(UnexpectedError, match="no agent offers enough"):
            scheduler.launch([stock.task("never", revocable=True)], timeout_s=0.5)


def test_an_executor_outlives_its_agent_and_delivers_what_happened_meanwhile(
    cluster: Cluster, scheduler: Scheduler
) -> None:
    short = stock.task("short", data=b"while [ ! -e finish ]; do sleep 0.05; done")
    scheduler.launch([stock.task("long"), short], stock.executor(cluster.agent, "survivor"))
    for name in ("long", "short"):
        scheduler.wait_status(name, "TASK_RUNNING")
    sandbox = cluster.agent.sandbox(scheduler.framework_id, "survivor")
    pid = stock.journal(cluster.agent, scheduler, "survivor", "start")[0]["pid"]
    cluster.agent.kill()
    (sandbox / "finish").touch()
    time.sleep(0.3)
    cluster.agent.start()
    scheduler.wait_status("short", "TASK_FINISHED")
    assert stock.is_alive(pid)
    assert scheduler.states("long")[-1] == "TASK_RUNNING"
    scheduler.kill("long", grace_s=3)
    scheduler.wait_status("long", "TASK_KILLED")
    kills = [event for event in stock.journal(cluster.agent, scheduler, "survivor", "event") if event["type"] == "KILL"]
    assert kills[0]["kill"]["kill_policy"] == messages.kill_policy(3)


def test_messages_pass_both_ways(cluster: Cluster, scheduler: Scheduler) -> None:
    agent_id = scheduler.launch([stock.task("talker")], stock.executor(cluster.agent, "talk"))
    scheduler.wait_status("talker", "TASK_RUNNING")
    scheduler.message(agent_id, "talk", b"ping\0\xff")
    assert scheduler.wait_message() == b"ping\0\xff"
    scheduler.shutdown_executor(agent_id, "talk")
    assert scheduler.wait_status("talker", "TASK_FAILED").reason == "REASON_EXECUTOR_TERMINATED"


def test_without_acknowledgements_the_first_update_holds_back_the_others(cluster: Cluster) -> None:
    with Scheduler(cluster.endpoint, acknowledge=False) as scheduler:
        scheduler.launch([stock.task("held", command=messages.command("true"))])
        scheduler.wait_status("held", "TASK_STARTING")
        time.sleep(0.5)
        assert scheduler.states("held") == ["TASK_STARTING"]
        scheduler.acknowledge = True
        scheduler.acknowledge_all()
        scheduler.wait_status("held", "TASK_FINISHED")


def test_reconciliation_tells_the_latest_state(cluster: Cluster, scheduler: Scheduler) -> None:
    scheduler.launch([stock.task("known")], stock.executor(cluster.agent, "reconciled"))
    scheduler.wait_status("known", "TASK_RUNNING")
    start = scheduler.mark()
    scheduler.reconcile()
    assert scheduler.wait_status("known", "TASK_RUNNING", start=start).reason == "REASON_RECONCILIATION"
