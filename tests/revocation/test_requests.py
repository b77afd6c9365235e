"""What frameworks may send, however odd, twice or in any order: each is answered, and only what it asks for is done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.mesos.http import CallError
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.operator import Operator
from tests.support.mesos.scheduler import CAPABILITIES, Scheduler, UnexpectedError
from tests.support.revoking import PREEMPTED, STUBBORN, events, how, regular, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

ALL = '"select": {"all": true}'
WRONG = {
    "a date that is none": f'{ALL}, "grace": 1e12',
    "the largest number": f'{ALL}, "grace": 1e308',
    "a number without end": f'{ALL}, "grace": {"9" * 400}',
    "a number without end as a text": f'{ALL}, "grace": "{"9" * 400}s"',
    "no number": f'{ALL}, "deadline": NaN',
    "half a letter": f'{ALL}, "reason": "\\ud800"',
    "a task of half a letter": '"select": {"tasks": ["\\ud800"]}',
    "a role that cannot be": '"select": {"roles": ["*", "a\\u0000b"]}',
    "less than nothing": '"reclaim": {"cpus": -1}',
    "nothing": '"reclaim": {"mem": 0}',
    "more than there is": '"reclaim": {"cpus": 50}',
    "more than there is, as a rehearsal": '"reclaim": {"cpus": 50}, "dry_run": true',
    "more than can be counted": f'"reclaim": {{"cpus": {"9" * 400}}}',
    "an amount that is none": '"reclaim": {"mem": Infinity}',
}
NO_REQUEST = (b"", b"[]", b"\xff\xfe{", b"[" * 100_000, b'{"revoke": 7}', b'{"revoke": {}, "revoked": {}}')
ODD = "two\nlines, \x00 \x1b[31m \U0001f600 \u202e'\""


def answers(scheduler: Scheduler, agent: str, *sent: bytes) -> list[dict[str, Any]]:
    mark = scheduler.mark()
    for data in sent:
        scheduler.message(agent, "mixed", data)
    scheduler.wait(lambda: len(scheduler.messages(start=mark)) >= len(sent) or None, 20, lambda: "not all are answered")
    return [json.loads(data) for data in scheduler.messages(start=mark)]


def test_what_cannot_be_done_is_answered_by_its_id_and_touches_nothing(rig: Rig, scheduler: Scheduler) -> None:
    agent = run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    before = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
    names = {name: f"r-{number}" for number, name in enumerate(WRONG)}
    sent = [f'{{"revoke": {{"id": "{names[name]}", {fields}}}}}'.encode() for name, fields in WRONG.items()]
    told = {answer["error"]["id"]: answer["error"] for answer in answers(scheduler, agent, *sent)}
    for name, identity in names.items():
        assert told[identity]["subject"] and len(told[identity]["message"]) < 200, name
    for answer in answers(scheduler, agent, *NO_REQUEST):
        assert answer["error"]["message"] and "id" not in answer["error"]
    assert {pod["name"]: rig.processes(pod) for pod in rig.pods()} == before
    assert events(rig, "executor.defect") == events(rig, "revocation.step") == []


def test_a_task_that_ended_by_itself_holds_up_none_of_the_others(rig: Rig, scheduler: Scheduler) -> None:
    """A framework cannot know yet."""
    agent = run(
        rig, scheduler, rig.pod("short", revocable=True, command=("sleep", "0.1")), rig.pod("long", revocable=True)
    )
    scheduler.wait_status("short", "TASK_FINISHED", 20)
    both = '{"revoke": {"id": "both", "select": {"tasks": ["short", "long"]}}}'
    stranger = '{"revoke": {"id": "stranger", "select": {"tasks": ["long", "nobody"]}}}'
    refused, done = answers(scheduler, agent, stranger.encode(), both.encode())
    assert refused["error"]["subject"] == "task nobody"
    assert [victim["tasks"] for victim in done["revocation"]["victims"]] == [["long"]]
    assert "1 of the 2 named tasks had ended already" in done["revocation"]["steps"][0]["effect"]
    assert how(scheduler.wait_status("long", "TASK_GONE", 20)) == PREEMPTED


def test_a_reason_of_odd_letters_arrives_as_it_is(rig: Rig, scheduler: Scheduler) -> None:
    identity = "9" + "_.:-aZ" * 21 + "x"
    agent = run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    request = {"id": identity, "reason": ODD, "grace": "1s", "select": {"all": True}}
    (answer,) = answers(scheduler, agent, json.dumps({"revoke": request}).encode())
    assert (answer["revocation"]["id"], answer["revocation"]["reason"]) == (identity, ODD)
    status = scheduler.wait_status("batch", "TASK_GONE", 20)
    labels = {label["key"]: label["value"] for label in status.raw["labels"]["labels"]}
    assert (labels["revocation"], labels["revocation.reason"]) == (identity, ODD)
    assert "\x1b" not in rig.command("why", "batch").stdout


def test_labels_of_odd_letters_are_compared_whole(rig: Rig, scheduler: Scheduler) -> None:
    labels = {"example.com/tier": "a.b_c-d", "empty": ""}
    run(
        rig,
        scheduler,
        rig.pod("web", metadata={"labels": labels}),
        rig.pod("low", revocable=True, metadata={"labels": labels}),
        rig.pod("other", revocable=True, metadata={"labels": {"example.com/tier": "a.b_c-dd", "empty": ""}}),
    )
    for none in ("example.com/tier=a.b", "tier=a.b_c-d", "empty=x", "other="):
        assert rig.json("revoke", "--label", none)["victims"] == []
    receipt = rig.json("revoke", "--label", "example.com/tier=a.b_c-d", "--label", "empty=")
    assert [victim["tasks"] for victim in receipt["victims"]] == [["low"]]
    assert {pod["name"] for pod in rig.pods()} >= {"web", "other"}


def launch_as(rig: Rig, scheduler: Scheduler, role: str, *tasks: dict[str, Any]) -> None:
    """All into one executor, which the master allows; what is offered to other roles is given back until it comes."""
    for _ in range(10):
        try:
            scheduler.launch(list(tasks), rig.executor(), role=role, timeout_s=2)
            break
        except UnexpectedError:
            scheduler.accept([offer["id"]["value"] for offer in scheduler.offers()], [], refuse_s=3)
    for task in tasks:
        scheduler.wait_status(task["name"], "TASK_RUNNING", 30)


def test_a_role_is_not_another_one_that_begins_like_it(rig: Rig) -> None:
    with rig.scheduler(name="roles", roles=("a", "ab", "a/b")) as scheduler:
        for role, name in (("a", "top"), ("ab", "like"), ("a/b", "below")):
            launch_as(rig, scheduler, role, rig.pod(name, revocable=True), rig.pod(f"{name}-web"))
        assert len({pod["cgroup"].partition("/pods/")[0] for pod in rig.pods()}) == 1, "one executor"
        before = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
        assert [each["tasks"] for each in rig.json("revoke", "--role", "b")["victims"]] == []
        for role, expected in (("a", {"top", "below"}), ("ab", {"like"})):
            receipt = rig.json("revoke", "--role", role)
            assert {task for victim in receipt["victims"] for task in victim["tasks"]} == expected
            assert receipt["state"] == "done" and receipt["regular"]["pods"] == 3 and receipt["regular"]["unchanged"]
            for name in expected:
                assert how(scheduler.wait_status(name, "TASK_GONE", 20)) == PREEMPTED
                del before[name]
            assert {pod["name"]: rig.processes(pod) for pod in rig.pods() if pod["name"] in before} == before
    assert not any((leaks := rig.wait_clean()).values()), leaks


def test_messages_that_come_twice_and_in_any_order(rig: Rig, scheduler: Scheduler) -> None:
    """The harder request is there before the softer one, and each of them three times over."""
    agent = run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True, command=STUBBORN) for n in range(3)))
    before = regular(rig)
    hard = json.dumps({"revoke": {"id": "hard", "select": {"tasks": ["b0", "b1"]}}}).encode()
    soft = json.dumps({"revoke": {"id": "soft", "select": {"all": True}, "grace": "1s"}}).encode()
    rehearsal = json.dumps({"revoke": {"id": "soft", "select": {"all": True}, "dry_run": True}}).encode()
    found = answers(scheduler, agent, rehearsal, hard, soft, hard, soft, soft, hard)
    done = [answer["revocation"] for answer in found if answer["revocation"]["state"] == "done"]
    assert sorted(receipt["id"] for receipt in done) == ["hard"] * 3 + ["soft"] * 3
    for identity in ("hard", "soft"):
        receipts = [receipt for receipt in done if receipt["id"] == identity]
        assert all(receipt == receipts[0] for receipt in receipts), "one revocation, one receipt"
        assert [event["revocation"] for event in events(rig, "revocation.receipt")].count(identity) == 1
    assert [event["revocation"] for event in events(rig, "revocation.dry_run")] == ["soft"]
    for n in range(3):
        status = scheduler.wait_status(f"b{n}", "TASK_GONE", 20)
        assert how(status) == PREEMPTED and scheduler.states(f"b{n}").count("TASK_GONE") == 1
    assert regular(rig) == before


def test_a_framework_that_knows_neither_killing_nor_gone(rig: Rig) -> None:
    able = [each for each in CAPABILITIES if each not in ("PARTITION_AWARE", "TASK_KILLING_STATE")]
    with rig.scheduler(name="old", capabilities=able) as scheduler:
        run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
        assert rig.json("revoke", "--all", "--grace", "1s", "--id", "old")["state"] == "done"
        status = scheduler.wait_status("batch", TERMINAL, 20)
        assert how(status) == ("TASK_LOST", *PREEMPTED[1:]) and "TASK_KILLING" not in scheduler.states("batch")
        assert {"key": "revocation", "value": "old"} in status.raw["labels"]["labels"]
        assert "web" in regular(rig)
    assert not any((leaks := rig.wait_clean()).values()), leaks


def reactivated(operator: Operator, agent_id: str) -> bool:
    """The master does that once it has taken the acknowledgement of the last end."""
    try:
        operator.reactivate(agent_id)
    except CallError as error:
        if "DRAINING" not in str(error):
            raise
        return False
    return True


def test_draining_the_agent_ends_both_classes_within_its_grace(rig: Rig) -> None:
    operator = rig.cluster.master.operator
    with rig.scheduler(name="drained") as scheduler:
        run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True, command=STUBBORN))
        operator.drain(rig.agent.agent_id, max_grace_s=1)
        try:
            for task in ("web", "batch"):
                status = scheduler.wait_status(task, TERMINAL, 20)
                assert how(status) == ("TASK_KILLED", "REASON_AGENT_DRAINING", "SOURCE_EXECUTOR")
                assert "TASK_KILLING" in scheduler.states(task)
        finally:
            assert wait_for(lambda: reactivated(operator, rig.agent.agent_id) or None, 10), "it is still being drained"
    assert not any((leaks := rig.wait_clean()).values()), leaks
