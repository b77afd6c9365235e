"""Whose a process is, by namespaces and ancestors, in trees of processes of every form."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.names import PodId
from executor.revocation.process_owners import ProcessOwners

NODE = "pid:[1]"
WEB, BATCH = PodId("pod-000000000001"), PodId("pod-000000000002")


@dataclass
class Processes:
    """A kernel's: 1 is the node's init, 2 containerd."""

    parents: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 1})
    namespaces: dict[int, str] = field(default_factory=lambda: {1: NODE, 2: NODE})
    hidden: set[int] = field(default_factory=set)
    reads: list[int] = field(default_factory=list)

    def start(self, parent: int, namespace: str = "") -> int:
        pid = len(self.parents) + 1
        self.parents[pid] = parent
        self.namespaces[pid] = namespace or self.namespaces[parent]
        return pid

    def namespace_of(self, pid: int) -> str | None:
        return None if pid in self.hidden else self.namespaces.get(pid)

    def parent_of(self, pid: int) -> int | None:
        self.reads.append(pid)
        return self.parents.get(pid)

    def owners(self, pods: dict[PodId, list[int]]) -> ProcessOwners:
        return ProcessOwners(pods, keepers={}, shared={NODE}, namespace_of=self.namespace_of, parent_of=self.parent_of)


@given(st.data())
def test_every_process_is_of_the_pod_below_whose_shim_it_is(data: st.DataObject) -> None:
    """With namespaces of its own, of the node's, and further ones within; readable or not."""
    node, pods, expected = Processes(), dict[PodId, list[int]](), dict[int, PodId | None]()
    for number in range(data.draw(st.integers(1, 4))):
        pod = PodId(f"pod-{number}")
        shim = node.start(1)
        own = data.draw(st.sampled_from(["", f"pid:[pod-{number}]"]))
        pods[pod] = [node.start(shim, own) for _ in range(data.draw(st.integers(1, 3)))]
        members = [*pods[pod], node.start(shim, own)]
        for _ in range(data.draw(st.integers(0, 8))):
            inner = data.draw(st.sampled_from(["", "", f"pid:[{len(node.parents)}]"]))
            members.append(node.start(data.draw(st.sampled_from(members)), inner))
        expected |= dict.fromkeys(members, pod)
        node.hidden |= set(members) if data.draw(st.booleans()) else set()
    strangers = [2]
    for _ in range(data.draw(st.integers(0, 4))):
        strangers.append(node.start(data.draw(st.sampled_from(strangers))))
    expected |= dict.fromkeys([1, *strangers], None)
    owners = node.owners(pods)
    asked = data.draw(st.permutations(sorted(expected)))
    assert {pid: owners.owner(pid) for pid in asked} == expected


def test_an_orphan_of_a_pod_with_the_nodes_processes_is_known_by_its_shim() -> None:
    node = Processes()
    shims = {pod: node.start(1) for pod in (WEB, BATCH)}
    owners = node.owners({pod: [node.start(shim)] for pod, shim in shims.items()})
    assert {pod: owners.owner(node.start(shim)) for pod, shim in shims.items()} == {WEB: WEB, BATCH: BATCH}


def test_no_namespace_is_asked_for_while_the_shims_live() -> None:
    """The kernel may let the caller wait until that process has executed its program."""
    node = Processes()
    shims = {pod: node.start(1) for pod in (WEB, BATCH)}
    first = {pod: [node.start(shim, f"pid:[{pod}]")] for pod, shim in shims.items()}
    owners = ProcessOwners(first, keepers={}, shared={NODE}, namespace_of=_unasked, parent_of=node.parent_of)
    for pod, shim in shims.items():
        executed = node.start(shim, f"pid:[{pod}]")
        assert {owners.owner(each) for each in (*first[pod], executed, node.start(executed), shim)} == {pod}


def test_no_namespace_is_asked_for_an_orphan_of_a_shared_namespace() -> None:
    """Its parent is the keeper of the namespace, a child of the executor, of which nothing is said."""
    node = Processes()
    executor, shim = node.start(2), node.start(1)
    keeper = node.start(executor, "pid:[web]")
    first = {WEB: [node.start(shim, "pid:[web]")]}
    found = ProcessOwners(first, keepers={keeper: WEB}, shared={NODE}, namespace_of=_unasked, parent_of=node.parent_of)
    assert {found.owner(node.start(keeper)), found.owner(node.start(node.start(keeper)))} == {WEB}
    asked = ProcessOwners(
        first, keepers={keeper: WEB}, shared={NODE}, namespace_of=node.namespace_of, parent_of=node.parent_of
    )
    assert asked.owner(executor) is None and asked.owner(node.start(executor)) is None


def test_a_process_whose_shim_was_killed_is_known_by_its_namespace() -> None:
    node = Processes()
    shim = node.start(1)
    first, executed = node.start(shim, "pid:[web]"), node.start(shim, "pid:[web]")
    node.parents |= {first: 1, executed: 1}
    assert node.owners({WEB: [first]}).owner(node.start(executed)) == WEB


def test_a_parent_of_two_pods_says_nothing() -> None:
    node = Processes()
    shim = node.start(1)
    first = {WEB: [node.start(shim)], BATCH: [node.start(shim)]}
    owners = node.owners(first)
    assert owners.owner(node.start(shim)) is None
    assert [owners.owner(pid) for pids in first.values() for pid in pids] == [WEB, BATCH]


def test_no_ancestor_is_read_twice() -> None:
    """A container with the node's processes can nest them by thousands."""
    node = Processes()
    deep = [2]
    for _ in range(2000):
        deep.append(node.start(deep[-1]))
    owners = node.owners({WEB: [node.start(node.start(1))]})
    node.reads.clear()
    assert {owners.owner(pid) for pid in reversed(deep)} == {None}
    assert len(node.reads) == len(set(node.reads))


@pytest.mark.parametrize("ends", [1, 2, 3])
def test_an_ancestor_that_ends_meanwhile_leaves_another_parent(ends: int) -> None:
    node = Processes()
    first = node.start(node.start(1))
    child = node.start(node.start(first))
    parent_of = dying(node, child, first, ends)
    owners = ProcessOwners(
        {WEB: [first]}, keepers={}, shared={NODE}, namespace_of=node.namespace_of, parent_of=parent_of
    )
    assert owners.owner(child) == (WEB if ends < 3 else None)


def dying(node: Processes, child: int, first: int, times: int) -> Callable[[int], int | None]:
    """The parents of `child` end after they were read, `times` times; then `first` is its parent."""
    left, read = itertools.count(times, -1), node.parent_of

    def parent_of(pid: int) -> int | None:
        if pid != child:
            return read(pid)
        return 10_000 if next(left) > 0 else first

    return parent_of


def test_parents_in_a_circle_end() -> None:
    """As pids that are used again may show."""
    node = Processes()
    one = node.start(2)
    two = node.start(one)
    node.parents[one] = two
    assert node.owners({}).owner(two) is None


def _unasked(pid: int) -> str | None:
    raise AssertionError(f"asked for the namespace of {pid}")
