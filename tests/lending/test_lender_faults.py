"""The lender is killed in each step: the next one goes on with the same accounts, and nothing is returned twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lending import Lender, borrow, borrower, demand, first_instruction, owner
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

NAMES = ["b0", "b1", "b2", "b3"]
STUBBORN = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")


def entries(lender: Lender) -> list[dict[str, object]]:
    path = lender.directory / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


def kinds(lender: Lender) -> Counter[tuple[str, str]]:
    return Counter((str(entry["entry"]), str(entry["task"])) for entry in entries(lender))


def settled(lender: Lender, batch: Scheduler, *, returned: int = 1) -> None:
    """Exactly so many pods returned, each loan was opened and closed once, and the offer is what is left."""
    now = lender.wait(lambda now: len(now["loans"]) == 4 - returned and now["offer"]["cpus"] == 4.0 - returned)
    ended = {each.task_id for each in batch.statuses() if each.state in TERMINAL}
    assert len(ended) == returned and {each["task"] for each in now["loans"]} == set(NAMES) - ended
    time.sleep(1.0)
    assert {each.task_id for each in batch.statuses() if each.state in TERMINAL} == ended
    counted = kinds(lender)
    assert all(counted["borrowed", name] == 1 for name in NAMES)
    assert all(counted["returned", name] == (name in ended) for name in NAMES)
    assert all(counted["asked", name] == (name in ended) for name in NAMES)


def demanded(rig: Rig, spark: Scheduler) -> Path:
    first = rig.directory / "first"
    first.unlink(missing_ok=True)
    demand(spark, "exec", 1.0, first)
    return first


@contextlib.contextmanager
def lent_out(rig: Rig) -> Iterator[tuple[Lender, Scheduler, Scheduler]]:
    """A lender, the owner's framework and the borrower's, which has four loans."""
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, NAMES)
        lender.wait(lambda now: len(now["loans"]) == 4)
        yield lender, spark, batch


def test_killed_before_it_has_heard_of_the_owners_task(rig: Rig) -> None:
    with lent_out(rig) as (lender, spark, batch):
        os.kill(lender.pid, signal.SIGSTOP)
        first = demanded(rig, spark)
        first_instruction(first)
        lender.stop(signal.SIGKILL)
        lender.start()
        settled(lender, batch)


def test_killed_after_the_ledger_was_written(rig: Rig) -> None:
    """At the first moment at which the file has it: before or after the executor was asked."""
    with lent_out(rig) as (lender, spark, batch):
        demanded(rig, spark)
        assert wait_for(lambda: True if any(e["entry"] == "asked" for e in entries(lender)) else None, 10, 0.001)
        lender.stop(signal.SIGKILL)
        lender.start()
        settled(lender, batch)


def test_killed_before_its_question_and_after_the_ledger(rig: Rig) -> None:
    """As if it had died between the two: the line is there, and no executor was asked."""
    with lent_out(rig) as (lender, spark, _):
        os.kill(lender.pid, signal.SIGSTOP)
        first = demanded(rig, spark)
        first_instruction(first)
        lender.stop(signal.SIGKILL)
        victim = next(entry for entry in entries(lender) if entry["entry"] == "borrowed")
        line = {"entry": "asked", "at": time.time(), "framework": victim["framework"], "task": "b0", "reason": "x"}
        with (lender.directory / "ledger.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        lender.start()
        lender.wait(lambda now: len(now["loans"]) == 3 and now["offer"]["cpus"] == 3.0)
        counted = kinds(lender)
        assert sum(count for (kind, _), count in counted.items() if kind == "returned") == 1
        assert max(counted.values()) == 1


def test_killed_while_a_victim_has_its_grace(rig: Rig) -> None:
    with Lender(rig, LENDING_GRACE_S="3") as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, NAMES, command=STUBBORN)
        lender.wait(lambda now: len(now["loans"]) == 4)
        demanded(rig, spark)
        assert wait_for(lambda: True if lender.lines("lending.asked") else None, 10, 0.01)
        time.sleep(0.5)
        lender.stop(signal.SIGKILL)
        lender.start()
        settled(lender, batch)


def test_the_agent_survives_a_lender_that_dies_again_and_again(rig: Rig) -> None:
    """Mesos 1.11 aborts where a provider subscribes before its last stream is known to have ended."""
    pid = rig.agent.log().count("Check failed")
    with Lender(rig) as lender, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, NAMES)
        lender.wait(lambda now: len(now["loans"]) == 4)
        provider = lender.status()["provider"]
        for _ in range(5):
            lender.stop(signal.SIGKILL)
            lender.log_path.write_text("")
            lender.start()
            assert wait_for(lambda: lender.lines("lending.subscribed") or None, 10, 0.01)
        now = lender.wait_offer(4.0)
        assert now["provider"] == provider and len(now["loans"]) == 4
        assert rig.agent.running and rig.agent.log().count("Check failed") == pid
        assert not [each for each in batch.statuses() if each.state in TERMINAL]
        counted = kinds(lender)
        assert all(counted["borrowed", name] == 1 for name in NAMES) and not counted["returned", "b0"]


def test_a_second_lender_is_refused_and_a_stopped_one_withdraws_its_offer(rig: Rig) -> None:
    with Lender(rig) as lender, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, ["b0"])
        config = str(rig.write_config(**lender.keys))
        second = rig.command("--config", config, "lend", check=False)
        assert second.returncode == 4 and "another lender runs on this node" in second.stderr
        assert lender.stop() == 0
        batch.wait_offers(lambda offers: not any("revocable" in r for o in offers for r in o["resources"]), 15)
        assert rig.command("lending", check=False).returncode == 3
        time.sleep(1)
        assert not [each for each in batch.statuses() if each.state in TERMINAL]


def test_systemd_hears_when_it_is_ready_and_that_it_lives(rig: Rig, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        lender = Lender(rig)
        lender.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        with lender:
            assert systemd.recv(100) == b"READY=1"
            begin_s = time.monotonic()
            heard = [systemd.recv(100) for _ in range(5)]
            assert set(heard) == {b"WATCHDOG=1"} and time.monotonic() - begin_s < 10
