"""Names of pods on a real Mesos of two hosts, with this program as the executor on both."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.network.hosts import Host, launch, network
from tests.network.podhosts import PodHosts
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.names import NXDOMAIN, ask
from tests.support.rig import wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SERVICE = "mesos-pod-executor/service"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodHosts]:
    """Both hosts with their name servers and synchronisers, the master as source."""
    if "MPE_TEST_NAMESPACE" not in os.environ:
        pytest.skip("makes network interfaces: needs the private node")
    directory = tmp_path_factory.mktemp("hosts")
    with (
        network(directory, 2) as (one, two),
        PodHosts([one, two]) as made,
        one.dnsmasq(),
        two.dnsmasq(),
        one.sync(made.cluster.endpoint),
        two.sync(made.cluster.endpoint),
    ):
        for host in (one, two):
            host.resolves("nobody.mesos")
        yield made


@pytest.fixture
def scheduler(nodes: PodHosts, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    """A framework of its own, after which no name is left on either host."""
    failed = request.session.testsfailed
    with Scheduler(nodes.cluster.endpoint, name="fw") as framework:
        yield framework
        if request.session.testsfailed > failed:
            nodes.keep_evidence()

    def left() -> list[tuple[str, str]]:
        return [file for host in nodes.hosts.values() for file in host.hosts.files()]

    assert wait_for(lambda: None if left() else True, 20), left()


@pytest.fixture
def one(nodes: PodHosts) -> Host:
    return nodes.hosts["host-1"]


@pytest.fixture
def two(nodes: PodHosts) -> Host:
    return nodes.hosts["host-2"]


def test_a_pod_has_the_same_names_on_both_hosts(nodes: PodHosts, scheduler: Scheduler, one: Host, two: Host) -> None:
    """On its own by its executor, on the other by what its status says."""
    spec = {"hostname": "w0", "subdomain": "sub"}
    address = nodes.launch(scheduler, one, "web", namespace="prod", spec=spec, annotations={SERVICE: "shop,api"})
    names = [
        "web.prod.pod.cluster.local",
        f"{address.replace('.', '-')}.prod.pod.cluster.local",
        "shop.prod.svc.cluster.local",
        "w0.api.prod.svc.cluster.local",
        "w0.sub.prod.svc.cluster.local",
        "web.fw.mesos",
    ]
    for name in names:
        one.resolves(name, address, timeout_s=0.1)  # published before it ran
        two.resolves(name, address)
    for host in (one, two):
        host.resolves(address, "web.prod.pod.cluster.local", kind="PTR")
    assert [owner for owner, _ in one.hosts.files()] != ["mesos"], "the synchroniser leaves it to the executor here"
    assert [owner for owner, _ in two.hosts.files()] == ["mesos"]
    scheduler.kill("web.task")
    scheduler.wait_status("web.task", TERMINAL, 20)
    for host in (one, two):
        for name in names:
            host.resolves(name)
            assert ask(host.address, name).rcode == NXDOMAIN


def test_pods_of_one_service_on_both_hosts(nodes: PodHosts, scheduler: Scheduler, one: Host, two: Host) -> None:
    addresses = [nodes.launch(scheduler, host, f"db-{host.name}", annotations={SERVICE: "db"}) for host in (one, two)]
    for host in (one, two):
        host.resolves("db.default.svc.cluster.local", *addresses)
    scheduler.kill("db-host-1.task")
    for host in (one, two):
        host.resolves("db.default.svc.cluster.local", addresses[1])


LOOK = """
for name in NAMES; do nslookup $name; wget -qO- http://$name:8000/; done
cat /etc/resolv.conf /etc/hosts; echo done-looking; sleep 1000
"""


def test_a_pod_finds_pods_and_tasks_from_inside_its_network(
    nodes: PodHosts, scheduler: Scheduler, one: Host, two: Host
) -> None:
    serve = "echo I am {0} > /tmp/index.html; exec httpd -f -p 8000 -h /tmp"
    pods = {
        host: nodes.launch(
            scheduler,
            host,
            f"web-{host.name}",
            ("sh", "-c", serve.format(f"web-{host.name}")),
            annotations={SERVICE: f"svc-{host.name}"},
        )
        for host in (one, two)
    }
    serve_task = "echo I am a task > index.html; exec busybox httpd -f -p 8000"
    task = launch(scheduler, nodes.task_agent, "plain", serve_task)
    names = {
        "web-host-1.default.pod.cluster.local": (pods[one], "I am web-host-1"),
        "web-host-2.default.pod.cluster.local": (pods[two], "I am web-host-2"),
        "svc-host-2.default.svc.cluster.local": (pods[two], "I am web-host-2"),
        "web-host-2.fw.mesos": (pods[two], "I am web-host-2"),
        "plain.fw.mesos": (task, "I am a task"),
    }
    for name, (address, _) in names.items():
        one.resolves(name, address)
    short = {"svc-host-2": pods[two], "web-host-1": pods[one], "svc-host-1.default.svc": pods[one]}
    line = LOOK.replace("NAMES", " ".join([*names, *short]))
    wishes = {
        "hostname": "c0",
        "subdomain": "sub",
        "hostAliases": [{"ip": "192.0.2.9", "hostnames": ["legacy.example", "legacy"]}],
        "dnsConfig": {"searches": ["extra.example"], "options": [{"name": "ndots", "value": "3"}]},
    }
    nodes.launch(scheduler, one, "client", ("sh", "-c", line), spec=wishes)
    text = wait_for(lambda: nodes.output(one, scheduler, "done-looking") or None, 30) or "nothing"
    for name, (address, said) in names.items():
        assert address in text and said in text, f"{name}:\n{text}"
    assert text.count("I am") == len(names) + len(short), text
    searched = "search default.svc.cluster.local default.pod.cluster.local svc.cluster.local cluster.local mesos"
    assert f"{searched} extra.example\noptions ndots:3\n" in text
    assert "192.0.2.9\tlegacy.example legacy\n" in text
    assert f"nameserver {one.gateway}" in text
    assert "c0.sub.default.svc.cluster.local\tc0" in text


@pytest.mark.parametrize("policy", ["None", "Default", "ClusterFirst"])
def test_a_pod_s_policy_chooses_its_servers(nodes: PodHosts, scheduler: Scheduler, one: Host, policy: str) -> None:
    node = [line.split()[1] for line in Path("/etc/resolv.conf").read_text().splitlines() if "nameserver" in line]
    servers = {"None": ["192.0.2.53"], "Default": [each for each in node if not each.startswith("127.")][:3]}
    config = {"dnsConfig": {"nameservers": ["192.0.2.53"]}} if policy == "None" else {}
    look = ("sh", "-c", f"cat /etc/resolv.conf; echo read-{policy}; sleep 1000")
    nodes.launch(scheduler, one, f"dns-{policy.lower()}", look, spec={"dnsPolicy": policy, **config})
    text = wait_for(lambda: nodes.output(one, scheduler, f"read-{policy}") or None, 20) or ""
    found = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver")]
    assert found == servers.get(policy, [one.gateway])


def test_a_pod_on_the_host_s_network_has_its_address(
    nodes: PodHosts, scheduler: Scheduler, one: Host, two: Host
) -> None:
    host_network = {"hostNetwork": True}
    for name in ("a", "b"):
        assert nodes.launch(scheduler, one, name, spec=host_network, annotations={SERVICE: "edge"}) == one.address
    for host in (one, two):
        host.resolves("edge.default.svc.cluster.local", one.address)
    scheduler.kill("a.task")
    scheduler.wait_status("a.task", TERMINAL, 20)
    for host in (one, two):
        host.resolves("a.default.pod.cluster.local")
        host.resolves("edge.default.svc.cluster.local", one.address, timeout_s=0.5)


def test_names_of_an_executor_that_was_killed_are_reaped(
    nodes: PodHosts, scheduler: Scheduler, one: Host, two: Host
) -> None:
    nodes.launch(scheduler, one, "orphan")
    (owner_file,) = one.run_dir.glob("*.owner")
    owner = owner_file.name.removesuffix(".owner")
    pid = json.loads(owner_file.read_text())["pid"]
    assert psutil.pid_exists(pid)
    os.kill(pid, signal.SIGKILL)
    scheduler.wait_status("orphan.task", TERMINAL, 20)
    two.resolves("orphan.default.pod.cluster.local")
    address = nodes.launch(scheduler, one, "next")
    one.resolves("orphan.default.pod.cluster.local")
    assert one.hosts.names(owner) == []
    one.resolves("next.default.pod.cluster.local", address)


def test_a_pod_whose_names_cannot_be_published_runs(nodes: PodHosts, scheduler: Scheduler, one: Host) -> None:
    path = one.hosts.path
    moved = path.with_name("elsewhere")
    path.rename(moved)
    path.write_text("in the way")
    try:
        nodes.launch(scheduler, one, "nameless")
        scheduler.kill("nameless.task")
        scheduler.wait_status("nameless.task", TERMINAL, 20)
    finally:
        path.unlink()
        moved.rename(path)
