"""How a network is fitted to a request: capabilities, versions, CHECK and STATUS, faulty configurations."""

from __future__ import annotations

from typing import Any

import pytest

from executor.cni import Bandwidth, NetworkRequest, PortMapping
from executor.cni.config.catalog import Catalog
from executor.errors import InvalidConfig, NetworkFailure, NotFound
from tests.unit.cni.bench import NET, NETNS, POD, Bench


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
    assert [problem.subject for problem in Catalog(bench.config_dir).problems()] == [str(bad), str(typeless)]
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
