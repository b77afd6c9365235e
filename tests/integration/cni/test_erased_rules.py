"""Rules that somebody erases under pods: put back by their own means, told of, and no obstacle to the pod's end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from executor import log
from executor.cni import Cni, NetworkRequest, PortMapping
from executor.cni.rules.lines import chain_names
from tests.integration.cni.faults import Fault, Faults
from tests.integration.cni.lab import Lab, run

pytestmark = pytest.mark.root
WEB = NetworkRequest("podnet", port_mappings=(PortMapping(18080, 80),))
PORT = 18080


def nat(*words: str) -> None:
    run("iptables", "-t", "nat", *words)


def flush_and_delete() -> None:
    nat("-F")
    nat("-X")


def delete_table() -> None:
    """As `nft flush ruleset` does. In a process of its own: pyroute2 wants no event loop around it."""
    run(sys.executable, "-c", "from pyroute2.nftables.main import NFTables; NFTables(2).table('del', name='nat')")


ERASURES: dict[str, Callable[[], None]] = {
    "iptables -F": lambda: nat("-F"),
    "-F and -X": flush_and_delete,
    "nft flush": delete_table,
    "-F PREROUTING": lambda: nat("-F", "PREROUTING"),
    "-F POSTROUTING": lambda: nat("-F", "POSTROUTING"),
}


@contextmanager
def told(prefix: str = "network.") -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def take(line: Any) -> None:
        if str(line["code"]).startswith(prefix):
            found.append(dict(line))

    remove = log.add_sink(take)
    try:
        yield found
    finally:
        remove()


@asynccontextmanager
async def kept(cni: Cni) -> AsyncIterator[None]:
    task = asyncio.create_task(cni.keep_rules())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object], limit_s: float = 30.0) -> None:
    end_s = asyncio.get_running_loop().time() + limit_s
    while not condition():
        assert asyncio.get_running_loop().time() < end_s, "it never came"
        await asyncio.sleep(0.05)


def rules() -> set[str]:
    return {line for line in run("iptables-save", "-t", "nat").splitlines() if line.startswith("-A ")}


async def learnt(cni: Cni, *pods: str) -> None:
    """The keeper has read the rules of these pods."""
    await until(lambda: {key.container_id for key in cni._keeper._known["iptables"]} == set(pods))


@pytest.mark.parametrize("how", ["iptables -F", "nft flush", "-F PREROUTING", "-F POSTROUTING"])
async def test_what_was_erased_is_put_back(lab: Lab, how: str) -> None:
    await lab.up("pod-web", WEB)
    await lab.up("pod-other")
    await lab.serve("pod-web", 80)
    async with kept(lab.cni):
        await learnt(lab.cni, "pod-web", "pod-other")
        before = rules()
        with told() as lines:
            ERASURES[how]()
            assert rules() < before
            await until(lambda: rules() == before)
            assert await lab.ask(lab.gateway, PORT) == ("pod-web", lab.gateway)
            await until(lambda: "pod-web" in {each["pod"] for each in lines})
        assert {each["code"] for each in lines} == {"network.rules_restored"}, lines
    await lab.down("pod-web")
    await lab.down("pod-other")
    assert lab.clean(), lab.retries()


async def test_what_was_erased_before_it_was_read_is_put_back(lab: Lab) -> None:
    """As by a firewall's reload right after a launch, and again and again after that."""
    await lab.up("pod-other")
    async with kept(lab.cni):
        await learnt(lab.cni, "pod-other")
        await lab.up("pod-web", WEB)
        assert any("pod-web" in rule for rule in rules())
        with told() as lines:
            flush_and_delete()
            await lab.serve("pod-web", 80)
            await until(lambda: {"pod-web"} <= {each["pod"] for each in lines})
            assert await lab.ask(lab.gateway, PORT) == ("pod-web", lab.gateway)
            for _ in range(2):
                before, count = rules(), len(lines)
                flush_and_delete()
                await until(lambda: rules() == before and len(lines) > count)  # noqa: B023
            assert {each["code"] for each in lines} == {"network.rules_restored"}, lines
    await lab.down("pod-web")
    await lab.down("pod-other")
    assert lab.clean(), lab.retries()


@pytest.mark.parametrize("how", ["-F and -X", "nft flush"])
async def test_a_pod_whose_rules_are_gone_can_end(lab: Lab, how: str) -> None:
    """Nobody keeps the rules here: bridge alone would fail for ever at a chain that is missing."""
    await lab.up("pod-web", WEB)
    ERASURES[how]()
    await lab.down("pod-web")
    assert lab.clean(), lab.retries()


async def test_a_pod_whose_rules_are_gone_can_end_with_legacy_tables(lab: Lab, tmp_path: Path) -> None:
    """iptables' legacy variant has other words, and no notifications."""
    for program in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            (tmp_path / f"{program}{suffix}").symlink_to(f"/usr/sbin/{program}-legacy{suffix}")
    run("mount", "--bind", str(tmp_path), "/usr/local/sbin")  # in the test run's own mount namespace
    try:
        await lab.up("pod-web", WEB)
        assert "pod-web" in run("iptables-legacy-save", "-t", "nat")
        run("iptables-legacy", "-t", "nat", "-F")
        run("iptables-legacy", "-t", "nat", "-X")
        await lab.down("pod-web")
        assert "pod-web" not in run("iptables-legacy-save", "-t", "nat")
    finally:
        run("umount", "/usr/local/sbin")
    assert lab.clean(), lab.retries()


async def test_rules_of_a_pod_that_ended_do_not_come_back(lab: Lab) -> None:
    await lab.up("pod-web", WEB)
    await lab.up("pod-other")
    async with kept(lab.cni):
        await learnt(lab.cni, "pod-web", "pod-other")
        await lab.down("pod-web")
        nat("-F")
        await until(lambda: any("pod-other" in rule for rule in rules()))
        assert not any("pod-web" in rule for rule in rules())
    await lab.down("pod-other")
    assert lab.clean(), lab.retries()


async def test_what_cannot_be_put_back_is_told_and_tried_again(lab: Lab) -> None:
    faults = Faults(lab.directory / "shims")
    cni = lab.runtime(faults.plugins)
    await lab.up("pod-web", WEB, cni=cni)
    await lab.serve("pod-web", 80)
    async with kept(cni):
        await learnt(cni, "pod-web")
        before = rules()
        faults.plant(Fault("portmap", "ADD", "fails before"), "pod-web")
        with told() as lines:
            flush_and_delete()
            await until(lambda: [each for each in lines if each["code"] == "network.rules_lost"])
            (lost,) = lines
            assert lost["pod"] == "pod-web" and "injected" in lost["error"]
            assert lost["text"] in cni.lost_rules("pod-web") and cni.lost_rules("pod-other") == ()
            masquerade = chain_names("podnet", "pod-web")[0]
            assert any(f"-j {masquerade}" in rule for rule in rules()), "what does not depend on portmap is there"
            nat("-N", "SOMEBODY")
            nat("-X", "SOMEBODY")  # the next occasion
            await until(lambda: rules() == before)
            await until(lambda: lines[-1]["code"] == "network.rules_restored")
            assert cni.lost_rules("pod-web") == ()
        assert await lab.ask(lab.gateway, PORT) == ("pod-web", lab.gateway)
    await lab.down("pod-web", cni)
    assert lab.clean(), lab.retries()
