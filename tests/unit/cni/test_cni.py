"""What order plugins are called in, with what, and what is undone when one of them fails."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from executor.cni import Bandwidth, NetworkRequest, PortMapping
from executor.errors import InvalidConfig, InvalidRequest, NetworkFailure, NotFound, Refused
from tests.unit.cni.bench import NETNS, Bench, running

POD = "pod-0123456789ab"
NET = (NetworkRequest("net"),)


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


FAULTS: dict[str, dict[str, Any]] = {
    "an error": {"error": {"code": 101, "msg": "no such thing", "details": "at all"}},
    "killed": {"killed": True},
    "garbage": {"raw": "not json"},
    "an unreadable result": {"result": {"cniVersion": "1.0.0", "ips": [{"address": "nowhere"}]}},
    "nothing printed": {"raw": ""},
    "a list": {"raw": "[]"},
    "status without a word": {"exit": 3, "stderr": "oh no"},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("failing", ["one", "two", "three"])
async def test_a_failed_add_is_undone_wherever_it_fails(bench: Bench, fault: str, failing: str) -> None:
    path = bench.conflist("one", "two", "three")
    bench.plugin(failing, ADD=[FAULTS[fault]])
    with pytest.raises(NetworkFailure) as caught:
        await bench.cni.attach(POD, NETNS, NET)
    assert failing in str(caught.value)
    assert "network net" in str(caught.value)
    assert str(path) in str(caught.value)
    assert bench.sequence("DEL") == ["DEL three", "DEL two", "DEL one"]
    assert bench.records() == []


async def test_the_error_says_what_the_plugin_said(bench: Bench) -> None:
    path = bench.conflist("one")
    bench.plugin("one", ADD=[{"error": {"code": 7, "msg": "bad subnet", "details": "10.0.0.0/99"}, "stderr": "trace"}])
    with pytest.raises(NetworkFailure) as caught:
        await bench.cni.attach(POD, NETNS, NET)
    expected = "plugin one failed on ADD: bad subnet (code 7): 10.0.0.0/99; trace"
    assert caught.value.message == expected
    assert caught.value.subject == f"network net ({path}), eth0 of {POD}"
    assert caught.value.mend == "mend the configuration of the network"


async def test_the_first_network_is_undone_if_the_second_fails(bench: Bench) -> None:
    bench.conflist("one", name="first")
    bench.conflist("two", name="second")
    bench.plugin("two", ADD=[{"error": {"code": 100, "msg": "no"}}])
    with pytest.raises(NetworkFailure, match="second"):
        await bench.cni.attach(POD, NETNS, [NetworkRequest("first", "eth0"), NetworkRequest("second", "eth1")])
    assert bench.sequence() == ["ADD one", "ADD two", "DEL two", "DEL one"]
    assert bench.records() == []


async def test_what_cannot_be_undone_stays_on_record_and_is_said(bench: Bench) -> None:
    bench.conflist("one", "two")
    bench.plugin(
        "two", ADD=[{"error": {"code": 100, "msg": "first"}}], DEL=[{"error": {"code": 100, "msg": "then"}}, {}]
    )
    with pytest.raises(NetworkFailure, match=r"first .*; and it could not be undone: .*plugin two failed on DEL: then"):
        await bench.cni.attach(POD, NETNS, NET)
    assert bench.sequence("DEL") == ["DEL two", "DEL one"]
    (record,) = bench.cni.attachments()
    assert (record.container_id, record.complete) == (POD, False)
    await bench.runtime().detach(POD, NETNS)
    assert bench.records() == []


@pytest.mark.parametrize("fault", ["an error", "killed", "status without a word"])
@pytest.mark.parametrize("failing", ["one", "two"])
async def test_a_failed_del_does_not_stop_the_others_and_can_be_repeated(
    bench: Bench, fault: str, failing: str
) -> None:
    bench.conflist("one", "two")
    bench.plugin(failing, DEL=[FAULTS[fault], {}])
    await bench.cni.attach(POD, NETNS, NET)
    with pytest.raises(NetworkFailure, match=failing):
        await bench.cni.detach(POD, NETNS)
    assert bench.sequence("DEL") == ["DEL two", "DEL one"]
    assert bench.records() == [f"{POD}/eth0.json"]
    await bench.cni.detach(POD, NETNS)
    assert bench.records() == []


async def test_a_plugin_that_hangs_is_ended_at_its_limit_and_undone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, timeout_s=0.5)
    bench.conflist("one", "two")
    bench.plugin("two", ADD=[{"hang": True}], DEL=[{"hang": True}, {}])
    with pytest.raises(NetworkFailure, match=r"two failed on ADD: did not end within 0\.5 s .* could not be undone"):
        await bench.cni.attach(POD, NETNS, NET)
    assert bench.sequence() == ["ADD one", "ADD two", "DEL two", "DEL one"]
    assert not any(running(each["pid"]) for each in bench.calls())
    await bench.cni.detach(POD, NETNS)
    assert bench.records() == []


async def test_try_again_later_is_tried_again_from_clean(bench: Bench) -> None:
    bench.conflist("one", "two")
    later = {"error": {"code": 11, "msg": "later"}}
    bench.plugin("two", ADD=[later, later, {}], DEL=[{}, {}, later, {}], CHECK=[later, {}])
    await bench.cni.attach(POD, NETNS, NET)
    undone = ["ADD one", "ADD two", "DEL two", "DEL one"]
    assert bench.sequence() == [*undone, *undone, "ADD one", "ADD two"]
    await bench.cni.check(POD)
    assert bench.sequence("CHECK") == ["CHECK one", "CHECK two", "CHECK two"]
    await bench.cni.detach(POD, NETNS)
    assert bench.sequence("DEL")[4:] == ["DEL two", "DEL two", "DEL one"]


async def test_patience_ends(bench: Bench) -> None:
    bench.conflist("one")
    bench.plugin("one", ADD=[{"error": {"code": 11, "msg": "later"}}])
    with pytest.raises(NetworkFailure, match=r"later \(code 11\).*did not recover"):
        await bench.cni.attach(POD, NETNS, NET)
    assert len(bench.calls("ADD")) == 3
    assert bench.records() == []


async def test_cancelling_an_attach_undoes_it(bench: Bench) -> None:
    bench.conflist("one", "two")
    bench.plugin("two", ADD=[{"hang": True}])
    task = asyncio.create_task(bench.cni.attach(POD, NETNS, NET))
    await bench.called("ADD two")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.sequence("DEL") == ["DEL two", "DEL one"]
    assert bench.records() == []


async def test_a_crash_between_add_and_record_is_undone_by_the_next_executor(bench: Bench) -> None:
    bench.conflist("one")
    bench.plugin("one", ADD=[{"sleep": 0.2}])
    task = asyncio.create_task(bench.cni.attach(POD, NETNS, NET))
    await bench.called("ADD one")
    record = bench.state_dir / POD / "eth0.json"
    intent = record.read_text()
    await task
    record.write_text(intent)  # what is on disk if the executor dies during ADD
    (found,) = bench.runtime().attachments()
    assert not found.complete
    await bench.runtime().detach(POD, None)
    assert bench.sequence("DEL") == ["DEL one"]


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
    bench.conflist("one")
    bench.plugin("one", ADD=[{"sleep": 0.5}])
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.gather(*(bench.cni.attach(f"pod-{number}", NETNS, NET) for number in range(4)))
    assert loop.time() - before < 1.5


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


async def test_capabilities_reach_those_that_declare_them(bench: Bench) -> None:
    for kind in ("one", "two"):
        bench.plugin(kind)
    plugins = [
        {"type": "one", "capabilities": {"mac": True, "ips": True, "bandwidth": False}},
        {"type": "two", "capabilities": {"portMappings": True, "bandwidth": True, "aliases": True}},
    ]
    bench.conf("net.conflist", {"cniVersion": "1.0.0", "name": "net", "plugins": plugins})
    request = NetworkRequest(
        "net",
        port_mappings=(PortMapping(8080, 80, "TCP", "10.0.0.1"), PortMapping(53, 53, "udp")),
        bandwidth=Bandwidth(ingress_bits_per_s=80_000_000),
        mac="02:11:22:33:44:55",
        ips=("10.1.2.9/24",),
        aliases=("web",),
    )
    await bench.cni.attach(POD, NETNS, [request])
    await bench.cni.detach(POD, NETNS)
    one, two = (each["config"]["runtimeConfig"] for each in bench.calls("ADD"))
    assert one == {"mac": "02:11:22:33:44:55", "ips": ["10.1.2.9/24"]}
    assert two == {
        "portMappings": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "10.0.0.1"},
            {"hostPort": 53, "containerPort": 53, "protocol": "udp"},
        ],
        "bandwidth": {"ingressRate": 80_000_000, "ingressBurst": 8_000_000},
        "aliases": ["web"],
    }
    assert [each["config"]["runtimeConfig"] for each in bench.calls("DEL")] == [two, one]
    assert all("capabilities" not in each["config"] for each in bench.calls())


async def test_a_demand_that_nobody_serves_is_refused(bench: Bench) -> None:
    path = bench.conflist("one")
    with pytest.raises(InvalidConfig, match="portMappings") as caught:
        await bench.cni.attach(POD, NETNS, [NetworkRequest("net", port_mappings=(PortMapping(80, 80),))])
    assert caught.value.subject == str(path)
    assert bench.calls() == []


async def test_the_agents_configuration_becomes_a_list(bench: Bench) -> None:
    for kind in ("bridge", "host-local", "portmap"):
        bench.plugin(kind)
    conf = {"cniVersion": "0.2.0", "name": "podnet", "type": "bridge", "bridge": "b", "ipam": {"type": "host-local"}}
    bench.conf("podnet.conf", conf)
    await bench.cni.attach(POD, NETNS, [NetworkRequest("podnet")])
    await bench.cni.attach("pod-2", NETNS, [NetworkRequest("podnet", port_mappings=(PortMapping(80, 80),))])
    assert bench.sequence("ADD") == ["ADD bridge", "ADD bridge", "ADD portmap"]
    first = bench.calls("ADD")[0]["config"]
    assert (first["name"], first["bridge"], first["ipam"]) == ("podnet", "b", {"type": "host-local"})
    assert first["cniVersion"] == "1.1.0"
    (stored, _) = bench.cni.attachments()
    assert stored.document["disableGC"] is True


async def test_portmap_is_wanted_but_not_there(bench: Bench) -> None:
    bench.plugin("bridge")
    bench.conf("podnet.conf", {"name": "podnet", "type": "bridge"})
    with pytest.raises(InvalidConfig, match="portmap"):
        await bench.cni.attach(POD, NETNS, [NetworkRequest("podnet", port_mappings=(PortMapping(80, 80),))])
    assert bench.calls() == []


async def test_the_newest_version_that_all_speak_is_chosen(bench: Bench) -> None:
    old = {"supported": ["0.2.0", "0.3.1", "0.4.0"]}
    bench.plugin("bridge")
    bench.plugin("host-local", VERSION=[old], ADD=[old], DEL=[old])
    bench.conf("podnet.conf", {"name": "podnet", "type": "bridge", "ipam": {"type": "host-local"}})
    await bench.cni.attach(POD, NETNS, [NetworkRequest("podnet")])
    assert bench.calls("ADD")[0]["config"]["cniVersion"] == "0.4.0"
    await bench.cni.attach("pod-2", NETNS, [NetworkRequest("podnet")])
    assert len(bench.calls("VERSION")) == 2  # asked once each


async def test_a_list_of_versions_is_negotiated(bench: Bench) -> None:
    known = {"supported": ["0.4.0", "1.0.0"]}
    bench.conflist("one", cniVersions=["0.4.0", "1.1.0"])
    bench.plugin("one", VERSION=[known], ADD=[known], DEL=[known])
    await bench.cni.attach(POD, NETNS, NET)
    assert bench.calls("ADD")[0]["config"]["cniVersion"] == "1.0.0"


async def test_a_plugin_that_lies_about_its_versions_is_taken_at_its_error(bench: Bench) -> None:
    real = {"supported": ["0.3.0", "0.4.0"]}
    bench.plugin("bridge", ADD=[real], DEL=[real])
    bench.conf("podnet.conf", {"name": "podnet", "type": "bridge"})
    await bench.cni.attach(POD, NETNS, [NetworkRequest("podnet")])
    assert [each["config"]["cniVersion"] for each in bench.calls("ADD")] == ["1.1.0", "1.0.0", "0.4.0"]
    (record,) = bench.cni.attachments()
    assert record.version == "0.4.0"


async def test_a_plugin_of_the_first_days(bench: Bench) -> None:
    first = {"supported": ["0.1.0"]}
    bench.plugin(
        "bridge", VERSION=[{"error": {"code": 4, "msg": "unknown CNI_COMMAND: VERSION"}}], ADD=[first], DEL=[first]
    )
    bench.conf("podnet.conf", {"name": "podnet", "type": "bridge"})
    (attachment,) = await bench.cni.attach(POD, NETNS, [NetworkRequest("podnet")])
    await bench.cni.detach(POD, NETNS)
    assert attachment.ips == ("10.1.2.3/24",)
    assert attachment.gateway == "10.1.2.1"
    assert "prevResult" not in bench.calls("DEL")[0]["config"]


async def test_no_version_in_common_names_them(bench: Bench) -> None:
    bench.plugin("bridge", VERSION=[{"supported": ["0.1.0", "0.2.0"]}])
    bench.plugin("portmap")
    bench.conf("podnet.conf", {"name": "podnet", "type": "bridge"})
    with pytest.raises(NetworkFailure, match=r"0\.3\.0 or later in common \(bridge: 0\.1\.0, 0\.2\.0; portmap"):
        await bench.cni.attach(POD, NETNS, [NetworkRequest("podnet", port_mappings=(PortMapping(80, 80),))])
    assert bench.calls("ADD") == []


async def test_an_old_plugin_in_a_new_chain_is_translated_for_the_next(bench: Bench) -> None:
    bench.conflist("one", "two")
    bench.plugin("one", ADD=[{"result": {"cniVersion": "0.2.0", "ip4": {"ip": "10.4.4.4/8"}}}])
    (attachment,) = await bench.cni.attach(POD, NETNS, NET)
    previous = bench.calls("ADD")[1]["config"]["prevResult"]
    assert previous["cniVersion"] == "1.0.0"
    assert previous["ips"] == [{"address": "10.4.4.4/8"}]
    assert attachment.ips == ("10.4.4.4/8",)


async def test_check_gets_the_result_and_reports_damage(bench: Bench) -> None:
    bench.conflist("one", "two")
    bench.plugin("two", CHECK=[{"error": {"code": 100, "msg": "rule is gone"}}])
    await bench.cni.attach(POD, NETNS, NET)
    with pytest.raises(NetworkFailure, match="two failed on CHECK: rule is gone"):
        await bench.cni.check(POD)
    assert all(each["config"]["prevResult"]["ips"] for each in bench.calls("CHECK"))


@pytest.mark.parametrize("more", [{"version": "0.3.1"}, {"disableCheck": True}, {"disableCheck": "true"}])
async def test_check_is_not_called_where_it_must_not(bench: Bench, more: dict[str, Any]) -> None:
    bench.conflist("one", **more)
    await bench.cni.attach(POD, NETNS, NET)
    await bench.cni.check(POD)
    assert bench.calls("CHECK") == []


async def test_status_asks_plugins_of_1_1_0(bench: Bench) -> None:
    bench.conflist("one", version="1.1.0")
    bench.plugin("one", STATUS=[{"error": {"code": 50, "msg": "no daemon"}}, {}])
    with pytest.raises(NetworkFailure, match=r"STATUS: no daemon \(code 50\)"):
        await bench.cni.status("net")
    await bench.cni.status("net")
    bench.conflist("one", name="old", version="1.0.0")
    await bench.cni.status("old")
    assert bench.sequence("STATUS") == ["STATUS one"] * 2


async def test_a_bad_file_harms_its_own_network_only(bench: Bench) -> None:
    bench.conflist("one")
    bad = bench.conf("00-bad.conf", '{"name": "bad"')
    typeless = bench.conf("01-typeless.conf", {"name": "typeless"})
    await bench.cni.attach(POD, NETNS, NET)
    assert bench.cni.networks() == ("net",)
    assert [problem.subject for problem in bench.cni.problems()] == [str(bad), str(typeless)]
    with pytest.raises(InvalidConfig, match="type") as caught:
        await bench.cni.attach("pod-2", NETNS, [NetworkRequest("typeless")])
    assert caught.value.subject == str(typeless)


async def test_an_unknown_network_names_the_known(bench: Bench) -> None:
    bench.conflist("one")
    with pytest.raises(NotFound, match="net"):
        await bench.cni.attach(POD, NETNS, [NetworkRequest("other")])


async def test_a_missing_plugin_is_found_before_anything_is_started(bench: Bench) -> None:
    bench.plugin("one")
    plugins = [{"type": "one"}, {"type": "absent"}]
    bench.conf("net.conflist", {"cniVersion": "1.0.0", "name": "net", "plugins": plugins})
    with pytest.raises(NetworkFailure, match="plugin absent is not in"):
        await bench.cni.attach(POD, NETNS, NET)
    assert bench.calls() == []


async def test_a_plugin_that_vanishes_keeps_the_record(bench: Bench) -> None:
    bench.conflist("one")
    await bench.cni.attach(POD, NETNS, NET)
    moved = (bench.plugin_dir / "one").rename(bench.plugin_dir / "away")
    with pytest.raises(NetworkFailure, match="no executable of that name"):
        await bench.cni.detach(POD, NETNS)
    moved.rename(bench.plugin_dir / "one")
    await bench.cni.detach(POD, NETNS)
    assert bench.records() == []


async def test_an_unreadable_record_is_said_and_kept(bench: Bench) -> None:
    bench.conflist("one")
    await bench.cni.attach(POD, NETNS, NET)
    record = bench.state_dir / POD / "eth0.json"
    values = json.loads(record.read_text())
    for text in ("", "{", json.dumps({**values, "format": 9}), json.dumps({**values, "document": {}})):
        record.write_text(text)
        with pytest.raises(NetworkFailure, match="unreadable record") as caught:
            await bench.cni.detach(POD, NETNS)
        assert caught.value.subject == str(record)
    assert bench.calls("DEL") == []
