"""Requests by their ids, and what the framework hears, on a node without pods: nothing is left to do but to tell."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cgroups import Hierarchies, Tree
from executor import log
from executor.config import LogSection, RevocationSection
from executor.errors import NotFound, Refused
from executor.names import PodClass, PodId, RevocationId, TaskId
from executor.pod.resources.cpu_boost import CpuBoost
from executor.pod.runner import PodRunner
from executor.revocation.ladder import Ladder
from executor.revocation.messages import FrameworkMessages
from executor.revocation.receipt import Outcome, Receipt, State, Victim
from executor.revocation.receipts import Receipts, log_receipt
from executor.revocation.revoker import REMEMBERED, Listeners, Revoker

ALL = {"id": "r-1", "select": {"all": True}}


class Empty(list[PodRunner]):
    ended: Sequence[PodRunner] = ()
    coming: Sequence[TaskId] = ()


class Node:
    def __init__(self, directory: Path, pods: Empty | None = None) -> None:
        (directory / "mesos/pods/revocable").mkdir(parents=True)
        tree = Tree(Hierarchies({}, directory), "/mesos")
        self.given: list[Receipt] = []
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        boost = CpuBoost(tree.subtree(PodClass.REVOCABLE), tree.root)
        listeners = Listeners(self._on_receipt)
        self.revoker = Revoker(RevocationSection(), tree, boost, Empty() if pods is None else pods, listeners)
        self.receipts = Receipts(self._send)
        self.framework = FrameworkMessages(self.revoker, self.receipts, self._send)

    def _send(self, data: bytes) -> None:
        self.sent.put_nowait(json.loads(data))

    def _on_receipt(self, receipt: Receipt) -> None:
        self.given.append(receipt)
        self.receipts.give(receipt)

    async def message(self, **request: Any) -> dict[str, Any]:
        """What the framework is answered."""
        self.framework.take(json.dumps({"revoke": request}).encode())
        async with asyncio.timeout(5):
            answer = await self.sent.get()
        await asyncio.sleep(0.01)
        assert self.sent.empty(), "one answer"
        return answer


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_a_repeated_id_is_carried_out_once_whatever_way_it_comes(node: Node) -> None:
    first = node.revoker.take(ALL)
    second = node.revoker.take({**ALL, "reason": "asked again"})
    assert second.task is first.task and (first.repeated, second.repeated) == (False, True)
    receipt = await node.revoker.outcome(first)
    assert receipt.state is State.DONE and await node.revoker.outcome(second) is receipt
    assert len(node.given) == 1


async def test_what_is_known_of_a_revocation_that_is_over_holds_no_pod(node: Node) -> None:
    """A ladder holds its victims and every regular pod that was there."""
    taken = [node.revoker.take({**ALL, "id": f"r-{number}", "dry_run": number == 1}) for number in range(2)]
    taken.append(node.revoker.take({"id": "r-2", "select": {"tasks": ["a"]}}))
    await asyncio.wait([each.task for each in taken])
    await asyncio.sleep(0)
    gc.collect()
    assert [each.state for each in node.revoker.receipts()] == [State.DONE, State.DRY_RUN, State.REFUSED]
    assert not [each for each in gc.get_objects() if isinstance(each, Ladder)]
    assert isinstance(taken[2].task.exception(), NotFound)


async def test_a_request_that_is_sent_again_is_answered_again(node: Node) -> None:
    """A MESSAGE may get lost on either way."""
    first = await node.message(**ALL)
    assert first["revocation"]["state"] == "done"
    assert await node.message(**ALL) == first
    assert len(node.given) == 1


@pytest.mark.parametrize("change", [{"select": {"tasks": ["a"]}}, {"grace": "5s"}, {"dry_run": True}])
async def test_an_id_of_another_request_is_refused(node: Node, change: dict[str, Any]) -> None:
    """Nobody may take the receipt of something else for his own."""
    await node.message(**ALL)
    answer = await node.message(**(ALL | change))
    assert answer["error"]["subject"] == "revocation r-1" and answer["error"]["id"] == "r-1"
    with pytest.raises(Refused):
        node.revoker.take(ALL | change)
    assert len(node.given) == 1


async def test_a_dry_run_is_answered_and_its_id_may_be_used_for_the_real_thing(node: Node) -> None:
    answer = await node.message(**ALL, dry_run=True)
    assert answer["revocation"]["state"] == "dry-run"
    assert (await node.message(**ALL))["revocation"]["state"] == "done"


async def test_the_real_thing_does_not_wait_for_its_dry_run(node: Node) -> None:
    """Both are there before either has begun."""
    dry, real = node.revoker.take({**ALL, "dry_run": True}), node.revoker.take(ALL)
    assert (await node.revoker.outcome(dry)).state is State.DRY_RUN
    assert (await node.revoker.outcome(real)).state is State.DONE
    assert node.revoker.receipt(real.id).state is State.DONE and node.revoker.take(ALL).task is real.task


async def test_dry_runs_without_end_do_not_make_a_revocation_new(node: Node) -> None:
    first = await node.message(**ALL)
    for number in range(REMEMBERED + 1):
        await node.revoker.take({**ALL, "id": f"dry-{number}", "dry_run": True}).task
    assert await node.message(**ALL) == first and len(node.revoker.receipts()) <= REMEMBERED + 1


async def test_a_refused_request_is_told_with_its_id_and_may_be_tried_again(node: Node) -> None:
    wanted = {"id": "r-2", "select": {"tasks": ["nobody"]}}
    for _ in range(2):
        answer = await node.message(**wanted)
        assert (answer["error"]["id"], answer["error"]["subject"]) == ("r-2", "task nobody")
    with pytest.raises(NotFound):
        await node.revoker.outcome(node.revoker.take(wanted))


async def test_a_defect_in_the_proof_is_a_refusal_and_one_on_the_way_down_is_in_the_receipt(tmp_path: Path) -> None:
    faults: list[Exception | None] = [RuntimeError("one"), None, None, RuntimeError("two")]

    class Faulty(Empty):
        """The proof looks at the pods twice."""

        def __iter__(self) -> Iterator[PodRunner]:
            if faults and (fault := faults.pop(0)):
                raise fault
            return super().__iter__()

    node = Node(tmp_path, Faulty())
    refused = await node.message(**ALL)
    assert refused["error"]["id"] == "r-1" and refused["error"]["message"].endswith("one")
    assert [receipt.state for receipt in node.given] == [State.REFUSED]
    told = (await node.message(**ALL))["revocation"]
    assert told["state"] == "done" and "is not proven" in told["error"] and "two" in told["error"]


async def test_who_waits_may_go_and_the_revocation_goes_on(node: Node) -> None:
    taken = node.revoker.take(ALL)
    waiting = asyncio.ensure_future(node.revoker.outcome(taken))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await taken.task).state is State.DONE


async def test_a_dry_run_is_one_line_of_the_log(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    """It took nothing and did nothing to a pod, so the story of a pod does not tell of it."""
    log.configure(LogSection(format="json"), strict=True)
    descended = (await node.revoker.take({**ALL, "dry_run": True}).task).document()
    assert descended["state"] == "dry-run"
    meant = Victim(PodId("pod-1"), (TaskId("a"),), Outcome.WOULD_END, 1.0, cpus=0.1)
    log_receipt(Receipt(RevocationId("r-2"), "", State.DRY_RUN, (meant, replace(meant, cpus=0.2))))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["code"] for line in lines] == ["revocation.dry_run", "revocation.dry_run"]
    assert (lines[-1]["victims"], lines[-1]["freed_cpus"]) == (2, 0.3)
