"""What order plugins are called in, with what, and what is never called."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from executor.cni import NetworkRequest
from executor.errors import InvalidRequest, NetworkFailure, Refused
from tests.unit.cni.bench import NET, NETNS, POD, Bench


async def test_a_chain_is_added_forward_and_deleted_backward_with_what_it_came_to(bench: Bench) -> None:
    bench.conflist("one", "two", "three")
    bench.plugin("two", ADD=[{"result": {"cniVersion": "1.0.0", "ips": [{"address": "10.9.9.9/16"}]}}])
    (attachment,) = await bench.cni.attach(POD, NETNS, NET)
    await bench.cni.detach(POD, NETNS)
    assert bench.sequence() == ["ADD one", "ADD two", "ADD three", "DEL three", "DEL two", "DEL one"]
    previous = [each["config"].get("prevResult", {}).get("ips", [{}])[0].get("address") for each in bench.calls()]
    assert previous == [None, "10.1.2.3/24", "10.9.9.9/16", *["10.9.9.9/16"] * 3]
    assert attachment.ips == ("10.9.9.9/16",)
    assert bench.records() == []


async def test_what_a_plugin_is_given(bench: Bench) -> None:
    bench.conflist("one")
    info = {"name": "net", "labels": {"labels": [{"key": "a", "value": "b"}]}}
    request = NetworkRequest(
        "net", "eth3", network_info=info, pod_name="web", pod_namespace="shop", pod_uid="u-1", aliases=("www",)
    )
    await bench.cni.attach(POD, NETNS, [request])
    (call,) = bench.calls("ADD")
    environ = {key: value for key, value in call["environ"].items() if key != "LC_CTYPE"}  # Python's own doing
    assert environ == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": POD,
        "CNI_NETNS": str(NETNS),
        "CNI_IFNAME": "eth3",
        "CNI_PATH": str(bench.plugin_dir),
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;"
        f"K8S_POD_INFRA_CONTAINER_ID={POD};K8S_POD_UID=u-1",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    assert call["config"] == {
        "type": "one",
        "name": "net",
        "cniVersion": "1.0.0",
        "args": {"org.apache.mesos": {"network_info": info}},
    }


async def test_del_uses_what_was_used_for_add_though_the_file_is_gone(bench: Bench) -> None:
    path = bench.conflist("one", "two")
    await bench.cni.attach(POD, NETNS, NET)
    path.unlink()
    await bench.runtime().detach(POD, NETNS)
    added, deleted = bench.calls("ADD"), list(reversed(bench.calls("DEL")))
    for one, other in zip(added, deleted, strict=True):
        one["config"].pop("prevResult", None)
        other["config"].pop("prevResult", None)
        assert one["config"] == other["config"]


@pytest.mark.parametrize(("version", "carried"), [("0.3.1", False), ("0.4.0", True), ("1.1.0", True)])
async def test_del_carries_the_result_from_0_4_0_on(bench: Bench, version: str, carried: bool) -> None:
    bench.conflist("one", "two", version=version)
    await bench.cni.attach(POD, NETNS, NET)
    await bench.cni.detach(POD, NETNS)
    assert ["prevResult" in each["config"] for each in bench.calls("DEL")] == [carried, carried]


async def test_nothing_without_a_record_is_ever_deleted(bench: Bench) -> None:
    bench.conflist("one")
    await bench.cni.detach(POD, NETNS)
    assert bench.calls() == []


@pytest.mark.parametrize(
    "strange", ["", "a1b2", "0a3f.child", "../pod-1", "pod-", "pod-../x", "pod-a/b", "pod-.x", "pod-a\n"]
)
async def test_only_pods_are_touched(bench: Bench, strange: str) -> None:
    bench.conflist("one")
    with pytest.raises(Refused):
        await bench.cni.attach(strange, NETNS, NET)
    with pytest.raises(Refused):
        await bench.cni.detach(strange, NETNS)
    assert bench.calls() == []


async def test_add_is_not_called_twice_for_one_pod(bench: Bench) -> None:
    bench.conflist("one")
    await bench.cni.attach(POD, NETNS, NET)
    with pytest.raises(NetworkFailure, match="attached already"):
        await bench.cni.attach(POD, NETNS, NET)
    assert bench.sequence() == ["ADD one"]
    assert bench.records() == [f"{POD}/eth0.json"]


async def test_operations_on_one_pod_wait_for_each_other(bench: Bench) -> None:
    bench.conflist("one", "two")
    bench.plugin("one", ADD=[{"sleep": 0.1}])
    await asyncio.gather(bench.cni.attach(POD, NETNS, NET), bench.cni.detach(POD, NETNS))
    assert bench.sequence() == ["ADD one", "ADD two", "DEL two", "DEL one"]


async def test_operations_on_different_pods_do_not(bench: Bench) -> None:
    """The plugins of all of them run before any has ended."""
    bench.conflist("one")
    bench.plugin("one", ADD=[{"hang": True}])
    attaching = [asyncio.create_task(bench.cni.attach(f"pod-{number}", NETNS, NET)) for number in range(4)]
    async with asyncio.timeout(15):
        while len(bench.calls("ADD")) < 4:  # noqa: ASYNC110 it happens in other processes
            await asyncio.sleep(0.01)
    assert not any(each.done() for each in attaching)
    for each in attaching:
        each.cancel()
    await asyncio.gather(*attaching, return_exceptions=True)


async def test_a_namespace_that_is_gone_is_not_passed_to_del(bench: Bench) -> None:
    bench.conflist("one")
    await bench.cni.attach(POD, NETNS, NET)
    await bench.cni.detach(POD, Path("/proc/self/gone"))
    (call,) = bench.calls("DEL")
    assert "CNI_NETNS" not in call["environ"]


async def test_attaching_to_no_namespace_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.conflist("one")
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(NetworkFailure, match="no network namespace there"):
        await bench.cni.attach(POD, plain, NET)
    assert bench.calls() == []


async def test_two_networks_need_two_interfaces(bench: Bench) -> None:
    bench.conflist("one")
    with pytest.raises(InvalidRequest, match="one interface name"):
        await bench.cni.attach(POD, NETNS, [*NET, *NET])
