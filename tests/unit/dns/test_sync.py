"""The synchroniser's files: one for each task, none written twice, nobody else's touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from executor import log
from executor.dns.hostsdir import HostsDir
from executor.dns.names import Zones, parse_hosts
from executor.dns.sync import HEARTBEAT, Synchroniser, alone, file_name
from executor.dns.tasks import Key, Tasks
from executor.errors import Failure, Refused
from executor.mesos.operator.messages import Event, State
from tests.unit.dns.samples import FRAMEWORK, added, event, state, status, task, updated


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def hosts(tmp_path: Path) -> HostsDir:
    return HostsDir(tmp_path / "names")


def start(hosts: HostsDir, *items: State | Event, clock: Clock | None = None) -> Synchroniser:
    synchroniser = Synchroniser(hosts, Tasks(Zones(), lambda _: False, hold_s=90.0), clock or Clock())
    synchroniser.adopt()
    for item in items:
        synchroniser.take(item)
    return synchroniser


def published(hosts: HostsDir) -> dict[str, list[str]]:
    """Address and the shared names, of every file of the synchroniser."""
    found: dict[str, list[str]] = {}
    for name in hosts.names("mesos"):
        for ip, each in parse_hosts(hosts.read("mesos", name))[1]:
            if "-" not in each:
                found.setdefault(ip, []).append(each)
    return found


def inodes(hosts: HostsDir) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in hosts.path.iterdir()}


def test_files_follow_state_and_events(hosts: HostsDir) -> None:
    synchroniser = start(hosts, state(task("a", "10.0.0.2"), task("b", "10.0.0.3")))
    assert published(hosts) == {"10.0.0.2": ["a.fw.mesos"], "10.0.0.3": ["b.fw.mesos"]}
    assert len(hosts.files()) == len(synchroniser) == 2
    synchroniser.take(updated(status("a", state="TASK_FINISHED")))
    synchroniser.take(added(task("c", state="TASK_STAGING")))
    synchroniser.take(updated(status("c", "10.0.0.2")))
    assert published(hosts) == {"10.0.0.2": ["c.fw.mesos"], "10.0.0.3": ["b.fw.mesos"]}
    synchroniser.take(state())
    assert hosts.files() == []


def test_nothing_is_written_when_nothing_changed(hosts: HostsDir) -> None:
    same = state(task("a", "10.0.0.2"), task("b", "10.0.0.3"))
    synchroniser = start(hosts, same)
    before = inodes(hosts)
    for _ in range(3):
        synchroniser.take(same)
        synchroniser.take(event(HEARTBEAT))
        synchroniser.take(updated(status("a", "10.0.0.2")))
    assert inodes(hosts) == before
    start(hosts, same)
    assert inodes(hosts) == before, "nor by the next process"


def test_others_files_are_never_touched(hosts: HostsDir) -> None:
    hosts.ensure()
    hosts.write("0f-executor", "pod-0123456789ab", "# pod\n10.0.0.2 a.fw.mesos\n")
    (hosts.path / "by-hand").write_text("10.0.0.9 hand.mesos\n")
    others = inodes(hosts)
    synchroniser = start(hosts, state(task("a", "10.0.0.2")))
    synchroniser.take(state())
    assert inodes(hosts) == others


def test_what_was_left_is_taken_over(hosts: HostsDir) -> None:
    start(hosts, state(task("a", "10.0.0.2"), task("b", "10.0.0.3")))
    hosts.write("mesos", "f" * 24, "# of an older version\n10.0.0.4 c.fw.mesos\n")
    hosts.write("mesos", "e" * 24, hosts.read("mesos", file_name(Key(FRAMEWORK, "a"))))
    clock = Clock()
    synchroniser = start(hosts, clock=clock)
    assert set(published(hosts)) == {"10.0.0.2", "10.0.0.3"}, "before any source has spoken"
    synchroniser.take(state(task("a", "10.0.0.2"), agents=("other",)))
    assert set(published(hosts)) == {"10.0.0.2", "10.0.0.3"}, "the agent of b is not there yet"
    clock.now_s = 90.0
    synchroniser.take(event(HEARTBEAT))
    assert set(published(hosts)) == {"10.0.0.2"}


def test_a_file_that_somebody_removed_comes_back(hosts: HostsDir) -> None:
    synchroniser = start(hosts, state(task("a", "10.0.0.2")))
    hosts.remove("mesos", file_name(Key(FRAMEWORK, "a")))
    synchroniser.take(event(HEARTBEAT))
    assert published(hosts) == {"10.0.0.2": ["a.fw.mesos"]}


def test_tasks_of_one_name_on_the_node_s_network(hosts: HostsDir) -> None:
    """Both carry the node's address; when the first ends, the second one's name must stay."""
    pair = [task(f"web.{number}", "10.0.0.1", name="web") for number in (1, 2)]
    synchroniser = start(hosts, state(*pair))
    assert published(hosts) == {"10.0.0.1": ["web.fw.mesos"]}, "a pair in two files is lost with the first"
    synchroniser.take(updated(status("web.1", state="TASK_FINISHED")))
    assert published(hosts) == {"10.0.0.1": ["web.fw.mesos"]}
    assert len(hosts.files()) == 1


def test_a_write_that_failed_is_made_up_for(hosts: HostsDir) -> None:
    synchroniser = start(hosts, state(task("a", "10.0.0.2")))
    obstacle = hosts.path / f".mesos.{file_name(Key(FRAMEWORK, 'b'))}"
    obstacle.mkdir()
    both = state(task("a", "10.0.0.2"), task("b", "10.0.0.3"), task("c", "10.0.0.4"))
    with pytest.raises(Failure):
        synchroniser.take(both)
    obstacle.rmdir()
    synchroniser.take(both)
    assert set(published(hosts)) == {"10.0.0.2", "10.0.0.3", "10.0.0.4"}


def test_ids_of_any_form_have_a_file(hosts: HostsDir) -> None:
    start(hosts, state(*(task(each, "10.0.0.2", name="x") for each in ("a b", "ü", "a.b", "x" * 255, "*"))))
    assert len(hosts.files()) == 5


@contextmanager
def told() -> Iterator[list[dict[str, Any]]]:
    """The log lines that come meanwhile."""
    found: list[dict[str, Any]] = []
    remove = log.add_sink(lambda line: found.append(dict(line)))
    try:
        yield found
    finally:
        remove()


def lines(hosts: HostsDir) -> set[str]:
    """Every line of every file but the notes, as a name server reads them."""
    texts = [hosts.read(owner, name) for owner, name in hosts.files()]
    return {line for text in texts for line in text.splitlines() if not line.startswith("#")}


def test_a_status_cannot_write_lines_of_its_choice(hosts: HostsDir) -> None:
    hostile = "fe80::1%x\n10.6.6.6 db.prod.svc.cluster.local"
    hosts.ensure()
    left = file_name(Key(FRAMEWORK, "left"))
    synchroniser = start(hosts, state(task("left", "10.0.0.9")))
    poisoned = hosts.path / f"mesos.{left}"
    poisoned.write_text(f"{poisoned.read_text()}{hostile} x.mesos\n")  # as an older version may have written
    synchroniser = start(hosts)
    assert lines(hosts) == set()
    with told() as logs:
        for _ in range(3):
            synchroniser.take(state(task("a", hostile), task("b", "10.0.0.3"), task("c", hostile, "10.0.0.4")))
    assert {line.split()[0] for line in lines(hosts)} == {"10.0.0.3", "10.0.0.4"}
    named = [each["task"] for each in logs if each["code"] == "dns.refused"]
    assert sorted(named) == ["a", "c"], "once each"
    assert all("\n" not in each["text"] for each in logs if each["code"] == "dns.refused")


def test_the_first_owner_keeps_a_name(hosts: HostsDir) -> None:
    """Two roles claim one name: the first has it, also over a restart, and the other one when the first has gone."""
    labels = {"dns_names": "db.free.svc.cluster.local", "dns_namespace": "free"}
    first, more = (task(name, ip, role="eng", **labels) for name, ip in (("a", "10.0.0.2"), ("b", "10.0.0.3")))
    other = task("c", "10.6.6.6", role="ops", **labels)

    def answered() -> set[str]:
        return {line.split()[0] for line in lines(hosts) if "db.free.svc.cluster.local" in line.split()}

    synchroniser = start(hosts, state(first))
    with told() as logs:
        synchroniser.take(state(other, first, more))
        synchroniser.take(state(other, first, more))
    assert answered() == {"10.0.0.2", "10.0.0.3"}
    assert [each["task"] for each in logs if each["code"] == "dns.clash"] == ["c"]
    synchroniser = start(hosts)
    synchroniser.take(state(other, first, more))
    assert answered() == {"10.0.0.2", "10.0.0.3"}
    synchroniser.take(updated(status("a", state="TASK_FINISHED")))
    assert answered() == {"10.0.0.3"}
    synchroniser.take(updated(status("b", state="TASK_FINISHED")))
    assert answered() == {"10.6.6.6"}


def test_there_is_one_synchroniser(hosts: HostsDir) -> None:
    hosts.ensure()
    with alone(hosts), pytest.raises(Refused), alone(hosts):
        pass
    with alone(hosts):
        assert hosts.files() == []
