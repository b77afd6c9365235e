"""Names of Mesos tasks on a real Mesos of two hosts: from the master on every host, or from its own agent on each."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.hosts import Host, launch, mesos, network
from tests.support.mesos.cluster import Cluster, MesosAgent
from tests.support.mesos.scheduler import DISCONNECTED, Scheduler
from tests.support.names import NXDOMAIN, ask
from tests.support.rig import wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SLEEP = "exec sleep infinity"
Node = tuple[Host, MesosAgent]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Node, Node]]:
    if "MPE_TEST_NAMESPACE" not in os.environ:
        pytest.skip("makes network interfaces: needs the private node")
    with (
        network(tmp_path_factory.mktemp("hosts"), 2) as (one, two),
        mesos([one, two]) as (made, agents),
        one.dnsmasq(),
        two.dnsmasq(),
    ):
        for host in (one, two):
            host.resolves("nobody.mesos")
        yield made, (one, agents[0]), (two, agents[1])


@pytest.fixture
def scheduler(cluster: tuple[Cluster, Node, Node]) -> Iterator[Scheduler]:
    with Scheduler(cluster[0].endpoint, name="Spark.prod") as framework:
        yield framework


def inodes(host: Host) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in host.hosts.path.iterdir()}


def test_every_host_knows_the_tasks_of_the_whole_cluster(
    cluster: tuple[Cluster, Node, Node], scheduler: Scheduler
) -> None:
    """The recommended way: the master as source."""
    made, (one, first), (two, second) = cluster
    early = launch(scheduler, first, "early", SLEEP)
    with one.sync(made.endpoint), two.sync(made.endpoint):
        for host in (one, two):
            host.resolves("early.spark.prod.mesos", early)
        late = launch(scheduler, second, "late.0", SLEEP, discovery={"visibility": "CLUSTER", "name": "Late_One"})
        began_s = time.monotonic()
        for host in (one, two):
            host.resolves("late-one.spark.prod.mesos", late)
        took_s = time.monotonic() - began_s
        two.resolves(early, "early.spark.prod.mesos", kind="PTR")
        scheduler.kill("early")
        scheduler.wait_status("early", ("TASK_KILLED", "TASK_FAILED"), 20)
        for host in (one, two):
            host.resolves("early.spark.prod.mesos")
    print(f"known to both hosts {took_s * 1000:.0f} ms after the scheduler knew")
    assert took_s < 2, "a master tells by itself"


def test_a_task_finds_a_task_of_the_other_host_by_name(
    cluster: tuple[Cluster, Node, Node], scheduler: Scheduler, tmp_path: Path
) -> None:
    """By the resolv.conf that the agent writes from the network's `dns`, and over the network between the hosts."""
    made, (one, first), (two, second) = cluster
    with one.sync(made.endpoint), two.sync(made.endpoint):
        server = launch(scheduler, first, "server", "echo hello > index.html; exec busybox httpd -f -p 8000")
        two.resolves("server.spark.prod.mesos", server)
        out = tmp_path / "out"
        look = "busybox nslookup server.spark.prod.mesos; busybox wget -qO- http://server.spark.prod:8000/"
        launch(scheduler, second, "client", f"({look}) > {out}.new 2>&1; mv {out}.new {out}; {SLEEP}")
        text = wait_for(lambda: out.read_text() if out.exists() else None, 20) or "nothing"
        assert server in text, text
        assert text.endswith("hello\n"), text


def test_instances_of_one_name_have_one_address_each(cluster: tuple[Cluster, Node, Node], scheduler: Scheduler) -> None:
    made, (one, first), (_, second) = cluster
    with one.sync(made.endpoint):
        addresses = {
            agent: launch(scheduler, agent, f"web.{number}", SLEEP, name="web")
            for number, agent in enumerate((first, second))
        }
        one.resolves("web.spark.prod.mesos", *addresses.values())
        scheduler.kill("web.0")
        scheduler.wait_status("web.0", ("TASK_KILLED", "TASK_FAILED"), 20)
        one.resolves("web.spark.prod.mesos", addresses[second])


def test_tasks_on_the_host_s_own_network_have_its_address(
    cluster: tuple[Cluster, Node, Node], scheduler: Scheduler
) -> None:
    made, (one, first), _ = cluster
    with one.sync(made.endpoint):
        for number in (0, 1):
            assert (
                launch(scheduler, first, f"web.{number}", SLEEP, name="web", container={"type": "MESOS"}) == one.address
            )
        one.resolves("web.spark.prod.mesos", one.address)
        scheduler.kill("web.0")
        scheduler.wait_status("web.0", ("TASK_KILLED", "TASK_FAILED"), 20)
        time.sleep(0.5)
        one.resolves("web.spark.prod.mesos", one.address, timeout_s=0.1)


def test_an_agent_as_source_tells_of_its_own_host(cluster: tuple[Cluster, Node, Node], scheduler: Scheduler) -> None:
    _, (one, first), (_, second) = cluster
    with one.sync(first.endpoint) as service:
        here = launch(scheduler, first, "here", SLEEP)
        launch(scheduler, second, "there", SLEEP)
        one.resolves("here.spark.prod.mesos", here)
        assert ask(one.address, "there.spark.prod.mesos").rcode == NXDOMAIN
        before = inodes(one)
        time.sleep(4.5)  # two more looks
        assert inodes(one) == before, "nothing is written when nothing changed"
        cpu_s = sum(service.process.cpu_times()[:2])
        first.kill(signal.SIGKILL)
        time.sleep(3)
        one.resolves("here.spark.prod.mesos", here, timeout_s=0.1)
        first.start()
        one.resolves("here.spark.prod.mesos", here, timeout_s=0.1)
        print(f"{service.process.memory_info().rss / 1e6:.0f} MB, {cpu_s:.2f} s of CPU with its start")
        scheduler.kill("here")
        one.resolves("here.spark.prod.mesos", timeout_s=20)


def test_a_synchroniser_that_is_killed_takes_up_where_it_was(
    cluster: tuple[Cluster, Node, Node], scheduler: Scheduler
) -> None:
    made, (one, first), _ = cluster
    with one.sync(made.endpoint) as service:
        ends, stays = (launch(scheduler, first, name, SLEEP) for name in ("ends", "stays"))
        one.resolves("ends.spark.prod.mesos", ends)
        one.resolves("stays.spark.prod.mesos", stays)
        before = inodes(one)
        service.kill()
        scheduler.kill("ends")
        scheduler.wait_status("ends", ("TASK_KILLED", "TASK_FAILED"), 20)
        one.resolves("ends.spark.prod.mesos", ends, timeout_s=0.1)
        service.start()
        one.resolves("ends.spark.prod.mesos")
        assert set(inodes(one).items()) < set(before.items()), "the other file is as it was"
        second = one.sync(made.endpoint).run("dns", "sync", "--once")
        assert second.returncode == 4 and "another synchroniser" in second.stderr


def test_a_new_master_does_not_make_names_vanish(cluster: tuple[Cluster, Node, Node], scheduler: Scheduler) -> None:
    """It begins with nothing, for its registry was lost: the agents have to come back first."""
    made, (_, first), (two, second) = cluster
    with two.sync(made.endpoint) as service:
        address = launch(scheduler, first, "kept", SLEEP)
        two.resolves("kept.spark.prod.mesos", address)
        made.master.kill()
        scheduler.wait_event(DISCONNECTED)
        made.master.start()
        assert wait_for(lambda: True if service.log().count("dns.following") >= 2 else None, 30, 0.05), service.log()
        two.resolves("kept.spark.prod.mesos", address, timeout_s=0.1)
        scheduler.subscribe()
        for agent in (first, second):
            agent.restart()
        time.sleep(3)
        two.resolves("kept.spark.prod.mesos", address, timeout_s=0.1)
        scheduler.kill("kept")
        two.resolves("kept.spark.prod.mesos", timeout_s=20)
