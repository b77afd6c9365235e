"""What can be judged without a node: thresholds, routes, capabilities, the clock."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from cgroups import Mode
from executor.cni.config.conflist import Network
from executor.cni.records.host_local import Entry
from executor.doctor import kernel, network, node, runtime
from executor.doctor.finding import Finding, Verdict, failed, passed, skipped, warned, worst
from executor.names import MesosContainerId
from executor.netlink.state import Route
from executor.node.inventory import Inventory
from executor.node.shim_processes import Shim

ROUTES = (
    Route(2, "0.0.0.0/0", "192.168.1.1"),
    Route(2, "192.168.1.0/24"),
    Route(2, "10.91.2.0/24", "192.168.1.2"),
    Route(2, "10.91.3.0/24", "192.168.1.3", table=100),
    Route(2, "fd00:2::/64", "fd00::2"),
)


def shared(*, masquerade: bool, subnet: str = "10.91.1.0/24") -> Network:
    plugin = {"type": "bridge", "ipMasq": masquerade, "ipam": {"type": "host-local", "ranges": [[{"subnet": subnet}]]}}
    return Network("n", "n.conf", (plugin,), ("0.2.0",), "0.2.0", derived=True)


def test_routes_through_other_hosts() -> None:
    assert network.routed(ROUTES) == [IPv4Network("10.91.2.0/24")]
    assert network.routed(()) == []


@pytest.mark.parametrize(
    ("masquerade", "subnet", "via", "verdict"),
    [
        (True, "10.91.1.0/24", "10.91.2.0/24", Verdict.WARN),
        (False, "10.91.1.0/24", "10.91.2.0/24", Verdict.PASS),
        (True, "10.91.1.0/24", "10.92.2.0/24", Verdict.PASS),
        (True, "10.91.1.0/24", "10.0.0.0/8", Verdict.PASS),  # a route to everything private, not to a peer
        (True, "10.91.1.0/24", "10.91.1.0/24", Verdict.PASS),
    ],
)
def test_masquerade_before_routed_peers(masquerade: bool, subnet: str, via: str, verdict: Verdict) -> None:
    (finding,) = network.masquerade([shared(masquerade=masquerade, subnet=subnet)], [IPv4Network(via)])
    assert finding.verdict is verdict


def test_capabilities() -> None:
    def verdicts(effective: int) -> list[str]:
        return [str(finding.verdict) for finding in kernel.judge_capabilities(effective)]

    assert verdicts(1 << 21 | 1 << 24) == ["pass", "pass"]
    assert verdicts(1 << 21) == ["pass", "warn"]
    assert verdicts(0) == ["fail", "warn"]


@pytest.mark.parametrize(
    ("text", "verdict"), [("1.6.20~ds1", "pass"), ("v2.0.0", "pass"), ("1.4.13", "warn"), ("", "warn")]
)
def test_containerds_version(text: str, verdict: str) -> None:
    assert runtime.version(text).verdict == verdict


@pytest.mark.parametrize(
    ("program", "mode", "controllers", "refuses"),
    [
        ("crun version 1.21", Mode.HYBRID, "hugetlb", True),
        ("crun version 1.21", Mode.HYBRID, "", False),
        ("crun version 1.21", Mode.V2, "cpu memory", False),
        ("crun version 1.21", Mode.V1, "", False),
        ("runc version 1.3.6", Mode.HYBRID, "hugetlb", False),
    ],
)
def test_crun_refuses_hybrid_cgroups(program: str, mode: Mode, controllers: str, refuses: bool) -> None:
    found = runtime.refusal(passed("containerd.runc", f"/usr/bin/x: {program} commit: 1"), mode, controllers)
    assert (found is not None) is refuses
    assert found is None or (found.verdict is Verdict.FAIL and "hugetlb" in found.message and "runc" in found.hint)


def test_a_runtime_that_is_not_there_is_named(tmp_path: Path) -> None:
    named, path = runtime.program("crun", str(tmp_path)), runtime.program(f"{tmp_path}/crun", "/nowhere")
    assert (named.verdict, named.message) == (Verdict.FAIL, f"crun is not on {tmp_path}")
    assert (path.verdict, path.message) == (Verdict.FAIL, f"{tmp_path}/crun is not a program of this node")
    assert "[containerd] runtime" in path.hint


def test_a_runtime_that_does_not_run_is_reported_once() -> None:
    broken = failed("containerd.runc", "crun version", "install crun again")
    assert runtime.refusal(broken, Mode.HYBRID, "hugetlb") is None


@pytest.mark.parametrize(
    ("free", "size", "verdict"),
    [
        (1 << 20, 1 << 40, "fail"),
        (512 << 20, 1 << 40, "warn"),
        (512 << 20, 4 << 30, "pass"),
        (2 << 30, 1 << 40, "pass"),
    ],
)
def test_disk_space(free: int, size: int, verdict: str) -> None:
    assert node.judge_space("state_dir", "/x", free, size).verdict == verdict


def test_a_clock_that_is_behind_the_program() -> None:
    assert node.judge_clock(1_000_000, 1_000_000 + 30 * 86400).verdict is Verdict.FAIL
    assert node.judge_clock(1_000_000, 1_000_000 + 3600).verdict is Verdict.PASS


def test_left_overs() -> None:
    dead = MesosContainerId("d")
    assert [each.verdict for each in node.left_overs(Inventory())] == [Verdict.PASS]
    (found,) = node.left_overs(Inventory(dead={dead: {"snapshots": 2}}))
    assert found.verdict is Verdict.WARN and "1 dead executors (d) left 2 snapshots" in found.message
    assert [each.verdict for each in node.left_overs(Inventory(dead={dead: {}}))] == [Verdict.WARN]
    assert len(node.left_overs(Inventory(dead={dead: {}}, unknown={MesosContainerId("u"): "no file"}))) == 2
    (unknown,) = node.left_overs(Inventory(unknown={dead: "no file"}))
    assert unknown.verdict is Verdict.WARN and f"{dead} (no file)" in unknown.message
    assert "gc --assume-dead" in unknown.hint
    (lost,) = node.left_overs(Inventory(lost_shims=(Shim(77, 1, "mesos-pods", "pod-1-app"),)))
    assert lost.verdict is Verdict.WARN and "77" in lost.message


def test_addresses_and_rules_that_nobody_has_are_named_with_what_to_remove() -> None:
    pod = Entry("n", "10.0.0.2", "pod-0123456789ab", "eth0", Path("/x"))
    task = Entry("n", "10.0.0.3", "f3b1c0de-1111-2222-3333-444455556666", "eth0", Path("/y"))
    inventory = Inventory(
        unrecorded=(pod,), others=(task,), unrecorded_rules=("pod-000000000000",), erased_rules=("n, eth0 of pod-1",)
    )
    found = network.ledger(inventory, frozenset())
    assert [(each.check, each.verdict) for each in found] == [
        ("network.ledger", Verdict.WARN),
        ("network.ledger", Verdict.WARN),
        ("network.rules", Verdict.WARN),
        ("network.rules_erased", Verdict.WARN),
    ]
    for each, entry in zip(found, (pod, task), strict=False):
        assert entry.address in each.message and str(entry.path) in each.message and str(entry.path) in each.hint
    for containers in (None, frozenset({task.container_id})):
        (known,) = network.ledger(Inventory(others=(task,)), containers)
        assert known.verdict is Verdict.PASS and "1 are of other runtimes" in known.message
        assert ("not asked" in known.message) is (containers is None)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], Verdict.PASS),
        ([passed("a", ""), skipped("b", "")], Verdict.PASS),
        ([passed("a", ""), warned("b", "", "")], Verdict.WARN),
        ([failed("a", "", ""), warned("b", "", "")], Verdict.FAIL),
    ],
)
def test_the_worst_counts(findings: list[Finding], verdict: Verdict) -> None:
    assert worst(findings) is verdict
