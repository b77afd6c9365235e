"""The directory: whole files only, of provable owners."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from executor.dns.hostsdir import HostsDir, remove_owner
from executor.dns.names import PodNames, Zones
from executor.dns.publisher import Names
from executor.errors import Failure, NotFound
from executor.names import AgentId, MesosContainerId, PodId

OWNER = "6f1c2a6e-7bb8-4e0c-9a49-1f0a2b3c4d5e"
POD = PodId("pod-0123456789ab")


@pytest.fixture
def hosts(tmp_path: Path) -> HostsDir:
    made = HostsDir(tmp_path / "run/names")
    made.ensure()
    return made


def test_a_file_is_written_changed_and_removed(hosts: HostsDir) -> None:
    hosts.write(OWNER, POD, "# one\n")
    hosts.write(OWNER, POD, "# two\n")
    assert hosts.read(OWNER, POD) == "# two\n"
    assert [path.name for path in hosts.path.iterdir()] == [f"{OWNER}.{POD}"]
    hosts.remove(OWNER, POD)
    hosts.remove(OWNER, POD)
    with pytest.raises(NotFound):
        hosts.read(OWNER, POD)


def test_the_server_s_user_can_read_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = HostsDir(tmp_path / "names")
        made.ensure()
        made.write(OWNER, POD, "# x\n")
    finally:
        os.umask(before)
    assert made.path.stat().st_mode & 0o777 == 0o755
    assert (made.path / f"{OWNER}.{POD}").stat().st_mode & 0o777 == 0o644


def test_readers_see_whole_files_only(hosts: HostsDir) -> None:
    """A reader that opens the file again and again while it is rewritten never sees a part of it, nor none."""
    texts = {f"# {letter * 100_000}\n" for letter in "ab"}
    hosts.write(OWNER, POD, min(texts))
    done = threading.Event()

    def rewrite() -> None:
        for _ in range(100):
            for text in sorted(texts):
                hosts.write(OWNER, POD, text)
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    seen = 0
    while not done.is_set():
        assert hosts.read(OWNER, POD) in texts
        seen += 1
    writer.join()
    assert seen > 10


def test_only_the_owner_s_files_are_removed(hosts: HostsDir) -> None:
    other = f"{OWNER}0"
    for owner in (OWNER, other, "mesos"):
        hosts.write(owner, POD, "# x\n")
    hosts.write(OWNER, "pod-ffffffffffff", "# x\n")
    (hosts.path / f".{OWNER}.pod-000000000000").write_text("half")
    (hosts.path / "stranger").write_text("# x\n")
    assert remove_owner(hosts.path, OWNER) == 2
    assert sorted(path.name for path in hosts.path.iterdir()) == sorted([f"{other}.{POD}", f"mesos.{POD}", "stranger"])
    assert hosts.files() == sorted([(other, POD), ("mesos", POD)])
    assert hosts.owners() == {other, "mesos"}
    assert remove_owner(hosts.path, OWNER) == 0
    assert remove_owner(hosts.path / "missing", OWNER) == 0


@pytest.mark.parametrize("owner", ["", "..", "a/b", "*", "a.b", "-x", "a\n"])
def test_what_is_no_owner_owns_nothing(hosts: HostsDir, owner: str) -> None:
    hosts.write(OWNER, POD, "# x\n")
    with pytest.raises(Failure):
        remove_owner(hosts.path, owner)
    with pytest.raises(Failure):
        hosts.write(owner, POD, "# x\n")
    with pytest.raises(Failure):
        hosts.remove("mesos", owner)
    assert hosts.files() == [(OWNER, POD)]


def test_a_write_that_fails_leaves_what_was(hosts: HostsDir) -> None:
    hosts.write(OWNER, POD, "# old\n")
    (hosts.path / f".{OWNER}.{POD}").mkdir()  # in the way of the new file
    with pytest.raises(Failure) as caught:
        hosts.write(OWNER, POD, "# new\n")
    assert "[dns] hosts_dir" in str(caught.value)
    assert hosts.read(OWNER, POD) == "# old\n"


def test_a_directory_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure):
        HostsDir(tmp_path / "file/names").ensure()


def names_in(hosts: HostsDir, pod: PodId) -> str:
    return hosts.read(OWNER, pod).partition("\n")[2]


def test_pods_are_published_changed_and_withdrawn(tmp_path: Path) -> None:
    hosts = HostsDir(tmp_path / "names")
    names = Names(hosts, MesosContainerId(OWNER), AgentId("a-S0"), Zones())
    names.publish(
        POD, PodNames(("10.0.0.2", "fd00::2"), ("web.default.pod.cluster.local",), "default.pod.cluster.local")
    )
    assert names_in(hosts, POD) == (
        "10.0.0.2 web.default.pod.cluster.local 10-0-0-2.default.pod.cluster.local\n"
        "fd00::2 web.default.pod.cluster.local fd00--2.default.pod.cluster.local\n"
    )
    names.publish(POD, PodNames(("10.0.0.3",), ("web.mesos",)))
    assert names_in(hosts, POD) == "10.0.0.3 web.mesos\n"
    names.withdraw(POD)
    names.withdraw(POD)
    assert hosts.files() == []


def test_pods_on_the_node_s_network_share_a_service(tmp_path: Path) -> None:
    """dnsmasq keeps a name and address of the first file only, so they must never stand in two."""
    hosts = HostsDir(tmp_path / "names")
    names = Names(hosts, MesosContainerId(OWNER), AgentId("a-S0"), Zones())
    other = PodId("pod-ffffffffffff")
    for pod in (POD, other):
        names.publish(pod, PodNames(("10.0.0.1",), ("web.default.svc.cluster.local",)))
    assert names_in(hosts, POD) == "10.0.0.1 web.default.svc.cluster.local\n"
    assert names_in(hosts, other) == ""
    names.withdraw(POD)
    assert names_in(hosts, other) == "10.0.0.1 web.default.svc.cluster.local\n"


def test_what_could_not_be_published_can_be_again(tmp_path: Path) -> None:
    hosts = HostsDir(tmp_path / "names")
    names = Names(hosts, MesosContainerId(OWNER), AgentId("a-S0"), Zones())
    hosts.ensure()
    obstacle = hosts.path / f".{OWNER}.{POD}"
    obstacle.mkdir()
    made = PodNames(("10.0.0.1",), ("web.mesos",))
    with pytest.raises(Failure):
        names.publish(POD, made)
    obstacle.rmdir()
    names.publish(POD, made)
    assert names_in(hosts, POD) == "10.0.0.1 web.mesos\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# x",
        "10.0.0.1 web.mesos\n",
        "# x\nweb.mesos\n",
        "# x\n10.0.0.1\n",
        "# x\n10.0.0.1 web.mesos",
        "# x\n10.0.0.1 web.mesos # y\n",
        "# x\n10.0.0.1  web.mesos\n",
        "# x\n10.0.0.1 Web.mesos\n",
        "# x\n10.0.0.1 10.6.6.6\n",
        "# x\n010.0.0.1 web.mesos\n",
        "# x\nfe80::1%eth0 web.mesos\n",
        "# x\nFD00::1 web.mesos\n",
        "# x\r10.6.6.6 db.mesos\n",
        "# \u2028\n",
        "# x\n\n",
    ],
)
def test_the_writer_takes_nothing_but_addresses_and_names(hosts: HostsDir, text: str) -> None:
    """Whatever went wrong before it: no other line reaches the name server."""
    with pytest.raises(Failure, match="is not a "):
        hosts.write(OWNER, POD, text)
    assert list(hosts.path.iterdir()) == []
