"""`why` and `rehearse`: what is shown of the executor's answers, and of a journal that a dead executor left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from executor.cli.exits import Exit
from executor.log.journal import Journal
from executor.names import MesosContainerId
from executor.node.ended_executors import MesosNames, remember
from tests.support.control_node import Node
from tests.support.schema import faults
from tests.unit.cli.conftest import Run


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"code": "pod.accepted", "level": "info", "message": "pod accepted", "pod": "pod-1", "task": "t"})
    journal.append(
        {"code": "pod.oom", "level": "warning", "message": "killed", "pod": "pod-1", "oom": "container", "pids": []}
    )
    journal.close()
    return tmp_path


def test_a_dead_executors_journal_by_its_sandbox_or_file(run: Run, sandbox: Path) -> None:
    for path in (sandbox, sandbox / "journal.jsonl"):
        ran = run("why", "t", "--journal", str(path))
        what, why, whom, action, head, empty, first, second = ran.out.splitlines()
        assert ran.code == Exit.OK and empty == ""
        assert [each.partition("  ")[0] for each in (what, why, whom, action)] == [
            "WHAT",
            "WHY",
            "BY WHOM",
            "WHAT TO DO",
        ]
        assert "pod.oom at" in why and "Raise the memory limit" in action
        assert re.match(r"t  pod=pod-1 since \d{4}-\d\d-\d\dT[0-9:.]+Z", head), "to find it in other logs"
        assert first.split() == ["0", "ms", "pod.accepted", "pod", "accepted"]
        assert second.endswith("pod.oom                killed  oom=container"), "what says nothing is left out"


def test_the_older_file_is_read_first(run: Run, sandbox: Path) -> None:
    (sandbox / "journal.jsonl").rename(sandbox / "journal.jsonl.1")
    (sandbox / "journal.jsonl").write_text('{"seq": 3, "time": "2030-01-01T00:00:00.000Z", "pod": "pod-1"}\ngarbage\n')
    found = run("why", "t", "--journal", str(sandbox), "--json").json
    assert [event["seq"] for event in found["events"]] == [1, 2, 3]


def test_what_is_not_there_is_told(run: Run, node: Node, sandbox: Path) -> None:
    assert run("why", "nobody", "--journal", str(sandbox)).code == Exit.NOT_FOUND
    assert run("why", "t", "--journal", str(sandbox / "nowhere")).code == Exit.NOT_FOUND
    node.executor("a")
    ran = run("why", "t")
    assert ran.code == Exit.NOT_FOUND and "--journal" in ran.err


def test_a_crash_loop_is_told_with_its_last_words(run: Run, node: Node, tmp_path: Path) -> None:
    node.executor("other")
    directory = tmp_path / "sandbox/pods/pod-1"
    directory.mkdir(parents=True)
    (directory / "app.stdout").write_text("begins\n")
    (directory / "app.stderr").write_text("".join(f"line {number}\n" for number in range(9)) + "FATAL \x1b[2J\n")
    journal = Journal(tmp_path / "sandbox/journal.jsonl")
    own = {"level": "info", "message": "m", "pod": "pod-1", "task": "t"}
    journal.append({**own, "code": "pod.accepted", "name": "web", "namespace": "shop", "tasks": ["t"]})
    journal.append({**own, "code": "pod.running", "state": "running"})
    for count in range(40):
        journal.append({**own, "code": "pod.container_exited", "container": "app", "exit_code": 3})
        journal.append({**own, "code": "pod.restarting", "container": "app", "exit_code": 3, "count": count})
    journal.close()
    remember(node.run_dir, MesosContainerId("gone"), MesosNames("e", "f", str(tmp_path / "sandbox")), died=False)
    ran = run("why", "shop/web")
    lines = ran.out.splitlines()
    assert "container app has ended 40 times" in lines[0] and "exited with status 3" in lines[1]
    assert "logs pod-1 -c app --previous" in lines[3]
    assert "the last lines of app on stderr:" in lines and "    FATAL \ufffd[2J" in lines and "    line 4" not in lines
    assert len(lines) < 25 and "(39 times since" in ran.out, "40 restarts are few lines"
    document = run("why", "t", "--json").json
    assert faults("why", document) == [] and document["log"]["lines"][-1].startswith("FATAL")
    assert len(document["events"]) == 82, "JSON has all of them"


@pytest.mark.parametrize("kind", ["kill", "revocation"])
def test_who_ended_a_pod_is_said_once(run: Run, tmp_path: Path, kind: str) -> None:
    """The command line of an operator is long; the timeline and WHY say the rest."""
    actor = "uid 0, process 77 (mesos-pod-executor kill --reason too loud web)"
    own = {"level": "info", "message": "m", "pod": "pod-1", "task": "t"}
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({**own, "code": "pod.accepted", "name": "web", "tasks": ["t"]})
    journal.append({**own, "code": "pod.running", "state": "running"})
    if kind == "kill":
        journal.append({**own, "code": "pod.operator_kill", "actor": actor, "reason": "too loud"})
        end = {"outcome": "TASK_KILLED", "reason": None, "error": f"killed on the node by {actor}: too loud"}
    else:
        journal.append(
            {"level": "info", "message": "m", "code": "revocation.started", "revocation": "r-1", "actor": actor}
        )
        journal.append({**own, "code": "revocation.victim", "revocation": "r-1"})
        end = {"outcome": "TASK_GONE", "reason": "REASON_CONTAINER_PREEMPTED", "error": "revoked by r-1: too loud"}
    journal.append({**own, "code": "pod.stopping", "state": "stopping", **end})
    journal.append({**own, "code": "pod.ended", "state": "ended", **end})
    journal.close()
    out = run("why", "web", "--journal", str(tmp_path)).out
    said = out.splitlines()
    assert said[1] == (
        "WHY         killed on the node: too loud" if kind == "kill" else "WHY         revoked: too loud"
    )
    assert said[2].startswith(f"BY WHOM     {actor}") and out.count(actor) == 1
    assert actor in run("why", "web", "--journal", str(tmp_path), "--json").out
