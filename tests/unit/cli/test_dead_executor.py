"""After the crash of an executor the commands still report: real processes with real locks, killed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from executor.cli.executors import look
from executor.cli.executors.client import Client
from executor.cli.exits import Exit
from executor.cli.history import former
from executor.cli.node.serve import problems
from executor.cli.page.node import node as page
from executor.cli.pods import rates
from executor.cli.session import Session
from executor.log.journal import Journal
from executor.names import MesosContainerId
from executor.node import claims
from executor.node.ended_executors import MesosNames, remember
from tests.support.control_node import Node, hanging_executor, pod
from tests.support.schema import faults
from tests.unit.cli.conftest import Run

HOLD = """
import sys
from pathlib import Path
from executor.node import claims
from executor.node.ended_executors import MesosNames, remember
from executor.node.ended_executors import MesosNames
names = MesosNames("mixed", "framework-1", sys.argv[3])
with claims.claim(Path(sys.argv[1]), sys.argv[2], "/x", mesos=names):
    print("held", flush=True)
    sys.stdin.read()
"""
MORE = "see `doctor` and `why TASK`"
ACCEPTED = {
    "code": "pod.accepted",
    "level": "info",
    "message": "pod accepted",
    "pod": "pod-1",
    "task": "t",
    "name": "web",
    "namespace": "default",
    "class": "regular",
    "role": "eng",
}
RUNNING = {
    "code": "pod.running",
    "level": "info",
    "message": "pod changed its state",
    "pod": "pod-1",
    "state": "running",
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    directory = tmp_path / "sandbox"
    directory.mkdir()
    journal = Journal(directory / "journal.jsonl")
    for event in (ACCEPTED, {**RUNNING, "task": "t"}):
        journal.append(event)
    journal.close()
    return directory


def hold(run_dir: Path, container: str, sandbox: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(run_dir), container, str(sandbox)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def crashed(node: Node, sandbox: Path) -> Node:
    """The executor `dead` was killed; its socket, owner file and journal are there."""
    process = hold(node.run_dir, "dead", sandbox)
    node.dead_executor("dead")
    process.kill()
    process.communicate()
    return node


def test_what_it_was_doing_is_told_and_no_command_fails(crashed: Node, run: Run, sandbox: Path) -> None:
    for line in (["ps"], ["metrics"], ["events"]):
        ran = run(*line)
        assert ran.code == Exit.OK, line
    told = run("ps").err.splitlines()[0]
    assert told == f"mesos-pod-executor: executor dead (mixed) is dead; {MORE}; `gc` releases what is left"
    assert f"from {sandbox}/journal.jsonl" in run("why", "t").out
    (dead,) = Session("", str(crashed.run_dir)).look()
    assert "executor dead (mixed) is dead; it had 1 pod (web) at 20" in look.about_dead(dead), "as doctor prints it"
    assert f"its journal: {sandbox}/journal.jsonl" in look.about_dead(dead)
    assert "pod.running" in run("events").out


@pytest.mark.parametrize("number", [1, 2, 300])
@pytest.mark.parametrize("reaper", [0, 4194303])
def test_dead_executors_take_one_short_line(number: int, reaper: int) -> None:
    names = MesosNames("mesos-pod-executor-" + "x" * 200)
    dead = [
        look.Executor(
            Client(Path(f"/x/{n:08x}-7c1f-4b6e-9a56-2f8c3d1e5a90.sock")), look.State.DEAD, names, reaper=reaper
        )
        for n in range(number)
    ]
    line = f"mesos-pod-executor: {look.dead_line(dead)}"
    assert len(line) <= 160 and MORE in line and "00000000-7c1f" in line


def test_the_textfile_is_written_and_counts_it(crashed: Node, run: Run, tmp_path: Path) -> None:
    assert run("metrics", "--textfile", str(tmp_path / "x.prom")).code == Exit.OK
    text = (tmp_path / "x.prom").read_text()
    assert "mesos_pod_executor_executors_up 0\n" in text and "mesos_pod_executor_executors_dead 1\n" in text
    assert "mesos_pod_executor_executors_silent 0\n" in text


def forget(node: Node) -> None:
    """As `gc` does once it has released all of it."""
    owner = claims.peek(node.run_dir / "dead.owner")
    if owner is not None:
        with (node.run_dir / "dead.owner").open() as file:
            identity = claims.identity_in(node.run_dir, owner.container)
            claims.forget(claims.of_dead(owner.container, file.fileno(), identity))


def test_why_finds_the_journal_before_and_after_gc(crashed: Node, run: Run, sandbox: Path) -> None:
    for _ in range(2):
        ran = run("why", "t")
        assert ran.code == Exit.OK and ran.out.startswith("WHAT        lost with its executor while it was running\n")
        assert f"from {sandbox}/journal.jsonl" in ran.out
        forget(crashed)
    assert not (crashed.run_dir / "dead.sock").exists()
    assert "pod.running" in run("--executor", "mixed", "events").out


def test_one_that_is_being_released_is_dead_although_its_lock_is_held(crashed: Node, run: Run) -> None:
    with (crashed.run_dir / "dead.owner").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ran = run("ps")
    assert ran.code == Exit.OK
    assert f"is dead, process {os.getpid()} releases it; {MORE}" in ran.err


def test_one_that_lives_without_its_socket_is_not_dead(node: Node, run: Run, sandbox: Path) -> None:
    process = hold(node.run_dir, "young", sandbox)
    node.dead_executor("young")
    ran = run("ps")
    process.communicate("")
    assert ran.code == Exit.UNREACHABLE and "lives, but nothing listens" in ran.err


def test_a_hung_executor_is_known_by_its_name_and_holds_nobody_up(
    node: Node, run: Run, sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_s = 2.0
    monkeypatch.setattr(look, "ANSWER_S", answer_s)
    process = hold(node.run_dir, "hung", sandbox)
    for number in range(3):
        node.executor(f"live-{number}", pod(f"pod-{number}", "web"))
    with hanging_executor(node.run_dir, "hung", wait=True):
        ran = run("--executor", "mixed", "ps")
        assert ran.code == Exit.UNREACHABLE and "executor hung: does not answer" in ran.err
        began_s = time.monotonic()
        ran = run("ps", "--json")
        took_s = time.monotonic() - began_s
        assert len(ran.json["pods"]) == 3 and "left out: executor hung: does not answer" in ran.err
        assert took_s < 2 * answer_s
    process.communicate("")


def test_a_clean_end_leaves_a_pointer_and_a_sandbox_that_goes_takes_it_along(
    node: Node, run: Run, sandbox: Path
) -> None:
    process = hold(node.run_dir, MesosContainerId("over"), sandbox)
    process.communicate("")
    ran = run("why", "t")
    assert ran.code == Exit.OK and ran.out.startswith("WHAT        running since ")
    (sandbox / "journal.jsonl").unlink()
    sandbox.rmdir()
    assert run("why", "t").code == Exit.NOT_FOUND
    assert not list((node.run_dir / "ended").iterdir())


def test_the_page_begins_with_what_is_wrong(crashed: Node, run: Run) -> None:
    session = Session("", str(crashed.run_dir))
    found = problems(session.look())
    assert len(found) == 1 and "executor dead (mixed) is dead" in found[0]
    text = page("host", "now", [], rates.usage({}, {}), found, former=former.pods(session))
    assert (
        text.index("Problems")
        < text.index("executor dead (mixed) is dead")
        < text.index("No executor runs")
        < text.index("/pods/pod-1")
        < text.index("its executor died")
    )


def test_its_pods_and_their_logs_are_shown(crashed: Node, run: Run, sandbox: Path) -> None:
    directory = sandbox / "pods/pod-1"
    directory.mkdir(parents=True)
    (directory / "main.stdout").write_text("last words\n")
    (directory / "main.stderr").write_text("")
    for _ in range(2):
        (found,) = run("ps", "-a", "--json").json["pods"]
        assert (found["pod"], found["state"], found["executor"]) == ("pod-1", "lost", "mixed")
        assert faults("ps", {"pods": [found]}) == []
        assert "its executor died" in run("ps", "-a").out and run("ps", "-q").out == ""
        for name in ("web", "t", "pod-1", "pod"):
            assert run("logs", name).out == "last words\n"
        assert run("logs", "web", "-f").out == "last words\n", "nothing can come any more"
        assert run("logs", "nobody").code == Exit.NOT_FOUND
        forget(crashed)


def test_a_pod_is_lost_when_its_executor_dies(crashed: Node, run: Run, sandbox: Path) -> None:
    """It may have been silent for days before."""
    last = {"seq": 99, "time": "2031-01-02T03:04:05.000Z", "level": "info", "code": "mesos.subscribed", "message": "m"}
    with (sandbox / "journal.jsonl").open("a") as journal:
        journal.write(json.dumps(last) + "\n")
    (found,) = run("ps", "-a", "--json").json["pods"]
    assert found["ended_at"] == run("inspect", "web", "--json").json["ended_at"] == last["time"]
    forget(crashed)


def test_one_that_ended_is_inspected_and_cannot_be_ended_again(node: Node, run: Run, sandbox: Path) -> None:
    """Where no executor runs, the journal of the newest one is what `events` shows."""
    node.run_dir.mkdir()
    remember(node.run_dir, MesosContainerId("over"), MesosNames("mixed", "framework-1", str(sandbox)), died=True)
    ran = run("inspect", "web", "--json")
    assert ran.json["state"] == "lost", ran.err
    assert "lost" in run("inspect", "t").out
    ran = run("kill", "web")
    assert ran.code == Exit.NOT_FOUND and "lost its executor died" in ran.err and "why pod-1" in ran.err
    assert run("inspect", "--check", "web").code == Exit.NOT_FOUND
    ran = run("events")
    assert ran.code == Exit.OK and "pod.accepted" in ran.out and "no executor runs; the last one, mixed" in ran.err
    node.executor("live")
    assert run("events").out == "", "one that runs is meant"


def test_containers_keep_their_kinds(node: Node, run: Run, tmp_path: Path) -> None:
    """So that `logs` knows which one is the main container."""
    directory = tmp_path / "sandbox"
    logs = directory / "pods/pod-1"
    logs.mkdir(parents=True)
    journal = Journal(directory / "journal.jsonl")
    journal.append({**ACCEPTED, "containers": ["init:setup", "sidecar:proxy", "app"]})
    journal.close()
    for name in ("setup", "proxy", "app"):
        (logs / f"{name}.stdout").write_text(f"of {name}\n")
        (logs / f"{name}.stderr").write_text("")
    node.run_dir.mkdir()
    remember(node.run_dir, MesosContainerId("over"), MesosNames("mixed", "framework-1", str(directory)), died=True)
    ran = run("logs", "web")
    assert ran.out == "of app\n" and "container app, of: setup, proxy, app" in ran.err
    assert [each.get("kind") for each in run("inspect", "web", "--json").json["containers"]] == [
        "init",
        "sidecar",
        None,
    ]


def test_many_ended_pods_are_bounded(node: Node, run: Run, tmp_path: Path) -> None:
    node.executor("live")
    for executor in range(3):
        directory = tmp_path / f"sandbox{executor}"
        directory.mkdir()
        journal = Journal(directory / "journal.jsonl")
        for number in range(150):
            journal.append({**ACCEPTED, "pod": f"pod-{executor}-{number}", "name": f"web-{executor}-{number}"})
        journal.close()
        names = MesosNames(f"e{executor}", "f", str(directory))
        remember(node.run_dir, MesosContainerId(f"c{executor}"), names, died=True)
        os.utime(node.run_dir / f"ended/c{executor}.json", (executor, executor))
    found = [each["name"] for each in run("ps", "-a", "--json").json["pods"]]
    assert len(found) == 200 and "web-2-0" in found and "web-1-149" in found and "web-0-0" not in found
    assert run("describe", "web-0-7", "--json").json["pods"][0]["pod"]["pod"] == "pod-0-7", "by its name it is found"
