"""Which network a pod is on, under a real agent that attaches what it starts: named, default, node's, executor's.

Each is looked at from outside: the namespace of the pod's process, its interfaces, what Mesos and the name server say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cni.faults import Fault, Faults
from tests.integration.cni.lab import REAL_PLUGINS
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler, Status
from tests.support.rig import NETWORK, wait_for
from tests.support.spark.pods import full_name
from tests.support.spark.site import HostRig, site

pytestmark = [pytest.mark.root, pytest.mark.mesos]

STORAGE, SUBNET = "storage", "10.95.0."
DUAL = "dual"
BARE = "bare"
SERVE = ("sh", "-c", "echo served > /tmp/index.html; exec httpd -f -p 8080 -h /tmp")
LISTEN = """
import socket, sys, time
listener = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
time.sleep(600)
"""
KEY = "mesos-pod-executor/networks"


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """Where the executor looks for plugins first; none is faulty unless a test says so."""
    if "MPE_TEST_NAMESPACE" not in os.environ:
        pytest.skip("makes network interfaces: needs the private node")
    return Faults(tmp_path_factory.mktemp("shims"))


@pytest.fixture(scope="module")
def rig(faults: Faults) -> Iterator[HostRig]:
    """A host with three networks, whose agent has the isolators network/cni and filesystem/linux."""
    with site(1, {"CNI_PLUGIN_DIRS": f"{faults.plugins},{REAL_PLUGINS}", "CNI_TIMEOUT_S": "10"}) as made:
        (host,) = made.hosts
        write_network(host, STORAGE, f"{SUBNET}0/24")
        write_network(host, DUAL, "10.96.0.0/24", "fd00:96::/64")
        write_network(host, BARE)
        yield host


def write_network(host: HostRig, name: str, *subnets: str) -> None:
    """As the first one, in the form that the agent reads; without subnets its pods get no address."""
    conf = json.loads((host.cni_config / "10-podnet.conf").read_text())
    conf |= {"name": name, "bridge": f"{name}0", "dns": {}}
    conf["ipam"] |= {"ranges": [[{"subnet": subnet}] for subnet in subnets]}
    if not subnets:
        conf |= {"ipam": {}, "isGateway": False, "ipMasq": False}
    (host.cni_config / f"{name}.conf").write_text(json.dumps(conf))


@pytest.fixture
def scheduler(rig: HostRig, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    failed = request.session.testsfailed
    with Scheduler(rig.cluster.endpoint, name="modes") as framework:
        yield framework
        if request.session.testsfailed > failed:
            rig.keep_evidence()
    left = rig.wait_clean()
    assert not any(left.values()), left


def launch(rig: HostRig, scheduler: Scheduler, name: str, /, executor: Any = None, **options: Any) -> Status:
    task = rig.pod(name, **options)
    scheduler.launch([task], executor or rig.executor(), agent_id=rig.agent.agent_id)
    return scheduler.wait_status(name, ("TASK_RUNNING", *TERMINAL), 60)


def addresses(status: Status) -> list[tuple[str, list[str]]]:
    """What Mesos is told: each network's name and addresses."""
    infos = status.raw["container_status"]["network_infos"]
    return [(info.get("name", ""), [each["ip_address"] for each in info.get("ip_addresses", ())]) for info in infos]


def namespace(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def pid_of(rig: HostRig, name: str) -> int:
    (pod,) = [pod for pod in rig.pods() if pod["name"] == name]
    return rig.processes(pod)[0][0]


def interfaces(pid: int) -> dict[str, dict[str, Any]]:
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-json", "address"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {link["ifname"]: link for link in listed if link["ifname"] != "lo"}


def ip(link: dict[str, Any]) -> str:
    return str(next(each["local"] for each in link["addr_info"] if each["family"] == "inet"))


def executor_pid(rig: HostRig) -> int:
    (owner,) = rig.run_dir.glob("*.owner")
    return int(json.loads(owner.read_text())["pid"])


def test_the_network_that_an_annotation_names(rig: HostRig, scheduler: Scheduler) -> None:
    status = launch(rig, scheduler, "one", metadata={"annotations": {KEY: STORAGE}})
    ((name, (address,)),) = addresses(status)
    assert name == STORAGE and address.startswith(SUBNET)
    links = interfaces(pid_of(rig, "one"))
    assert {ifname: ip(link) for ifname, link in links.items()} == {"eth0": address}
    rig.host.resolves(full_name("one"), address)
    assert rig.json("inspect", "one", "--check")["network_check"] == "passed"
    flush = ["nsenter", f"--net=/proc/{pid_of(rig, 'one')}/ns/net", "ip", "address", "flush", "dev", "eth0"]
    subprocess.run(flush, check=True)
    assert "bridge failed on CHECK" in rig.json("inspect", "one", "--check")["network_check"]


def test_both_families(rig: HostRig, scheduler: Scheduler) -> None:
    status = launch(rig, scheduler, "six", metadata={"annotations": {KEY: DUAL}})
    ((name, (v4, v6)),) = addresses(status)
    assert (name, v6.startswith("fd00:96::")) == (DUAL, True)
    (link,) = interfaces(pid_of(rig, "six")).values()
    assert {v4, v6} <= {each["local"] for each in link["addr_info"]}
    rig.host.resolves(full_name("six"), v4)
    rig.host.resolves(full_name("six"), v6, kind="AAAA")
    rig.host.resolves(v6, full_name("six"), kind="PTR")


def test_a_network_that_gives_no_address(rig: HostRig, scheduler: Scheduler) -> None:
    """No address, no name: those of the node are not the pod's."""
    status = launch(rig, scheduler, "bare", metadata={"annotations": {KEY: BARE}})
    assert addresses(status) == [(BARE, [])]
    assert [label["key"] for label in status.raw["labels"]["labels"]] == ["pod"]
    (link,) = interfaces(pid_of(rig, "bare")).values()
    assert not [each for each in link["addr_info"] if each["scope"] == "global"]
    assert not any("bare" in each["names"] for each in rig.json("dns")["names"])
    rig.host.resolves(full_name("bare"))
    assert [pod["ips"] for pod in rig.pods() if pod["name"] == "bare"] == [[]]
    field = {"fieldRef": {"fieldPath": "status.podIP"}}
    asks = {"env": [{"name": "POD_IP", "valueFrom": field}]}
    refused = launch(rig, scheduler, "asks", metadata={"annotations": {KEY: BARE}}, container=asks)
    assert (refused.state, refused.reason) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    assert "POD_IP" in refused.message and "status.podIP" in refused.message


def test_several_networks_with_a_mac_an_address_and_a_limit(rig: HostRig, scheduler: Scheduler) -> None:
    mac, wanted = "02:95:00:00:00:63", f"{SUBNET}99"
    networks = json.dumps([{"name": NETWORK}, {"name": STORAGE, "mac": mac, "ips": [wanted]}])
    annotations = {KEY: networks, "kubernetes.io/ingress-bandwidth": "8M"}
    status = launch(rig, scheduler, "both", metadata={"annotations": annotations})
    (first, (own,)), (second, (other,)) = addresses(status)
    assert (first, second, other) == (NETWORK, STORAGE, wanted) and rig.host.owns(own)
    links = interfaces(pid_of(rig, "both"))
    assert {ifname: ip(link) for ifname, link in links.items()} == {"eth0": own, "eth1": wanted}
    assert links["eth1"]["address"] == mac
    shaping = subprocess.run([*rig.host.prefix, "tc", "qdisc"], check=True, capture_output=True, text=True).stdout
    assert "rate 8Mbit" in shaping
    rig.host.resolves(full_name("both"), own)


def test_an_address_that_the_framework_wants(rig: HostRig, scheduler: Scheduler) -> None:
    info = {"name": STORAGE, "ip_addresses": [{"ip_address": f"{SUBNET}77"}]}
    task = rig.pod("fixed") | {"container": {"type": "MESOS", "network_infos": [info]}}
    scheduler.launch([task], rig.executor(), agent_id=rig.agent.agent_id)
    assert addresses(scheduler.wait_status("fixed", "TASK_RUNNING", 60)) == [(STORAGE, [f"{SUBNET}77"])]
    task = rig.pod("twin") | {"container": {"type": "MESOS", "network_infos": [info]}}
    scheduler.launch([task], rig.executor(), agent_id=rig.agent.agent_id)
    refused = scheduler.wait_status("twin", TERMINAL, 60)
    assert refused.reason == "REASON_CONTAINER_LAUNCH_FAILED" and f"{SUBNET}77" in refused.message


def test_a_port_of_the_node_leads_into_the_pod(rig: HostRig, scheduler: Scheduler) -> None:
    port = {"containerPort": 8080, "hostPort": 31500}
    task = rig.pod("web", command=SERVE, container={"ports": [port]})
    other = rig.pod("stolen", container={"ports": [port | {"hostPort": 31501}]})
    task["resources"].append(messages.ranges("ports", (31500, 31500)))
    other["resources"].append(messages.ranges("ports", (31502, 31502)))
    scheduler.launch([task], rig.executor(), agent_id=rig.agent.agent_id)
    scheduler.wait_status("web", "TASK_RUNNING", 60)
    url = f"http://{rig.host.address}:31500/"
    assert wait_for(lambda: answer(url), 10) == "served\n"
    scheduler.launch([other], rig.executor(), agent_id=rig.agent.agent_id)
    refused = scheduler.wait_status("stolen", TERMINAL, 20)
    assert refused.reason == "REASON_TASK_INVALID" and "31501" in refused.message
    scheduler.kill("web")
    scheduler.wait_status("web", TERMINAL, 20)
    assert answer(url) is None, "it is told of when its port is free"


def test_a_port_works_again_after_a_firewall_s_reload(rig: HostRig, scheduler: Scheduler) -> None:
    task = rig.pod("web", command=SERVE, container={"ports": [{"containerPort": 8080, "hostPort": 31520}]})
    task["resources"].append(messages.ranges("ports", (31520, 31520)))
    scheduler.launch([task], rig.executor(), agent_id=rig.agent.agent_id)
    scheduler.wait_status("web", "TASK_RUNNING", 60)
    url = f"http://{rig.host.address}:31520/"
    assert wait_for(lambda: answer(url), 10) == "served\n"
    time.sleep(3)  # by then the executor has read what it will put back
    subprocess.run([*rig.host.prefix, "iptables", "-t", "nat", "-F"], check=True, capture_output=True)
    assert wait_for(lambda: answer(url), 30) == "served\n"
    assert wait_for(lambda: "network.rules_restored" in codes(rig, scheduler) or None, 30), codes(rig, scheduler)


def codes(rig: HostRig, scheduler: Scheduler, pod: str = "") -> list[str]:
    journal = rig.journal("mixed", scheduler)
    return [event["code"] for event in journal if not pod or event.get("pod") == pod]


def test_a_port_that_the_node_itself_listens_on_is_refused(rig: HostRig, scheduler: Scheduler) -> None:
    """What listens in another network namespace does not count."""
    serve = [sys.executable, "-IS", "-c", LISTEN, "31510"]
    for prefix, refused in ((rig.host.prefix, True), (["unshare", "--net"], False)):
        with subprocess.Popen([*prefix, *serve], stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout is not None and listener.stdout.readline() == "ready\n"
            name = f"taken-{refused}".lower()
            task = rig.pod(name, container={"ports": [{"containerPort": 80, "hostPort": 31510}]})
            task["resources"].append(messages.ranges("ports", (31510, 31510)))
            scheduler.launch([task], rig.executor(), agent_id=rig.agent.agent_id)
            status = scheduler.wait_status(name, ("TASK_RUNNING", *TERMINAL), 60)
            listener.kill()
        assert (status.state == "TASK_FAILED") is refused
        if refused:
            assert status.reason == "REASON_CONTAINER_LAUNCH_FAILED"
            assert "hostPort 31510/tcp" in status.message and f"process {listener.pid}," in status.message


def answer(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode())
    except OSError:
        return None


def test_the_node_s_network(rig: HostRig, scheduler: Scheduler) -> None:
    status = launch(rig, scheduler, "host", spec={"hostNetwork": True})
    assert addresses(status) == [("", [rig.host.address])]
    assert namespace(pid_of(rig, "host")) == namespace(executor_pid(rig)) == namespace(rig.agent.pid)


def test_the_executor_s_own_network_where_the_framework_put_it_on_one(rig: HostRig, scheduler: Scheduler) -> None:
    container = {"type": "MESOS", "network_infos": [{"name": NETWORK}]}
    executor = rig.executor("attached", container=container)
    status = launch(rig, scheduler, "inside", executor=executor)
    ((name, (address,)),) = addresses(status)
    assert name == NETWORK and rig.host.owns(address)
    pid = pid_of(rig, "inside")
    assert namespace(pid) == namespace(executor_pid(rig)) != namespace(rig.agent.pid)
    assert [ip(link) for link in interfaces(pid).values()] == [address]
    rig.host.resolves(full_name("inside"), address)

    refused = launch(rig, scheduler, "outside", executor=executor, metadata={"annotations": {KEY: STORAGE}})
    assert (refused.state, refused.reason) == ("TASK_FAILED", "REASON_TASK_INVALID")
    assert "ExecutorInfo" in refused.message
    on_node = launch(rig, scheduler, "host", executor=executor, spec={"hostNetwork": True})
    assert addresses(on_node)[0] == ("", [rig.host.address])
    assert namespace(pid_of(rig, "host")) == namespace(rig.containerd.pid)


def test_a_living_executor_releases_what_a_plugin_left(rig: HostRig, scheduler: Scheduler, faults: Faults) -> None:
    """The pod is told of as ever; its address follows when the plugin works again."""
    launch(rig, scheduler, "stays")
    launch(rig, scheduler, "ends")
    (pod,) = [pod["pod"] for pod in rig.pods() if pod["name"] == "ends"]
    fault = Fault("bridge", "DEL", "fails before")
    faults.plant(fault, pod)
    scheduler.kill("ends")
    scheduler.wait_status("ends", TERMINAL, 20)
    assert wait_for(lambda: True if rig.leaks()["ips"] == 1 else None, 20), rig.leaks()
    assert faults.happened(fault, pod)
    assert wait_for(lambda: codes(rig, scheduler, pod)[-1] == "pod.released" or None, 20), codes(rig, scheduler, pod)
    assert "pod.leaked" in codes(rig, scheduler, pod)
    assert rig.pods()[0]["state"] == "running"


def test_an_executor_that_ends_with_its_last_pod_tries_once_more(
    rig: HostRig, scheduler: Scheduler, faults: Faults
) -> None:
    launch(rig, scheduler, "last")
    (pod,) = [pod["pod"] for pod in rig.pods()]
    fault = Fault("host-local", "DEL", "fails before")
    faults.plant(fault, pod)
    scheduler.kill("last")
    scheduler.wait_status("last", TERMINAL, 20)
    assert wait_for(lambda: None if any(rig.leaks().values()) else True, 20), rig.leaks()
    assert faults.happened(fault, pod) and not list(rig.run_dir.glob("*.owner"))
