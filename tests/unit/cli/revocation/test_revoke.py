"""`revoke` and `events`: what is asked, what is shown, and the exit code of each outcome."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from executor.cli.executors.look import meant
from executor.cli.exits import Exit
from executor.revocation.request import parse
from tests.support.control_node import RECEIPT, Node
from tests.support.schema import faults
from tests.unit.cli.conftest import Run

AMOUNTS = {"cpus": 1.5, "used_cpus": 0.5, "mem_bytes": 64 << 20}
COMPARED: dict[str, Any] = {"pods": 1, "processes": 2, "unchanged": True, "changed": [], "ended_meanwhile": []}
WHOLE: dict[str, Any] = {
    **RECEIPT,
    "victims": [{"pod": "pod-2", "tasks": ["t2"], "outcome": "exited", "notified": True, "ms": 12.5, **AMOUNTS}],
    "freed": AMOUNTS,
    "regular": COMPARED,
}


@pytest.mark.parametrize(
    ("options", "select"),
    [
        (["--all"], {"all": True}),
        (["--role", "eng", "--role", "ops"], {"roles": ["eng", "ops"]}),
        (["--task", "a/b"], {"tasks": ["a/b"]}),
        (["--reclaim-cpus", "1500m"], {"cpus": 1.5}),
        (["--reclaim-cpus", "2", "--reclaim-mem", "1Gi"], {"cpus": 2.0, "mem": 1 << 30}),
        (["--label", "app=x=y", "--label", "b="], {"labels": {"app": "x=y", "b": ""}}),
    ],
)
def test_what_is_asked_is_what_the_executor_reads(node: Node, run: Run, options: list[str], select: Any) -> None:
    executor = node.executor("a")
    ran = run("revoke", *options, "--grace", "5s", "--reason", "night", "--id", "r-1", "--dry-run", "--json")
    assert (ran.code, ran.json) == (Exit.OK, RECEIPT)
    (request,) = executor.requests
    kind = "reclaim" if "--reclaim-cpus" in options else "select"
    assert request.body == {kind: select, "grace": "5s", "reason": "night", "id": "r-1", "dry_run": True}
    assert parse(request.body, default_grace_s=0, fresh_id="x").grace_s == 5.0


def test_the_receipt_is_shown(node: Node, run: Run) -> None:
    node.executor("a")
    out = run("revoke", "--all").out
    assert out.splitlines()[1].split()[:5] == ["pod-2", "t2", "exited", "yes", "12.5"]
    assert "1.5 cpus, 64 MiB" in out
    assert "regular pods  1 of this executor, unchanged" in out


def test_memory_that_the_kernel_gives_back_later_is_not_lost(node: Node, run: Run) -> None:
    """A dry run cannot know how much stays charged when the last process has ended; the receipt says it."""
    freed = {**AMOUNTS, "mem_bytes": 164 << 10, "mem_kept_bytes": 352 << 10}
    left = {"pods": 0, "cpus": 0.0, "mem_bytes": 308 << 10}
    executor = node.executor("a")
    executor.receipt = {**WHOLE, "freed": freed, "left": left}
    out = run("revoke", "--all").out
    assert "freed           1.5 cpus, 164 KiB\n" in out
    assert "freed later     352 KiB: the kernel still charges it (files in memory, kernel memory)\n" in out
    assert "revocable left  0 pods, 0 cpus, 308 KiB of ended pods\n" in out
    executor.receipt = {**WHOLE, "state": "dry-run", "freed": {**AMOUNTS, "mem_bytes": 516 << 10}}
    assert "would free    1.5 cpus, up to 516 KiB\n" in run("revoke", "--all", "--dry-run").out


def test_victims_that_are_stuck_are_shown_with_the_real_time(node: Node, run: Run) -> None:
    """The time until all had ended is not known yet; what each process waits for is."""
    with subprocess.Popen(["sleep", "61"]) as process:
        gone = {"pod": "pod-2", "tasks": ["t2"], "outcome": "exited", "notified": True, "ms": 12.5}
        stuck = {"pod": "pod-3", "tasks": ["t3"], "outcome": "stuck", "notified": False, "ms": 61234.5}
        stuck["pids"] = [process.pid, 2**22 + 1]
        node.executor("a").receipt = {**RECEIPT, "state": "stuck", "victims": [gone, stuck]}
        ran = run("revoke", "--all")
        process.kill()
    assert ran.code == Exit.FAILURE
    assert "12.5 ms for those that ended; 1 pod alive 61.2 s after the request, in spite of SIGKILL" in ran.out
    assert "WAITS IN" in ran.out and "sleep 61" in ran.out.splitlines()[-1]


def test_a_dry_run_tells_who_would_go_and_no_more(node: Node, run: Run) -> None:
    """Nothing happened: there is no outcome, and nothing took any time."""
    node.executor("a").receipt = {**RECEIPT, "state": "dry-run"}
    out = run("revoke", "--all", "--dry-run").out
    assert out.splitlines()[0].split() == ["POD", "TASKS", "CPUS", "USED", "MEMORY"]
    assert "would free" in out and "took" not in out


def test_without_waiting_only_the_state_is_known(node: Node, run: Run) -> None:
    executor = node.executor("a")
    ran = run("revoke", "--all", "--no-wait")
    assert (ran.code, ran.out.split()) == (Exit.OK, ["revocation", "-", "state", "running"])
    assert executor.requests[0].query == {"wait": "0"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "stuck"}, Exit.FAILURE),
        ({"state": "refused"}, Exit.REFUSED),
        ({"regular": {"pods": 1, "unchanged": False, "changed": ["pod-1"]}}, Exit.FAILURE),
        ({"state": "dry-run"}, Exit.OK),
    ],
)
def test_outcomes_have_exit_codes(node: Node, run: Run, change: dict[str, Any], code: Exit) -> None:
    node.executor("a").receipt = {**RECEIPT, **change}
    assert run("revoke", "--all").code == code


def test_a_refusal_is_one_line(node: Node, run: Run) -> None:
    node.executor("a").refusal = "pod-1 is regular"
    ran = run("revoke", "--all")
    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert ran.err == "mesos-pod-executor: /v1/revocations: pod-1 is regular (choose revocable pods)\n"


@pytest.mark.parametrize(
    "options", [[], ["--all", "--role", "x"], ["--label", "x"], ["--reclaim-mem", "x"], ["--all", "--reclaim-mem", "1"]]
)
def test_victims_are_chosen_in_one_way(node: Node, run: Run, options: list[str]) -> None:
    executor = node.executor("a")
    assert run("revoke", *options).code == Exit.USAGE
    assert not executor.requests


def test_of_several_executors_those_act_that_have_such_pods(node: Node, run: Run) -> None:
    first, second = node.executor("aaa"), node.executor("bbb")
    second.receipt = {**second.receipt, "victims": []}
    assert run("revoke", "--all", "--json").json["id"] == "r-1"
    assert [each.body.get("dry_run", False) for each in first.requests] == [True, False]
    assert [each.body.get("dry_run", False) for each in second.requests] == [True]
    second.receipt = first.receipt
    assert [each["mesos_container"] for each in run("revoke", "--all", "--json").json["revocations"]] == ["aaa", "bbb"]
    assert "executor bbb:" in run("revoke", "--all").out
    ran = run("revoke", "--reclaim-cpus", "1")
    assert ran.code == Exit.USAGE and "aaa (e-1), bbb (e-1)" in ran.err
    second.refusal = "is regular"
    assert run("revoke", "--reclaim-cpus", "1", "--json").json["id"] == "r-1"
    first.refusal = "is regular"
    assert run("revoke", "--all").code == Exit.REFUSED
    assert run("--executor", "b", "revoke", "--all").code == Exit.REFUSED
    assert run("--executor", "c", "revoke", "--all").code == Exit.NOT_FOUND


def test_an_executor_is_named_by_the_beginning_of_its_id(node: Node, run: Run) -> None:
    """A long ExecutorID need not be typed; what begins several is not a name."""
    node.executor("aaa", executor_id="spark-regular")
    node.executor("bbb", executor_id="spark-revocable")
    assert run("--executor", "spark-rev", "ps").code == Exit.OK
    assert run("--executor", "spark-rev", "revoke", "--all", "--dry-run", "--json").json["id"] == "r-1"
    ran = run("--executor", "spark-re", "ps")
    assert ran.code == Exit.USAGE and "aaa (spark-regular), bbb (spark-revocable)" in ran.err
    assert run("--executor", "park", "ps").code == Exit.NOT_FOUND


@pytest.mark.parametrize(
    ("wanted", "found"), [("", "abc"), ("a", "a"), ("x", "b"), ("x-", ""), ("x-o", "a"), ("y", ""), ("x-1", "c")]
)
def test_what_an_executor_is_named_by(wanted: str, found: str) -> None:
    """A whole ExecutorID goes before the beginning of another one."""
    assert meant({"a": "x-one", "b": "x", "c": "x-1"}, wanted) == set(found)


def test_a_report_in_a_file_is_said_to_be_whose_it_is(node: Node, run: Run, tmp_path: Path) -> None:
    """Of a pair either executor may have carried out the newest one."""
    node.executor("aaa", executor_id="spark-regular").receipt = {**WHOLE, "id": "r-0"}
    node.executor("bbb", executor_id="spark-revocable").receipt = WHOLE
    file = tmp_path / "page.html"
    ran = run("report", "r-1", "-o", str(file))
    assert ran.out == "" and ran.code == Exit.OK and "<html" in file.read_text()
    assert ran.err == (f"mesos-pod-executor: {file} shows revocation r-1 (done) of executor bbb (spark-revocable)\n")
    document = run("report", "r-1", "--json").json
    assert document["executor"] == "bbb (spark-revocable)" and faults("report", document) == []


def test_a_rehearsal_without_pods_shows_what_each_executor_has_measured(node: Node, run: Run) -> None:
    """The executor of a pair that ended its pods knows how long that took; the other one of the pair does not."""
    first, second = node.executor("aaa"), node.executor("bbb")
    first.receipt = second.receipt = {**first.receipt, "victims": []}
    second.stuck_so_far = 7
    shown = run("rehearse", "--json").json["rehearsals"]
    assert {each["mesos_container"]: each["history"]["stuck"] for each in shown} == {"aaa": 0, "bbb": 7}
    assert "no revocable pod fits" in run("rehearse").out
    assert run("revoke", "--all", "--json").json["victims"] == [], "a revocation of nothing has one receipt"


def event(code: str, **keys: Any) -> dict[str, Any]:
    return {"time": "2024-01-01T00:00:00.000Z", "level": "info", "code": code, "message": "m", **keys}


def test_events_are_lines(node: Node, run: Run) -> None:
    journal = node.executor("a").journal
    journal.append(event("pod.running", pod="pod-1"))
    journal.append(event("revocation.started", reason="x\ny"))
    first, second = run("events").out.splitlines()
    assert first.split() == ["1", "2024-01-01T00:00:00.000Z", "info", "pod.running", "m", "pod=pod-1"]
    assert "reason=x\ufffdy" in second
    assert [json.loads(line)["seq"] for line in run("events", "--json", "--since", "1").out.splitlines()] == [2]
    assert run("events", "--code", "pod").out.count("\n") == 1


def test_events_are_followed_until_the_executor_ends_or_the_reader_does(node: Node) -> None:
    journal = node.executor("a").journal
    journal.append(event("pod.running", pid=1))
    command = [sys.executable, "-m", "executor", "--run-dir", str(node.run_dir), "events", "-f", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == 1
        journal.append(event("pod.ended", pid=2))
        assert json.loads(process.stdout.readline())["pid"] == 2
        journal.close()
        assert process.wait(10) == Exit.OK


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(node: Node) -> None:
    journal = node.executor("a").journal
    command = [sys.executable, "-m", "executor", "--run-dir", str(node.run_dir), "events", "-f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        journal.append(event("pod.running"))
        process.stdout.readline()
        process.stdout.close()
        journal.append(event("pod.ended"))
        assert process.wait(10) == Exit.OK
        assert process.stderr.read() == ""


def test_the_last_events_only(node: Node, run: Run) -> None:
    journal = node.executor("a").journal
    for number in range(5):
        journal.append(event("pod.running", pid=number))
    assert [json.loads(line)["seq"] for line in run("events", "-n", "2", "--json").out.splitlines()] == [4, 5]
    assert run("events", "-n", "0").out == ""


def test_events_of_several_executors_are_in_the_order_of_time(node: Node, run: Run) -> None:
    first, second = node.executor("aaa").journal, node.executor("bbb").journal
    for hour, journal in ((1, first), (3, first), (2, second)):
        journal.append({**event("pod.running"), "time": f"2024-01-01T0{hour}:00:00.000Z"})
    told = [json.loads(line) for line in run("events", "--json").out.splitlines()]
    assert [(each["mesos_container"], each["seq"]) for each in told] == [("aaa", 1), ("bbb", 1), ("aaa", 2)]
    assert "mesos_container" not in run("--executor", "a", "events").out


def test_several_executors_are_followed_until_the_last_ends(node: Node) -> None:
    first, second = node.executor("aaa").journal, node.executor("bbb").journal
    command = [sys.executable, "-m", "executor", "--run-dir", str(node.run_dir), "events", "-f", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number, journal in enumerate((first, second, first)):
            journal.append(event("pod.running", pid=number))
            told = json.loads(process.stdout.readline())
            assert (told["pid"], told["mesos_container"]) == (number, "bbb" if journal is second else "aaa")
        first.close()
        second.append(event("pod.ended", pid=7))
        assert json.loads(process.stdout.readline())["pid"] == 7
        second.close()
        assert process.wait(10) == Exit.OK
