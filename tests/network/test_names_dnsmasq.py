"""A real dnsmasq, as `mesos-pod-executor dns run` starts it, and the files that it watches."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from executor.dns.hostsdir import HostsDir, remove_owner
from executor.dns.names import PodNames, Zones, hosts_text
from executor.dns.publisher import Names
from executor.dns.sync import Synchroniser
from executor.dns.tasks import Tasks
from executor.names import AgentId, MesosContainerId, PodId
from tests.support.names import NOERROR, NXDOMAIN, ROOT, SERVER, SERVER6, Service, ask, dnsmasq, ip, resolves
from tests.unit.dns import samples

pytestmark = pytest.mark.root

OWNER = MesosContainerId("6f1c2a6e-7bb8-4e0c-9a49-1f0a2b3c4d5e")
POD = PodId("pod-0123456789ab")


def write(hosts: HostsDir, name: str, *pairs: tuple[str, str]) -> None:
    hosts.write("test", name, hosts_text("a test", pairs))


def test_names_come_change_and_go_while_it_runs(server: Service, hosts: HostsDir) -> None:
    names = Names(hosts, OWNER, AgentId("a-S0"), Zones())
    web = "web.default.pod.cluster.local"
    names.publish(POD, PodNames(("10.0.0.2", "fd00::2"), (web, "web.fw.mesos"), "default.pod.cluster.local"))
    assert resolves(web, "10.0.0.2") < 1
    for name in ("web.fw.mesos", "10-0-0-2.default.pod.cluster.local", "WEB.fw.mesos"):
        resolves(name, "10.0.0.2")
    for name in (web, "fd00--2.default.pod.cluster.local"):
        resolves(name, "fd00::2", kind="AAAA", server=SERVER6)
    resolves("10.0.0.2", web, kind="PTR")
    resolves("fd00::2", web, kind="PTR")
    names.publish(POD, PodNames(("10.0.0.3",), ("web.fw.mesos",)))
    resolves("web.fw.mesos", "10.0.0.3")
    resolves("10.0.0.3", "web.fw.mesos", kind="PTR")
    assert ask(SERVER, web).rcode == NXDOMAIN
    names.withdraw(POD)
    resolves("web.fw.mesos")
    assert ask(SERVER, "web.fw.mesos").rcode == NXDOMAIN


def test_several_pods_stand_behind_one_service(server: Service, hosts: HostsDir) -> None:
    names = Names(hosts, OWNER, AgentId("a-S0"), Zones())
    service = "web.default.svc.cluster.local"
    for number in (1, 2, 3):
        names.publish(PodId(f"pod-{number:012x}"), PodNames((f"10.0.0.{number}",), (service,)))
    resolves(service, "10.0.0.1", "10.0.0.2", "10.0.0.3")
    names.withdraw(PodId(f"pod-{2:012x}"))
    resolves(service, "10.0.0.1", "10.0.0.3")


def test_pods_of_one_service_on_the_node_s_address(server: Service, hosts: HostsDir) -> None:
    """dnsmasq forgets a name with the first file that brought it; the second one's must not be lost."""
    names = Names(hosts, OWNER, AgentId("a-S0"), Zones())
    other = PodId("pod-ffffffffffff")
    for pod in (POD, other):
        names.publish(pod, PodNames(("10.0.0.1",), ("web.default.svc.cluster.local",)))
    resolves("web.default.svc.cluster.local", "10.0.0.1")
    names.withdraw(POD)
    time.sleep(0.2)
    assert ask(SERVER, "web.default.svc.cluster.local").values == ("10.0.0.1",)
    names.withdraw(other)
    resolves("web.default.svc.cluster.local")


def test_a_dead_executor_s_names_go_at_once(server: Service, hosts: HostsDir) -> None:
    for number in range(20):
        hosts.write(OWNER, f"pod-{number:012x}", f"# x\n10.0.0.{number} n{number}.mesos\n")
    write(hosts, "other", ("10.0.1.1", "other.mesos"))
    resolves("n19.mesos", "10.0.0.19")
    assert remove_owner(hosts.path, OWNER) == 20
    for number in range(20):
        resolves(f"n{number}.mesos")
    assert ask(SERVER, "other.mesos").values == ("10.0.1.1",)


@contextmanager
def asking(name: str, expected: str) -> Iterator[list[str]]:
    """Asks without a pause; yields what was not as expected, and at the end how often it asked."""
    done = threading.Event()
    wrong: list[str] = []
    count = [0]

    def work() -> None:
        while not done.is_set():
            answer = ask(SERVER, name, timeout_s=5.0)
            count[0] += 1
            if answer.rcode != NOERROR or answer.values != (expected,):
                wrong.append(f"{name} after {count[0]} questions: {answer}")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield wrong
    finally:
        done.set()
        thread.join()
    assert count[0] > 100


def test_no_name_flickers_while_files_change(server: Service, hosts: HostsDir) -> None:
    """Neither those of other files, nor one that stays while its own file is replaced."""
    write(hosts, "stays", ("10.0.0.1", "stays.mesos"))
    write(hosts, "replaced", ("10.0.0.2", "replaced.mesos"))
    resolves("replaced.mesos", "10.0.0.2")
    with asking("stays.mesos", "10.0.0.1") as first, asking("replaced.mesos", "10.0.0.2") as second:
        for number in range(1500):
            write(hosts, "replaced", ("10.0.0.2", "replaced.mesos"), ("10.0.0.2", f"r{number}.mesos"))
            write(hosts, f"new{number % 50}", (f"10.0.1.{number % 50}", f"new{number}.mesos"))
            if number % 3 == 0:
                hosts.remove("test", f"new{number % 50}")
    assert first == [] and second == []


def test_two_thousand_files(addresses: None, hosts: HostsDir, tmp_path: Path) -> None:
    total = 2000

    def check(generation: str) -> float:
        begin_s = time.monotonic()
        for number in range(total):
            assert ask(SERVER, f"t{number}{generation}.fw.mesos").values == (f"10.{number >> 8}.{number & 255}.1",)
        return (time.monotonic() - begin_s) / total * 1000

    def fill(generation: str) -> None:
        for number in range(total):
            write(hosts, f"t{number}", (f"10.{number >> 8}.{number & 255}.1", f"t{number}{generation}.fw.mesos"))

    fill("a")
    with dnsmasq(hosts, tmp_path / "log") as server:
        started_s = resolves(f"t{total - 1}a.fw.mesos", "10.7.207.1")
        first_ms = check("a")
        fill("b")
        live_s = resolves(f"t{total - 1}b.fw.mesos", "10.7.207.1")
        second_ms = check("b")
        assert ask(SERVER, "t0a.fw.mesos").rcode == NXDOMAIN
        rss_mb = server.process.memory_info().rss / 1e6
    print(
        f"start {started_s:.2f} s, live {live_s:.2f} s, {rss_mb:.1f} MB, "
        f"{first_ms:.3f} and {second_ms:.3f} ms a question"
    )
    assert rss_mb < 20
    assert max(first_ms, second_ms) < 10


def test_pods_that_come_and_go_cost_it_little(server: Service, hosts: HostsDir) -> None:
    """It keeps about 150 bytes for each file name that it ever saw; the unit restarts it long before that matters."""
    write(hosts, "stays", ("10.0.0.1", "stays.mesos"))
    resolves("stays.mesos", "10.0.0.1")
    before = server.process.memory_info().rss
    for number in range(5000):
        write(hosts, f"pod-{number:012x}", ("10.0.0.2", f"p{number}.mesos"))
        hosts.remove("test", f"pod-{number:012x}")
    write(hosts, "last", ("10.0.0.3", "last.mesos"))
    resolves("last.mesos", "10.0.0.3")
    assert server.process.memory_info().rss - before < 5000 * 400


def test_it_does_not_run_as_root(server: Service) -> None:
    assert server.process.uids().effective != 0


def test_it_needs_no_more_than_its_unit_grants(addresses: None, hosts: HostsDir, tmp_path: Path) -> None:
    unit = (ROOT / "packaging/systemd/mesos-pod-executor-dns.service").read_text()
    (granted,) = re.findall(r"CapabilityBoundingSet=(.+)", unit)
    bounds = ",".join(["-all", *(f"+{each.removeprefix('CAP_').lower()}" for each in granted.split())])
    prefix = ("setpriv", f"--bounding-set={bounds}", "--inh-caps=-all", "--no-new-privs")
    write(hosts, "web", ("10.0.0.2", "web.mesos"))
    configured = dnsmasq(hosts, tmp_path / "log").environment
    with Service("dns", "run", environment=configured, log=tmp_path / "log", prefix=prefix) as server:
        resolves("web.mesos", "10.0.0.2")
        assert server.process.uids().effective != 0


def test_its_address_may_come_after_it(hosts: HostsDir, tmp_path: Path) -> None:
    """A CNI bridge has no address before the node's first pod."""
    write(hosts, "early", ("10.0.0.1", "early.mesos"))
    with dnsmasq(hosts, tmp_path / "log", LISTEN="10.54.0.1") as server:
        assert server.process.is_running()
        time.sleep(0.5)
        ip("link", "add", "late0", "type", "bridge")
        try:
            ip("addr", "add", "10.54.0.1/24", "dev", "late0")
            ip("link", "set", "late0", "up")
            resolves("early.mesos", "10.0.0.1", server="10.54.0.1")
        finally:
            ip("link", "delete", "late0")


def test_a_restart_knows_every_name(server: Service, hosts: HostsDir) -> None:
    for number in range(100):
        write(hosts, f"t{number}", ("10.0.0.1", f"t{number}.mesos"))
    resolves("t99.mesos", "10.0.0.1")
    server.kill()
    hosts.remove("test", "t0")
    write(hosts, "t100", ("10.0.0.1", "t100.mesos"))
    server.start()
    resolves("t100.mesos", "10.0.0.1")
    assert ask(SERVER, "t50.mesos").values == ("10.0.0.1",)
    assert ask(SERVER, "t0.mesos").rcode == NXDOMAIN
    write(hosts, "t101", ("10.0.0.1", "t101.mesos"))
    resolves("t101.mesos", "10.0.0.1")


@pytest.fixture
def upstream(private_node: None) -> Iterator[str]:
    """A server of the world outside, which has an answer to everything."""
    command = ["/usr/sbin/dnsmasq", "-k", "--conf-file=/dev/null", "--pid-file", "--no-hosts", "--no-resolv"]
    command += ["--log-facility=/dev/null", "--bind-interfaces", "--listen-address=127.0.0.9", "--address=/#/192.0.2.7"]
    with subprocess.Popen(command) as process:
        resolves("anything.example", "192.0.2.7", server="127.0.0.9")
        yield "127.0.0.9"
        process.kill()


def test_other_names_are_asked_upstream_and_ours_never(
    addresses: None, hosts: HostsDir, upstream: str, tmp_path: Path
) -> None:
    write(hosts, "web", ("10.0.0.2", "web.mesos"))
    with dnsmasq(hosts, tmp_path / "log", UPSTREAM=upstream):
        resolves("www.example.com", "192.0.2.7")
        assert ask(SERVER, "web.mesos").values == ("10.0.0.2",)
        for name in ("nobody.mesos", "nobody.default.svc.cluster.local", "10-0-0-9.default.pod.cluster.local"):
            assert ask(SERVER, name).rcode == NXDOMAIN


def test_a_dnsmasq_that_was_found_running_serves_too(addresses: None, hosts: HostsDir, tmp_path: Path) -> None:
    ours = dnsmasq(hosts, tmp_path / "log")
    directory = tmp_path / "dnsmasq.d"
    directory.mkdir()
    command = ["/usr/sbin/dnsmasq", "-k", f"--conf-dir={directory}", "--conf-file=/dev/null", "--pid-file"]
    command += ["--log-facility=/dev/null", "--bind-interfaces", f"--listen-address={SERVER}", "--no-resolv"]
    (directory / "pods.conf").write_text(ours.run("dns", "config").stdout)
    ours.environment["MESOS_POD_EXECUTOR_DNS_LISTEN"] = SERVER
    for expected in (0, 1):
        with subprocess.Popen([*command, "--user=root"]) as process:
            try:
                resolves("nobody.mesos")
                checked = ours.run("dns", "check", "--json")
                assert checked.returncode == expected, checked.stderr
                (found,) = json.loads(checked.stdout)["servers"]
                assert bool(found["error"]) is bool(expected)
            finally:
                process.kill()
        (directory / "pods.conf").write_text("local=/mesos/\n")
    assert hosts.files() == [], "the probe's own name is gone"


def test_a_foreign_status_serves_no_line_of_its_choice(server: Service, hosts: HostsDir) -> None:
    hostile = "fe80::1%x\n10.6.6.6 db.prod.svc.cluster.local"
    bank = {"dns_names": "db.prod.svc.cluster.local", "dns_namespace": "prod"}
    tasks = Tasks(Zones(), lambda _: False, hold_s=90.0, namespace_to_role={"prod": "bank"})
    synchroniser = Synchroniser(hosts, tasks)
    injecting = samples.task("inject", hostile, "10.0.0.9")
    claims = [samples.task(name, ip, role=name, **bank) for name, ip in (("eng", "10.6.6.6"), ("bank", "10.0.0.2"))]
    synchroniser.take(samples.state(injecting, *claims))
    resolves("inject.fw.mesos", "10.0.0.9")
    resolves("eng.fw.mesos", "10.6.6.6")
    resolves("db.prod.svc.cluster.local", "10.0.0.2")
    synchroniser.take(samples.state())
    resolves("db.prod.svc.cluster.local")


def test_the_list_shows_what_is_published(hosts: HostsDir, tmp_path: Path) -> None:
    Names(hosts, OWNER, AgentId("a-S0"), Zones()).publish(POD, PodNames(("10.0.0.2",), ("web.mesos",)))
    service = dnsmasq(hosts, tmp_path / "log")
    (shown,) = json.loads(service.run("dns", "list", "--json").stdout)["names"]
    assert (shown["owner"], shown["object"]) == (OWNER, POD)
    assert (shown["ips"], shown["names"]) == (["10.0.0.2"], ["web.mesos"])
    assert "web.mesos" in service.run("dns").stdout


def test_without_an_address_it_does_not_start(hosts: HostsDir, tmp_path: Path) -> None:
    service = dnsmasq(hosts, tmp_path / "log", LISTEN="")
    service.environment["MESOS_POD_EXECUTOR_CNI_CONFIG_DIR"] = str(tmp_path)
    ran = service.run("dns", "run")
    assert ran.returncode == 6
    assert "[dns] listen" in ran.stderr


def test_its_address_is_what_the_networks_say(hosts: HostsDir, tmp_path: Path) -> None:
    network = {"cniVersion": "0.2.0", "name": "podnet", "type": "bridge", "dns": {"nameservers": ["10.7.0.1"]}}
    (tmp_path / "podnet.conf").write_text(
        json.dumps({**network, "ipam": {"type": "host-local", "subnet": "10.7.0.0/24"}})
    )
    service = dnsmasq(hosts, tmp_path / "log", LISTEN="")
    service.environment["MESOS_POD_EXECUTOR_CNI_CONFIG_DIR"] = str(tmp_path)
    assert "--listen-address=10.7.0.1 " in service.run("dns", "run", "--print").stdout
