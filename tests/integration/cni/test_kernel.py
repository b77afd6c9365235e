"""The kernel's word of attached pods: compared with what the plugins said, once and after changes; counters."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from executor.cni import Attachment
from executor.names import PodClass, PodId
from executor.netlink import NetworkWatch, Traffic
from executor.netlink.comparison import differences
from executor.netlink.namespaces import own, visit
from executor.netlink.requests import links, namespace, traffic
from executor.node.inventory import altered_networks
from tests.integration.cni.lab import Lab, inside, run
from tests.integration.cni.test_erased_rules import told

pytestmark = pytest.mark.root
ONE, TWO = PodId("pod-one"), PodId("pod-two")
T = TypeVar("T")
PATIENCE_S = 20.0


async def until(condition: Callable[[], T | None]) -> T:
    async with asyncio.timeout(PATIENCE_S):
        while not (found := condition()):  # noqa: ASYNC110 - the kernel sets no event
            await asyncio.sleep(0.02)
    return found


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@asynccontextmanager
async def watching(*pods: tuple[PodId, PodClass, Path, tuple[Attachment, ...]]) -> AsyncIterator[NetworkWatch]:
    watch = NetworkWatch()
    for each in pods:
        watch.attached(*each)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def one(found: list[dict[str, Any]], code: str) -> dict[str, Any] | None:
    return next((each for each in found if each["code"] == code), None)


async def test_the_kernel_has_what_the_plugins_said(lab: Lab) -> None:
    lab.conf("podnet", lab.bridge_plugin(f"10.77.{lab.number}.0/24", f"fd77:{lab.number}::/64"))
    made = await lab.up(ONE)
    (found,) = visit([lab.pin(ONE)], namespace)
    assert not isinstance(found, OSError)
    assert differences(made, found, own(links)) == ()
    eth0 = found.link("eth0")
    assert eth0 is not None and eth0.kind == "veth" and eth0.mac == made[0].mac and eth0.carrier
    routes = {each.destination: each.gateway for each in found.routes}
    assert routes["0.0.0.0/0"] == lab.gateway and "::/0" in routes
    shown = found.document()
    assert [each["ifname"] for each in shown["links"]] == ["eth0"]
    assert set(made[0].ips) <= set(shown["links"][0]["ips"])
    await lab.down(ONE)


async def test_a_plugin_that_said_what_it_did_not_do(lab: Lab) -> None:
    made = await lab.up(ONE)
    run(*inside(lab.pin(ONE), "ip", "address", "flush", "dev", "eth0"))
    with told() as lines:
        async with watching((ONE, PodClass.REGULAR, lab.pin(ONE), made)):
            line = await until(lambda: one(lines, "network.mismatch"))
    assert line["pod"] == ONE and f"eth0 has no address {made[0].ips[0]}" in line["text"] and line["hint"]
    assert "there is no route to 0.0.0.0/0" in line["text"]
    await lab.down(ONE)


async def test_a_look_at_the_records_of_a_node(lab: Lab) -> None:
    """As `doctor` does it."""
    await lab.up(ONE)
    await lab.up(TWO)
    records = lab.cni.attachments()
    assert altered_networks(records) == []
    run(*inside(lab.pin(ONE), "ip", "link", "del", "eth0"))
    found = altered_networks(records)
    assert {subject for subject, _ in found} == {record.subject for record in records if record.container_id == ONE}
    assert found[0][1] == "eth0 is not there"
    await lab.down(ONE)
    assert altered_networks([each for each in records if each.container_id == ONE]) == [], "its namespace has ended"
    await lab.down(TWO)


async def test_a_change_is_noticed_and_its_repair(lab: Lab) -> None:
    made, other = await lab.up(ONE), await lab.up(TWO)
    ip, pods = made[0].ips[0], [(ONE, made), (TWO, other)]
    async with watching(*((pod, PodClass.REGULAR, lab.pin(pod), each) for pod, each in pods)) as watch:
        await until(lambda: all(each.reported == () for each in watch._networks.values()))
        with told() as lines:
            run(*inside(lab.pin(ONE), "ip", "link", "set", "eth0", "down"))
            line = await until(lambda: one(lines, "network.changed"))
            assert line["pod"] == ONE and "eth0 is down" in line["text"]
            assert "eth0 is down" in watch.faults(ONE) and watch.faults(TWO) == ()
            run(*inside(lab.pin(ONE), "ip", "link", "set", "eth0", "up"))
            run(*inside(lab.pin(ONE), "ip", "route", "replace", "default", "via", lab.gateway))
            await until(lambda: one(lines, "network.restored"))
            assert watch.faults(ONE) == ()
        with told() as lines:  # of the node's side the pod itself hears nothing
            (veth,) = [each["name"] for each in other[0].result["interfaces"] if each["name"].startswith("veth")]
            run("ip", "link", "set", veth, "nomaster")
            line = await until(lambda: one(lines, "network.changed"))
            assert line["pod"] == TWO and f"{veth} is not a port of {lab.bridge}" in line["text"]
        state = await watch.state(ONE)
        assert state is not None and state[1] == () and any(each.ip == ip for each in state[0].addresses)
        assert await watch.state(PodId("pod-none")) is None
    await lab.down(ONE)
    await lab.down(TWO)


async def test_the_counters_of_living_and_ended_pods(lab: Lab) -> None:
    made, other = await lab.up(ONE), await lab.up(TWO)
    await lab.serve(TWO, 80)
    async with watching(
        (ONE, PodClass.REGULAR, lab.pin(ONE), made), (TWO, PodClass.REVOCABLE, lab.pin(TWO), other)
    ) as watch:
        await lab.ask(other[0].ips[0], 80, pod=ONE)
        living = await watch.traffic()
        assert living[ONE].sent_packets >= 4 and living[TWO].received_packets >= 4
        assert living[ONE].sent_bytes > 200 and living[TWO].received_bytes > 200
        await watch.detaching(ONE)
        await lab.down(ONE)
        sums = await watch.traffic_by_class()
        assert sums[PodClass.REGULAR].sent_packets >= living[ONE].sent_packets
        assert sums[PodClass.REVOCABLE].received_packets >= living[TWO].received_packets
        assert set(await watch.traffic()) == {TWO}
        await watch.detaching(ONE)  # once more is no harm
    await lab.down(TWO)


async def test_a_namespace_ends_with_its_pod(lab: Lab) -> None:
    """A socket in it would keep it for ever, with the veth's end on the node."""
    made = await lab.up(ONE)
    async with watching((ONE, PodClass.REGULAR, lab.pin(ONE), made)) as watch:
        await until(lambda: watch._networks[ONE].reported == ())
        before = open_files()
        await watch.detaching(ONE)
        assert open_files() == before - 1
        run("umount", str(lab.pin(ONE)))
        (veth,) = [each["name"] for each in made[0].result["interfaces"] if each["name"].startswith("veth")]
        await until(lambda: True if own(links).link(veth) is None else None)
    await lab.down(ONE)


async def test_what_cannot_be_read_is_told_once(lab: Lab) -> None:
    gone = lab.directory / "gone"
    with told() as lines:
        async with watching((ONE, PodClass.REGULAR, gone, ())) as watch:
            line = await until(lambda: one(lines, "network.unobserved"))
            watch.attached(TWO, PodClass.REGULAR, gone, ())
            await until(lambda: len(lines) >= 2 or None)
            assert await watch.traffic() == {ONE: Traffic(), TWO: Traffic()}
    assert line["pod"] == ONE and line["netns"] == str(gone)
    assert [each["pod"] for each in lines] == [ONE, TWO]


_COST = """
import sys, time, resource
def rss_kib(): return int(open("/proc/self/statm").read().split()[1]) * 4
import executor.dispatch.dispatcher, executor.netlink, executor.cni
before, at_s = rss_kib(), time.monotonic()
import executor.netlink.messages
print(rss_kib() - before, int((time.monotonic() - at_s) * 1e3), "pyroute2.iproute" in sys.modules)
"""


def test_pyroute2_is_cheap_in_the_executor() -> None:
    """The whole library would be 12 MB."""
    done = subprocess.run([sys.executable, "-c", _COST], capture_output=True, text=True, check=True)
    grown_kib, _, whole = done.stdout.split()
    assert int(grown_kib) < 3 << 10 and whole == "False"


async def test_many_namespaces_are_read_quickly(lab: Lab) -> None:
    made = await lab.up(ONE)
    paths = [lab.pin(ONE)] * 100
    found = visit(paths, traffic)
    assert not [each for each in found if isinstance(each, OSError)] and made
    await lab.down(ONE)
