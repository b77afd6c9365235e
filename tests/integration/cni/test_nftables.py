"""Rules that newer plugins write to nftables: found, swept, put back; with the plugins of containernetworking 1.9."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from executor.cni import Cni, NetworkRequest, PortMapping
from executor.cni.plugins.limit import Limit
from executor.cni.rules import nft, nft_objects, sweep
from tests.integration.cni.lab import Lab, run
from tests.integration.cni.test_erased_rules import kept, told, until
from tests.support.sources import ROOT

PLUGINS = ROOT / ".build/cni/1.9/bin"
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not PLUGINS.exists(), reason="packaging/prepare --with network downloads the plugins"),
]
WEB = NetworkRequest("podnet", port_mappings=(PortMapping(18080, 80),))
PORT = 18080
LIMIT_S = 10.0


@pytest.fixture
def nftables(lab: Lab) -> Iterator[Cni]:
    bridge = {**lab.bridge_plugin(), "ipMasqBackend": "nftables"}
    portmap = {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}}
    (lab.config_dir / "podnet.conf").unlink()
    lab.conflist("podnet", bridge, portmap)
    yield lab.runtime(PLUGINS)
    for family, table in nft_objects.TABLES:
        run("nft", "add", "table", family, table)
        run("nft", "delete", "table", family, table)


async def there() -> list[dict[str, Any]]:
    return await nft.listed(LIMIT_S) or []


async def rules() -> list[str]:
    """In the order of the kernel, without handles."""
    found = [nft_objects.bare(each["rule"]) for each in await there() if "rule" in each]
    return sorted(json.dumps(rule, sort_keys=True) for rule in found)


async def owners() -> frozenset[str]:
    return nft_objects.owners(await there())


async def test_an_attachment_has_rules_and_leaves_none(lab: Lab, nftables: Cni) -> None:
    await lab.up("pod-web", WEB, cni=nftables)
    await lab.up("pod-other", cni=nftables)
    await lab.serve("pod-web", 80)
    assert await lab.ask(lab.gateway, PORT) == ("pod-web", lab.gateway)
    assert await owners() == {"pod-web", "pod-other"} == await sweep.owners(LIMIT_S)
    records = {record.container_id: record for record in nftables.attachments()}
    assert {name: len(nft_objects.owned(await there(), nft.owner_of(record))) for name, record in records.items()} == {
        "pod-web": 4,  # one mapping, its two rules for hairpins, and the masquerade
        "pod-other": 1,
    }
    assert sweep.erased(await sweep.all_saved(LIMIT_S), await there(), records.values()) == ()
    await lab.down("pod-web", nftables)
    assert await owners() == {"pod-other"}
    await lab.down("pod-other", nftables)
    assert await owners() == frozenset()
    assert lab.clean(), lab.retries()


async def test_rules_that_the_plugins_forget_are_swept(lab: Lab, nftables: Cni) -> None:
    """bridge takes a masquerade away by the addresses that it finds in the namespace."""
    await lab.up("pod-web", WEB, cni=nftables)
    await lab.up("pod-other", cni=nftables)
    run("nsenter", f"--net={lab.pin('pod-web')}", "ip", "addr", "flush", "dev", "eth0")
    await lab.down("pod-web", nftables)
    assert await owners() == {"pod-other"}
    (record,) = nftables.attachments()
    assert await sweep.sweep(record, Limit(LIMIT_S, lambda: 0.0, None, 3)) == ()
    assert await owners() == frozenset()
    await lab.down("pod-other", nftables)
    assert lab.clean(), lab.retries()


ERASURES: dict[str, list[tuple[str, ...]]] = {
    "the ruleset": [("flush", "ruleset")],
    "the tables": [("delete", "table", "ip", nft_objects.PORTS), ("delete", "table", "inet", nft_objects.MASQUERADE)],
    "one chain of the pods": [("flush", "chain", "ip", nft_objects.PORTS, "hostports")],
    "what leads to the pods": [("flush", "chain", "inet", nft_objects.MASQUERADE, "postrouting")],
}


@pytest.mark.parametrize("what", ERASURES)
async def test_what_was_erased_is_put_back(lab: Lab, nftables: Cni, what: str) -> None:
    await lab.up("pod-web", WEB, cni=nftables)
    await lab.up("pod-other", cni=nftables)
    await lab.serve("pod-web", 80)
    async with kept(nftables):
        await until(lambda: len(nftables._keeper._nft._known) == 2)
        before = await rules()
        for _ in range(2):
            with told() as lines:
                for words in ERASURES[what]:
                    run("nft", *words)
                assert len(await rules()) < len(before)
                await until(lambda: lines)
                await until_equal(before)
                assert await lab.ask(lab.gateway, PORT) == ("pod-web", lab.gateway)
                assert {each["code"] for each in lines} == {"network.rules_restored"}, lines
        assert await rules() == before, "and nothing is there twice"
    await lab.down("pod-web", nftables)
    await lab.down("pod-other", nftables)
    assert await owners() == frozenset()
    assert lab.clean(), lab.retries()


async def until_equal(before: list[str]) -> None:
    for _ in range(150):
        if await rules() == before:
            return
        await asyncio.sleep(0.2)
    assert await rules() == before
