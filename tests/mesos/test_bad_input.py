"""Bad input of every kind under a real agent: one clear error for whoever sent it, and everybody else goes on.

All bad tasks are sent at once, between pods that are in order, to one executor. A message says what is wrong, where,
and how to correct it; it is judged to the letter, for people read it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.mesos.bad_pods import DATA, INVALID, NETWORKS, PODS, Bad
from tests.support.mesos import messages
from tests.support.mesos.history import Status
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def pod(rig: Rig, name: str, bad: Bad) -> dict[str, Any]:
    return rig.pod(name, container=bad.container, spec=bad.spec) | bad.task


def raw(name: str) -> dict[str, Any]:
    data, _ = DATA[name]
    return messages.task_info(name, [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)], data=data)


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="bad input") as framework:
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


@pytest.fixture(scope="module")
def agent(rig: Rig, scheduler: Scheduler) -> str:
    """Where one regular and one revocable pod run."""
    agent = scheduler.launch([rig.pod("fine"), rig.pod("lent", revocable=True)], rig.executor())
    for name in ("fine", "lent"):
        scheduler.wait_status(name, "TASK_RUNNING", 30)
    return agent


@pytest.fixture(scope="module")
def refused(rig: Rig, scheduler: Scheduler, agent: str) -> Iterator[dict[str, Status]]:
    """The end of each bad task, all sent at once. What ran before runs on; what is in order among them runs."""
    for name, text in NETWORKS.items():
        (rig.cni_config / name).write_text(text)
    before = processes(rig)
    bad = [raw(name) for name in DATA] + [pod(rig, name, case) for name, case in PODS.items()]
    scheduler.launch([*bad[:20], rig.pod("also-fine"), *bad[20:]], rig.executor())
    ends = {name: scheduler.wait_status(name, TERMINAL, 60) for name in (*DATA, *PODS)}
    scheduler.wait_status("also-fine", "TASK_RUNNING", 30)
    after = processes(rig)
    assert {name: after[name] for name in before} == before
    yield ends
    for name in NETWORKS:
        (rig.cni_config / name).unlink()


def processes(rig: Rig) -> dict[str, Any]:
    return {pod["name"]: rig.processes(pod) for pod in rig.pods() if pod["name"] in ("fine", "lent", "also-fine")}


@pytest.mark.parametrize("name", DATA)
def test_bytes_that_are_no_pod(refused: dict[str, Status], name: str) -> None:
    end = refused[name]
    assert (end.state, end.reason, end.message) == ("TASK_FAILED", INVALID, f"TaskInfo.data: {DATA[name][1]}")


@pytest.mark.parametrize("name", PODS)
def test_a_pod_that_cannot_work(refused: dict[str, Status], name: str) -> None:
    end, bad = refused[name], PODS[name]
    if bad.message.startswith("^"):
        assert re.fullmatch(bad.message[1:], end.message)
    else:
        assert end.message == bad.message
    assert (end.state, end.reason) == ("TASK_FAILED", bad.reason)
    assert "\n" not in end.message and len(end.message) < 500


def test_nothing_of_it_was_a_defect_and_nothing_is_left(
    rig: Rig, scheduler: Scheduler, refused: dict[str, Status]
) -> None:
    codes = {line.get("code") for line in rig.journal("mixed", scheduler)}
    assert "pod.refused" in codes
    assert not codes & {"executor.defect", "pod.defect", "pod.illegal_transition", "pod.leaked", "pod.stuck"}
    assert wait_for(lambda: {pod["name"] for pod in rig.pods()} == {"fine", "lent", "also-fine"} or None, 15)


ONE_KEY = 'must be an object with the one key "revoke" or "update" or "resize" or "list"'
REVOKE = 'send {"revoke": {"select": {"all": true}}}'
MESSAGES = {
    "other-bytes": (b"\xff\x00", "MESSAGE", r"is not JSON: .*", 'send {"revoke": {...}}'),
    "nothing": (b"", "MESSAGE", r"is not JSON: .*", 'send {"revoke": {...}}'),
    "deep": (b"[" * 100_000, "MESSAGE", r"is not JSON: .*", 'send {"revoke": {...}}'),
    "a-list": (b"[]", "MESSAGE", ONE_KEY, REVOKE),
    "another-word": (b'{"kamikaze": {}}', "MESSAGE", ONE_KEY, REVOKE),
    "no-object": (b'{"revoke": 1}', "revoke", "must be an object, not int", ""),
    "nothing-chosen": (b'{"revoke": {}}', "revoke", "exactly one of select and reclaim must be there", ""),
    "a-field-too-many": (
        b'{"revoke": {"selector": {}}}',
        "revoke.selector",
        "is not a field of this request",
        "known: id, reason, select, reclaim, grace, deadline, dry_run",
    ),
    "all-but": (b'{"revoke": {"select": {"all": "yes"}}}', "revoke.select.all", "must be true", ""),
    "no-role": (
        b'{"revoke": {"select": {"roles": ["../eng"]}}}',
        "revoke.select.roles",
        "'../eng' is not a Mesos role",
        'write it as "eng/dev", or "*"',
    ),
    "an-id-that-is-none": (
        b'{"revoke": {"select": {"all": true}, "id": "' + b"/" * 10_000 + b'"}}',
        "revoke.id",
        r"'/{79} cannot identify a revocation",
        "use up to 128 letters, digits and _.:-, beginning with a letter or digit",
    ),
    "an-odd-grace": (b'{"revoke": {"select": {"all": true}, "grace": "soon"}}', "revoke.grace", ".*'soon'.*", ".+"),
    "nobody": (
        b'{"revoke": {"select": {"tasks": ["nobody"]}}}',
        "task nobody",
        "no such task runs in .*",
        "mesos-pod-executor ps lists what runs, mesos-pod-executor why TASK tells how one ended",
    ),
    "a-regular-task": (
        b'{"revoke": {"select": {"tasks": ["lent", "fine"]}}}',
        "task fine",
        "is regular: its resources were not borrowed",
        "kill it through its scheduler instead",
    ),
    "more-than-there-is": (
        b'{"revoke": {"reclaim": {"cpus": 1000}}}',
        "revoke.reclaim",
        "all revocable pods together hold 0.1 cpus and .* MiB of memory, which is less than asked",
        "ask for no more than that, or select all",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_malformed_message_is_answered_and_harms_nothing(
    rig: Rig, scheduler: Scheduler, agent: str, name: str
) -> None:
    data, subject, message, hint = MESSAGES[name]
    before, start = processes(rig), scheduler.mark()
    scheduler.message(agent, "mixed", data)
    error = json.loads(scheduler.wait_message(start=start))["error"]
    assert error["subject"] == subject
    assert re.fullmatch(message, error["message"]), error
    assert re.fullmatch(hint if name == "an-odd-grace" else re.escape(hint), error["hint"]), error
    assert processes(rig) == before


def test_an_unknown_revocation_is_a_clear_error_of_the_command(rig: Rig, agent: str) -> None:
    done = rig.command("revoke", "--task", "nobody", check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("mesos-pod-executor: task nobody: no such task runs in this executor (")
