"""Real plugins, real namespaces: who reaches whom, and what is left when pods are gone."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from executor.cni import Attachment, Bandwidth, NetworkRequest, PortMapping, netns
from executor.cni.rules.lines import chain_names
from executor.errors import NetworkFailure
from tests.integration.cni.lab import Lab, inside, run

pytestmark = pytest.mark.root


async def test_pods_and_the_host_reach_each_other(lab: Lab) -> None:
    (one,) = await lab.up("pod-one")
    (two,) = await lab.up("pod-two")
    await lab.serve("pod-two", 80)
    assert await lab.ask(two.ips[0], 80, pod="pod-one") == ("pod-two", one.ips[0].split("/")[0])
    assert await lab.ask(two.ips[0], 80) == ("pod-two", lab.gateway)
    await lab.cni.check("pod-one")
    await lab.down("pod-one")
    await lab.down("pod-two")
    assert lab.clean(), lab.retries()


async def test_what_an_attachment_says_is_so(lab: Lab) -> None:
    (made,) = await lab.up("pod-one")
    link = run(*inside(lab.pin("pod-one"), "ip", "-o", "link", "show", "eth0"))
    address = run(*inside(lab.pin("pod-one"), "ip", "-o", "-4", "address", "show", "eth0"))
    assert made.mac in link
    assert made.ips[0] in address
    assert made.gateway == lab.gateway
    assert (made.dns.nameservers, made.dns.domain, made.dns.search) == ((lab.gateway,), "mesos", ("mesos",))
    assert lab.addresses() == {made.ips[0].split("/")[0]: "pod-one"}
    await lab.down("pod-one")


async def test_host_ports(lab: Lab) -> None:
    ports = (PortMapping(18080, 80), PortMapping(18081, 81, "tcp", lab.gateway))
    await lab.up("pod-web", NetworkRequest("podnet", port_mappings=ports))
    await lab.up("pod-other")
    await lab.serve("pod-web", 80)
    await lab.serve("pod-web", 81)
    for address, port in ((lab.gateway, 18080), ("127.0.0.1", 18080), (lab.gateway, 18081)):
        assert (await lab.ask(address, port))[0] == "pod-web"
    assert (await lab.ask(lab.gateway, 18080, pod="pod-other"))[0] == "pod-web"
    assert (await lab.ask(lab.gateway, 18080, pod="pod-web"))[0] == "pod-web"  # hairpin
    await lab.down("pod-web")
    await lab.down("pod-other")
    assert lab.clean(), lab.retries()


@pytest.mark.parametrize("damage", ["emptied", "garbage"])
async def test_a_process_undoes_what_it_made_without_its_records(lab: Lab, damage: str) -> None:
    """Somebody has removed or spoilt them: neither an address nor a rule stays."""
    cni = lab.runtime()
    await lab.up("pod-one", NetworkRequest("podnet", port_mappings=(PortMapping(18080, 80),)), cni=cni)
    if damage == "emptied":
        shutil.rmtree(lab.state_dir)
    else:
        for path in lab.state_dir.rglob("*.json"):
            path.write_bytes(b"\0garbage")
    await lab.down("pod-one", cni)
    assert lab.clean(), lab.retries()


async def test_two_networks(lab: Lab) -> None:
    second = {"type": "ptp", "ipam": lab.ipam(f"10.78.{lab.number}.0/24") | {"routes": []}}
    lab.conflist("second", second, {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}})
    wanted = (
        NetworkRequest("podnet", "eth0"),
        NetworkRequest("second", "eth1", port_mappings=(PortMapping(18090, 90),)),
    )
    first, other = await lab.up("pod-two", *wanted)
    assert (first.ifname, other.ifname) == ("eth0", "eth1")
    assert other.ips[0].startswith(f"10.78.{lab.number}.")
    await lab.serve("pod-two", 90)
    for address, port in ((first.ips[0], 90), (other.ips[0], 90), (lab.gateway, 18090)):
        assert (await lab.ask(address, port))[0] == "pod-two"
    await lab.down("pod-two")
    assert lab.clean(), lab.retries()


async def test_dual_stack(lab: Lab) -> None:
    lab.conf("podnet", lab.bridge_plugin(f"10.77.{lab.number}.0/24", f"fd00:77:{lab.number}::/64"))
    request = NetworkRequest("podnet", port_mappings=(PortMapping(18070, 70),))
    (one,) = await lab.up("pod-one", request)
    (two,) = await lab.up("pod-two")
    assert [":" in ip for ip in one.ips] == [False, True]
    await lab.serve("pod-one", 70)
    for ip, own in zip(one.ips, two.ips, strict=True):
        assert await lab.ask(ip, 70, pod="pod-two") == ("pod-one", own.split("/")[0])
    assert (await lab.ask(f"fd00:77:{lab.number}::1", 18070, pod="pod-two"))[0] == "pod-one"
    await lab.down("pod-one")
    await lab.down("pod-two")
    assert lab.clean(), lab.retries()


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0"])
async def test_a_point_to_point_network_in_every_version(lab: Lab, version: str) -> None:
    lab.conflist("ptp", {"type": "ptp", "ipMasq": True, "ipam": lab.ipam()}, version=version)
    (made,) = await lab.up("pod-one", NetworkRequest("ptp"))
    await lab.serve("pod-one", 80)
    assert (await lab.ask(made.ips[0], 80))[0] == "pod-one"
    await lab.cni.check("pod-one")
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()


async def test_the_loopback_plugin(lab: Lab) -> None:
    lab.conflist("lo", {"type": "loopback"})
    (made,) = await lab.up("pod-one", NetworkRequest("lo", "lo"))
    assert "127.0.0.1/8" in made.ips
    await lab.cni.check("pod-one")
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()


async def test_a_wanted_address_and_mac(lab: Lab) -> None:
    wanted = f"10.77.{lab.number}.99/24"
    (made,) = await lab.up("pod-one", NetworkRequest("podnet", mac="02:77:00:00:00:63", ips=(wanted,)))
    assert (made.ips, made.mac) == ((wanted,), "02:77:00:00:00:63")
    with pytest.raises(NetworkFailure, match=r"is not available in range.*ask for a free address"):
        await lab.up("pod-two", NetworkRequest("podnet", ips=(wanted,)))
    await lab.down("pod-two")
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()


async def test_bandwidth(lab: Lab) -> None:
    limits = Bandwidth(ingress_bits_per_s=8_000_000, egress_bits_per_s=16_000_000)
    await lab.up("pod-one", NetworkRequest("podnet", bandwidth=limits))
    shaping = run("tc", "qdisc", "show")
    assert "rate 8Mbit" in shaping
    assert "rate 16Mbit" in shaping
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()


async def test_a_damaged_attachment_is_found(lab: Lab) -> None:
    await lab.up("pod-one")
    await lab.cni.check("pod-one")
    run(*inside(lab.pin("pod-one"), "ip", "address", "flush", "dev", "eth0"))
    with pytest.raises(NetworkFailure, match="bridge failed on CHECK"):
        await lab.cni.check("pod-one")
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()


async def test_rules_go_though_the_pod_changed_its_address_or_the_namespace_is_gone(lab: Lab) -> None:
    ports = NetworkRequest("podnet", port_mappings=(PortMapping(18080, 80),))
    await lab.up("pod-one", ports)
    await lab.up("pod-two", ports)
    await lab.up("pod-12", NetworkRequest("podnet"))
    run(*inside(lab.pin("pod-one"), "ip", "address", "flush", "dev", "eth0"))
    await netns.destroy(lab.pin("pod-two"))
    await lab.down("pod-one")
    await lab.down("pod-two")
    others, _ = chain_names("podnet", "pod-12")
    assert lab.rules()
    assert [rule for rule in lab.rules() if others not in rule] == []
    await lab.down("pod-12")
    assert lab.clean(), lab.retries()


async def test_a_full_range_says_what_to_do(lab: Lab) -> None:
    lab.conf("podnet", lab.bridge_plugin(f"10.77.{lab.number}.0/30"))
    await lab.up("pod-one")
    with pytest.raises(NetworkFailure, match=r"no IP addresses available.*enlarge the range"):
        await lab.up("pod-two")
    await lab.down("pod-two")
    assert set(lab.addresses().values()) == {"pod-one"}
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()


async def test_an_edited_configuration_does_not_break_del(lab: Lab) -> None:
    await lab.up("pod-one", NetworkRequest("podnet", port_mappings=(PortMapping(18080, 80),)))
    lab.conf("podnet", {"type": "ptp", "ipam": {"type": "static"}})
    await lab.down("pod-one")
    assert lab.clean(), lab.retries()


async def test_the_next_executor_detaches_what_the_dead_one_attached(lab: Lab) -> None:
    await lab.up("pod-one", NetworkRequest("podnet", port_mappings=(PortMapping(18080, 80),)))
    successor = lab.runtime()
    assert [(record.container_id, record.complete) for record in successor.attachments()] == [("pod-one", True)]
    await lab.down("pod-one", successor)
    assert lab.clean(), lab.retries()


async def test_twenty_at_a_time_leave_nothing(lab: Lab) -> None:
    async def cycle(number: int) -> Attachment:
        ports = (PortMapping(19000 + number, 80),) if number % 2 else ()
        (made,) = await lab.up(f"pod-{number}", NetworkRequest("podnet", port_mappings=ports))
        return made

    for _ in range(2):
        made = await asyncio.gather(*(cycle(number) for number in range(20)))
        assert len({attachment.ips for attachment in made}) == 20
        assert len(lab.addresses()) == 20
        await asyncio.gather(*(lab.down(f"pod-{number}") for number in range(20)))
        assert lab.clean(), lab.retries()
