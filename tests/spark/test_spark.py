"""Spark for real beside pods: its executors under the Mesos agents of two hosts, on the network that pods are on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import HERE
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import wait_for
from tests.support.spark import pods, submit
from tests.support.spark.gate import Gate
from tests.support.spark.site import HostRig, Site, site

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(300)]

PARTITIONS = 8
TEXTS = pods.texts(PARTITIONS)
DRIVER_NAME = pods.full_name(submit.DRIVER)
EXECUTOR_NAMES = [f"wordcount{number}.wordcount.mesos" for number in range(submit.EXECUTORS)]
"""Spark calls its Mesos tasks "wordcount 0" and so on, and its framework by its application's name."""
JOB_S = 120.0  # on a machine that does nothing else it takes 15
Processes = dict[str, list[tuple[int, float]]]


@pytest.fixture(scope="module")
def lab() -> Iterator[Site]:
    with site() as both:
        yield both


@pytest.fixture
def scheduler(lab: Site, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    """The pods' framework; after it nothing of pods and of Spark is on either host."""
    failed = request.session.testsfailed
    with lab.scheduler(request.node.name) as framework:
        yield framework
        if request.session.testsfailed > failed:
            lab.evidence()
    left = {host: leaks for host, leaks in lab.leaks().items() if any(leaks.values())}
    assert not left


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate(HERE) as found:
        yield found


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    pods.publish(tmp_path, TEXTS)
    return tmp_path


def run(scheduler: Scheduler, rig: HostRig, *tasks: dict[str, Any]) -> None:
    scheduler.launch(list(tasks), rig.executor(), agent_id=rig.agent.agent_id)
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 60)


def serve(lab: Site, scheduler: Scheduler, directory: Path) -> list[str]:
    """A web pod on each host; their addresses, by which both hosts know them."""
    found = []
    for rig in lab.hosts:
        run(scheduler, rig, pods.web(rig, web_name(rig), directory))
        (pod,) = rig.pods()
        assert rig.host.owns(pod["ips"][0])
        found += pod["ips"]
    lab.wait_names({pods.SERVICE_NAME: found})
    return found


def web_name(rig: HostRig) -> str:
    return f"web-{rig.host.name}"


def plan(lab: Site, gate: Gate, driver_host: str, webs: Sequence[str] = ()) -> dict[str, Any]:
    """`webs`: what a driver calls that is not in a pod, where nobody has told it of a name server."""
    by_name = [pods.url(pods.full_name(web_name(rig))) for rig in lab.hosts]
    return {
        "master": f"mesos://{lab.master}",
        "settings": submit.settings(driver_host),
        "pods": by_name,
        "driver_calls": [pods.url(web) for web in webs] or by_name,
        "service": pods.url(pods.SERVICE_NAME),
        "executors": EXECUTOR_NAMES,
        "partitions": PARTITIONS,
        "gate": gate.url,
    }


def processes(lab: Site, pod_class: str) -> Processes:
    """Pids and start times by pod, as the kernel has them."""
    return {
        pod["name"]: found
        for rig in lab.hosts
        for pod in rig.pods()
        if pod["class"] == pod_class and (found := rig.processes(pod))
    }


def settled(lab: Site) -> Processes:
    """The processes of the regular pods, when the web servers have ended the processes that they make for a request."""

    def look() -> Processes | None:
        found = processes(lab, "regular")
        return found if all(len(pids) == 1 for name, pids in found.items() if name.startswith("web-")) else None

    return wait_for(look, 10) or processes(lab, "regular")


def assert_all_reached_all(lab: Site, gate: Gate, webs: list[str]) -> None:
    """Every task reached every pod, every pod every task and the driver, each by the other's name, and each saw the
    other's own address.
    """
    reports = sorted(gate.arrived, key=lambda report: int(report["partition"]))
    assert [report["partition"] for report in reports] == list(range(PARTITIONS)), "each task ran once"
    for report in [*reports, gate.result(1)["driver"]]:
        assert report["answers"] == [report["token"]] * len(webs)
        assert report["callers"] == webs
    names: dict[str, set[str]] = {}
    for report in reports:
        assert report["seen_from"] == report["ip"]
        names.setdefault(report["name"], set()).add(report["ip"])
    assert sorted(names) == EXECUTOR_NAMES and all(len(ips) == 1 for ips in names.values()), names
    for rig in lab.hosts:
        assert any(rig.host.owns(report["ip"]) for report in reports), f"Spark has an executor on {rig.host.name}"


def assert_spark_ran_on(lab: Site) -> None:
    """As the master has it: Spark's own tasks, one on each agent, on the agents' network, ended in peace."""
    operator = lab.cluster.master.operator
    ended = operator.call("GET_FRAMEWORKS")["get_frameworks"]["completed_frameworks"]
    infos = [framework["framework_info"] for framework in ended]
    newest = max(info["id"]["value"] for info in infos if info["name"] == "wordcount")
    tasks = [task for task in operator.tasks()["completed_tasks"] if task["framework_id"]["value"] == newest]
    assert {task["agent_id"]["value"] for task in tasks} == {rig.agent.agent_id for rig in lab.hosts}
    assert {task["container"]["network_infos"][0]["name"] for task in tasks} == {"podnet"}
    assert {task["state"] for task in tasks} <= {"TASK_FINISHED", "TASK_KILLED"}, tasks


def test_spark_computes_on_two_agents_with_what_pods_serve(
    lab: Site, scheduler: Scheduler, gate: Gate, texts: Path
) -> None:
    webs = serve(lab, scheduler, texts)
    lab.stand_back(scheduler)
    gate.open()
    driver = submit.command(plan(lab, gate, HERE, webs))
    ended = subprocess.run(driver, env=submit.environment(), check=False, capture_output=True, text=True, timeout=JOB_S)
    assert ended.returncode == 0, ended.stderr
    assert gate.result(1)["counts"] == pods.word_count(TEXTS)
    assert_all_reached_all(lab, gate, webs)
    assert_spark_ran_on(lab)


def test_revocable_pods_are_taken_back_in_the_middle_of_a_job_whose_driver_is_a_pod(
    lab: Site, scheduler: Scheduler, gate: Gate, texts: Path
) -> None:
    webs = serve(lab, scheduler, texts)
    first = lab.hosts[0]
    run(scheduler, first, submit.driver_pod(first, plan(lab, gate, DRIVER_NAME)))
    borrowers = [pods.busy(rig, f"busy-{rig.host.name}-{n}") for rig in lab.hosts for n in range(2)]
    run(scheduler, first, *borrowers[:2])
    run(scheduler, lab.hosts[1], *borrowers[2:])
    lab.stand_back(scheduler)

    def driver_lives() -> None:
        assert not [status for status in scheduler.statuses(submit.DRIVER) if status.state in TERMINAL]

    gate.wait_arrived(submit.CORES * submit.EXECUTORS, JOB_S, driver_lives)
    borrowed = lab.names("revocable")
    assert len(borrowed) == len(borrowers)
    lab.wait_names(borrowed | {report["name"]: (report["ip"],) for report in gate.arrived})
    before = settled(lab)
    assert len(before) == 3 and len(processes(lab, "revocable")) == 4
    for rig in lab.hosts:
        receipt = rig.json("revoke", "--all", "--reason", "Spark needs the node")
        assert receipt["state"] == "done" and len(receipt["victims"]) == 2 and receipt["regular"]["unchanged"]
    assert processes(lab, "revocable") == {}
    lab.wait_names(dict.fromkeys(borrowed, ()))
    assert processes(lab, "regular") == before
    gate.open()

    assert gate.result(JOB_S, driver_lives)["counts"] == pods.word_count(TEXTS)
    scheduler.wait_status(submit.DRIVER, "TASK_FINISHED", 60)
    assert settled(lab) == {name: found for name, found in before.items() if name != submit.DRIVER}
    for task in borrowers:
        status = scheduler.wait_status(task["task_id"]["value"], "TASK_GONE")
        assert status.reason == "REASON_CONTAINER_PREEMPTED"
    assert_all_reached_all(lab, gate, webs)
    assert_spark_ran_on(lab)
