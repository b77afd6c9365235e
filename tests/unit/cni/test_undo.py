"""Plugins that fail, hang, die or ask for patience: everything is undone, or on record."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from executor.cni import Cni, NetworkRequest
from executor.cni.records.cache import Cache
from executor.errors import NetworkFailure
from tests.unit.cni.bench import NET, NETNS, POD, Bench, running

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
    assert caught.value.hint == "correct the configuration of the network"


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


async def test_a_configuration_that_no_command_can_read_leaves_no_record(bench: Bench) -> None:
    bench.conflist("one", "two")
    unreadable = {"error": {"code": 999, "msg": "invalid CIDR address: this is not a subnet"}}
    bench.plugin("two", ADD=[unreadable], DEL=[unreadable])
    with pytest.raises(NetworkFailure) as caught:
        await bench.cni.attach(POD, NETNS, NET)
    assert caught.value.message == "plugin two failed on ADD: invalid CIDR address: this is not a subnet (code 999)"
    assert bench.sequence("DEL") == ["DEL two", "DEL one"], "what came before it is undone"
    assert bench.records() == []


async def test_a_plugin_that_had_its_way_is_not_believed_the_same_words(bench: Bench) -> None:
    bench.conflist("one", "two")
    refusal = {"error": {"code": 999, "msg": "no"}}
    bench.plugin("one", DEL=[refusal])
    bench.plugin("two", ADD=[refusal])
    with pytest.raises(NetworkFailure, match="could not be undone"):
        await bench.cni.attach(POD, NETNS, NET)
    assert len(bench.records()) == 1


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


async def test_hung_dels_share_one_limit_and_each_plugin_has_its_turn(bench: Bench) -> None:
    """A bounded release ends in time and does what can be done; what is left is on record for a later one."""
    for name, kinds in (("first", ("one", "two")), ("second", ("three", "four"))):
        bench.conflist(*kinds, name=name)
    requests = [NetworkRequest("first", "eth0"), NetworkRequest("second", "eth1")]
    await bench.cni.attach(POD, NETNS, requests)
    for kind in ("two", "three"):
        bench.plugin(kind, DEL=[{"hang": True}, {}])
    began_s = time.monotonic()
    with pytest.raises(
        NetworkFailure, match=r"three failed on DEL: did not end within .*two failed on DEL: did not end"
    ):
        await bench.cni.detach(POD, NETNS, limit_s=3.0)
    assert 1.0 < time.monotonic() - began_s < 6.0
    assert bench.sequence("DEL") == ["DEL four", "DEL three", "DEL two", "DEL one"]
    assert not any(running(each["pid"]) for each in bench.calls())
    assert bench.records() == [f"{POD}/eth0.json", f"{POD}/eth1.json"]
    await bench.cni.detach(POD, NETNS)
    assert bench.records() == []


async def test_a_slow_del_has_its_time_once_nothing_waits_for_it(bench: Bench) -> None:
    bench.conflist("slow")
    await bench.cni.attach(POD, NETNS, NET)
    bench.plugin("slow", DEL=[{"sleep": 1.5}])
    with pytest.raises(NetworkFailure, match="did not end within"):
        await bench.cni.detach(POD, NETNS, limit_s=0.5)
    await bench.cni.detach(POD, NETNS)
    assert bench.records() == []


async def test_patience_ends_with_the_limit(bench: Bench) -> None:
    bench.conflist("one")
    cni = Cni(bench.config_dir, [bench.plugin_dir], bench.state_dir, 20.0, retry_delays_s=(0.3,) * 50)
    await cni.attach(POD, NETNS, NET)
    bench.plugin("one", DEL=[{"error": {"code": 11, "msg": "later"}}])
    began_s = time.monotonic()
    with pytest.raises(NetworkFailure, match="later"):
        await cni.detach(POD, NETNS, limit_s=1.0)
    assert time.monotonic() - began_s < 5.0


RACE = (  # as portmap reports it from iptables v1.8.9 (nf_tables)
    "unable to create chain CNI-HOSTPORT-SETMARK: running [/usr/sbin/iptables -t nat -N CNI-HOSTPORT-SETMARK --wait]: "
    "exit status 4: iptables v1.8.9 (nf_tables):  CHAIN_USER_ADD failed (File exists): chain CNI-HOSTPORT-SETMARK\n"
)


@pytest.mark.parametrize("error", [{"code": 11, "msg": "later"}, {"code": 999, "msg": RACE}], ids=["code 11", "race"])
async def test_what_passes_is_tried_again_from_clean(bench: Bench, error: dict[str, Any]) -> None:
    bench.conflist("one", "two")
    later = {"error": error}
    bench.plugin("two", ADD=[later, later, {}], DEL=[{}, {}, later, {}], CHECK=[later, {}])
    await bench.cni.attach(POD, NETNS, NET)
    undone = ["ADD one", "ADD two", "DEL two", "DEL one"]
    assert bench.sequence() == [*undone, *undone, "ADD one", "ADD two"]
    await bench.cni.check(POD)
    assert bench.sequence("CHECK") == ["CHECK one", "CHECK two", "CHECK two"]
    await bench.cni.detach(POD, NETNS)
    assert bench.sequence("DEL")[4:] == ["DEL two", "DEL two", "DEL one"]


@pytest.mark.parametrize("fault", ["an error", "killed"])
async def test_a_failed_del_between_two_tries_is_repeated_first(bench: Bench, fault: str) -> None:
    bench.conflist("one", "two")
    bench.plugin("one", DEL=[FAULTS[fault], {}])
    bench.plugin("two", ADD=[{"error": {"code": 11, "msg": "later"}}, {}])
    await bench.cni.attach(POD, NETNS, NET)
    undone = ["DEL two", "DEL one"]
    assert bench.sequence() == ["ADD one", "ADD two", *undone, *undone, "ADD one", "ADD two"]


async def test_nothing_is_added_over_what_cannot_be_undone(bench: Bench) -> None:
    bench.conflist("one")
    bench.plugin("one", ADD=[{"error": {"code": 11, "msg": "later"}}, {}], DEL=[FAULTS["an error"]])
    with pytest.raises(NetworkFailure, match=r"later \(code 11\).*; and it could not be undone"):
        await bench.cni.attach(POD, NETNS, NET)
    assert len(bench.calls("ADD")) == 1
    assert bench.records() == [f"{POD}/eth0.json"]


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
    await bench.cni.attach("pod-sound", NETNS, NET)
    reaper = bench.runtime()
    record = bench.state_dir / POD / "eth0.json"
    values = json.loads(record.read_text())
    for text in ("", "{", json.dumps({**values, "format": 9}), json.dumps({**values, "document": {}})):
        record.write_text(text)
        with pytest.raises(NetworkFailure, match="unreadable record") as caught:
            await reaper.detach(POD, NETNS)
        assert caught.value.subject == str(record)
        assert [each.subject for each in Cache(bench.state_dir).readable()[1]] == [str(record)]
        assert [each.container_id for each in reaper.attachments()] == ["pod-sound"]
    assert bench.calls("DEL") == []
    await bench.cni.detach(POD, NETNS)  # what has made it needs no record
    assert bench.calls("DEL") != [] and not record.exists()
