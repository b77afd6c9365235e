"""`ps` as fingers know it from kubectl, podman and docker: filters, forms, sorting, watching."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml

from executor.cli.exits import Exit
from executor.cli.pods import filters, status
from tests.support.control_node import Node, container, pod
from tests.unit.cli.conftest import Run
from tests.unit.cli.on_terminal import followed_on_terminal, on_terminal

GONE = {"state": "TASK_GONE", "reason": "REASON_CONTAINER_PREEMPTED", "message": "revoked: r-1"}


@pytest.fixture
def pods(node: Node) -> None:
    crashing = [container("main", state="backing-off", exit_code=3, restarts=5), container("b", restarts=1)]
    executor = node.executor(
        "aaa",
        pod("pod-1", "web", labels={"app": "web", "tier": "front"}),
        pod("pod-2", "batch", role="eng/dev", namespace="shop", containers=crashing, **{"class": "revocable"}),
        pod("pod-3", "hung", role="english", state="destroying", stuck_pids=[7, 8], ips=[]),
    )
    executor.ended = [pod("pod-4", "gone", state="ended", outcome=GONE, ended_age_s=185.0, labels={"app": "old"})]


def ids(run: Run, *arguments: str) -> list[str]:
    return [str(each["pod"]) for each in run("ps", "--json", *arguments).json["pods"]]


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-f name=web", "pod-1"),
        ("-f name=shop/batch", "pod-2"),
        ("-f name=w* -f name=hung", "pod-1 pod-3"),
        ("--filter role=eng", "pod-1 pod-2"),
        ("--filter role=eng --filter class=revocable", "pod-2"),
        ("-f status=stuck", "pod-3"),
        ("-f state=destroying", "pod-3"),
        ("-f status=backing-off", "pod-2"),
        ("-f status!=running", "pod-3"),
        ("-f label=app", "pod-1"),
        ("-f label=app=web -f label=tier=back", ""),
        ("-l app=web,tier!=back", "pod-1"),
        ("-l app==web", "pod-1"),
        ("-l app", "pod-1"),
        ("-n shop", "pod-2"),
        ("-f ip=10.0.0.2", "pod-1 pod-2"),
        ("-f id=pod-3", "pod-3"),
        ("-f task=task-web", "pod-1"),
        ("-a -f reason=TASK_GONE", "pod-4"),
        ("-a -f reason=*PREEMPTED", "pod-4"),
        ("-a -f label=app", "pod-1 pod-4"),
    ],
)
def test_filters(run: Run, arguments: str, expected: str) -> None:
    assert sorted(ids(run, *arguments.split())) == expected.split()


@pytest.mark.usefixtures("pods")
def test_orders(run: Run) -> None:
    assert ids(run, "--sort", "name") == ["pod-3", "pod-1", "pod-2"]
    assert ids(run, "--sort", "restarts")[0] == "pod-2"
    assert ids(run, "--sort", "status")[-1] == "pod-3"


@pytest.mark.usefixtures("pods")
def test_ids_and_names_for_other_commands(run: Run) -> None:
    assert run("ps", "-aq").out.splitlines() == ["pod-1", "pod-4", "pod-3", "pod-2"]
    assert run("ps", "-o", "name", "--sort", "name").out.splitlines() == ["default/hung", "default/web", "shop/batch"]


@pytest.mark.usefixtures("pods")
def test_forms_have_the_same_document(run: Run) -> None:
    document = run("ps", "--json").json
    assert run("ps", "-o", "json").json == document
    assert yaml.safe_load(run("ps", "-o", "yaml").out) == document
    assert run("ps", "-o", "jsonpath={.pods[*].name}", "--sort", "name").out == "hung web batch\n"
    template = '{range .pods[*]}{.pod}{"\\t"}{.containers[0].exit_code}{"\\n"}{end}'
    assert run("ps", "-f", "name=batch", "-o", f"jsonpath={template}").out == "pod-2\t3\n"


@pytest.mark.usefixtures("pods")
def test_the_table_says_what_is_wrong(run: Run) -> None:
    lines = {line.split()[0]: line for line in run("ps", "-a", "--sort", "name").out.splitlines()}
    assert "ended 3m ago" in lines["pod-4"] and "TASK_GONE CONTAINER_PREEMPTED" in lines["pod-4"]
    assert "task-gone" in lines["pod-4"]
    assert "  stuck  " in lines["pod-3"] and "survives SIGKILL: pid 7, 8" in lines["pod-3"]
    assert "  backing-off  " in lines["pod-2"] and "main: exit code 3" in lines["pod-2"]
    assert run("ps", "--no-headers").out.splitlines()[0].startswith("pod-1")
    wide = run("ps", "-a", "-o", "wide").out
    assert "revoked: r-1" in wide and "app=web,tier=front" in wide and "LABELS" in wide


@pytest.mark.usefixtures("pods")
def test_eighty_columns_keep_what_matters(node: Node) -> None:
    shown = on_terminal(node, 80, "ps", "-a", TERM="dumb")
    assert all(len(line) <= 80 for line in shown.splitlines())
    head = shown.splitlines()[0].split()
    assert {"POD", "NAME", "STATE", "REASON"} <= set(head)
    assert "GONE PREEMPTED" in shown and "TASK_" not in shown


@pytest.mark.usefixtures("pods")
def test_options_of_kubectl_and_docker(run: Run) -> None:
    assert run("ps", "-Aq").out == run("ps", "-aq").out != run("ps", "-q").out
    assert run("ps", "-A", "--no-trunc").out == run("ps", "-a", "-o", "wide").out != run("ps", "-a").out
    assert run("ps", "--no-trunc", "--json").json == run("ps", "--json").json, "JSON is never cut"
    assert run("ps", "--no-trunc", "-q").out == run("ps", "-q").out


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("line", "hint"),
    [("rm -f pod-1", "`kill POD` ends one that runs"), ("rm --force pod-1", "removes ended pods only"),
     ("rm -fa", "rm never asks"), ("events -p web", "--pod POD"), ("events -p err", "--level LEVEL"),
     ("top -f", "see mesos-pod-executor top --help")],
)  # fmt: skip
def test_an_option_with_two_meanings_leads_to_the_right_one(run: Run, line: str, hint: str) -> None:
    ran = run(*line.split())
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert hint in ran.err and ran.err.count("\n") == 1


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    "arguments",
    ["-f color=red", "-f name", "-l =x", "-o xml", "-o jsonpath", "-o json=x", "-o jsonpath={.a", "-q -o wide",
     "--json -o yaml", "-o jsonpath={.pods[?(@.x==1)]}", "-o jsonpath={range.x}{end}", "--sort size"],
)  # fmt: skip
def test_what_cannot_be_read_is_a_usage_error(run: Run, arguments: str) -> None:
    ran = run("ps", *arguments.split(" "))
    assert ran.code == Exit.USAGE and ran.out.startswith("{" if "--json" in arguments else "")
    assert ran.err.count("\n") == 1


def test_a_long_reason_is_cut_and_then_the_middle_of_a_name(node: Node) -> None:
    message = "container app exited with status 5: " + "x" * 200
    executor = node.executor("aaa", pod("pod-1", "a-name-of-20-letters"))
    outcome = {"state": "TASK_FAILED", "reason": None, "message": message}
    executor.ended = [pod("pod-2", "b", state="ended", outcome=outcome, ended_age_s=5.0)]
    shown = on_terminal(node, 80, "ps", "-a", TERM="xterm")
    assert "FAILED app exited w..." in shown and "  a-name-of-20-letters" in shown
    executor.pods = [pod("pod-4229185b8872", f"the-{'very-' * 50}long-name", **{"class": "revocable"})]
    for columns, name in ((80, "the-very...ong-name"), (120, "default/the-very-")):
        lines = on_terminal(node, columns, "ps", "-a", TERM="dumb").splitlines()
        assert all(len(line) <= columns for line in lines)
        (line,) = [each for each in lines if each.startswith("pod-4229185b8872")]
        assert name in line and "-name  revocable  running " in line, line


def test_a_watch_tells_each_change_once(node: Node) -> None:
    executor = node.executor("aaa", pod("pod-1", "web"), pod("pod-2", "old"))
    line = [sys.executable, "-m", "executor", "--run-dir", str(node.run_dir), "ps", "-w", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        def told() -> dict[str, Any]:
            assert process.stdout is not None
            return dict(json.loads(process.stdout.readline()))

        assert {told()["pod"], told()["pod"]} == {"pod-1", "pod-2"}
        executor.pods = [pod("pod-1", "web", age_s=9999.0), pod("pod-3", "new")]
        executor.ended = [pod("pod-2", "old", state="ended", outcome=GONE, ended_age_s=0.1)]
        changed = {each["pod"]: each["state"] for each in (told(), told())}
        assert changed == {"pod-2": "ended", "pod-3": "running"}, "an age alone is no change"
        time.sleep(1.5)
        executor.pods = [pod("pod-1", "web", state="stopping"), pod("pod-3", "new")]
        assert (last := told())["pod"] == "pod-1" and last["state"] == "stopping", "the ended one is not told again"
        process.send_signal(2)
        assert process.wait(10) == Exit.INTERRUPTED


def test_a_watch_leaves_out_columns_and_cuts_reasons_on_a_narrow_terminal(node: Node) -> None:
    outcome = {"state": "TASK_FAILED", "reason": None, "message": "x" * 200}
    executor = node.executor("aaa", pod("pod-4229185b8872", "web"), pod("pod-b6697abc128b", "batch"))
    executor.ended = [pod("pod-b6697abc128b", "batch", state="ended", outcome=outcome, ended_age_s=0.1)]

    def ended(shown: str) -> bool:
        if "  batch  " in shown:
            executor.pods = executor.pods[:1]
        return "FAILED x" in shown

    lines = followed_on_terminal(node, 80, "ps", "-w", until=ended, TERM="dumb").splitlines()
    assert lines[0].split()[:4] == ["POD", "NAME", "CLASS", "STATE"] and lines[0].endswith("REASON")
    assert lines[3].startswith("no room for: role, ready")
    assert all(len(line) <= 80 for line in lines) and any("FAILED x" in line for line in lines)
    wide = ("ps", "-w", "-o", "wide")
    assert "EXECUTOR" in followed_on_terminal(node, 80, *wide, until=lambda shown: "EXECUTOR" in shown, TERM="dumb")


def test_every_filter_has_values() -> None:
    full = pod("pod-1", "web", labels={"a": "b"}, outcome=GONE)
    assert all(filters.values(key, full) for key in filters.KEYS)
    assert filters.values("unknown", full) == []


@pytest.mark.parametrize(
    ("keys", "text", "reason"),
    [
        ({}, "running", ""),
        ({"healthy": False}, "running", "unhealthy"),
        ({"healthy": False, "network_faults": ["eth0 is down", "no route"]}, "running",
         "network: eth0 is down; no route"),
        ({"state": "destroying", "stuck_pids": [7], "outcome": GONE}, "stuck", "survives SIGKILL: pid 7"),
        ({"state": "ended", "ended_age_s": 90061.0, "outcome": GONE}, "ended 1d ago", "TASK_GONE CONTAINER_PREEMPTED"),
        ({"state": "ended", "outcome": {"state": "TASK_FINISHED", "reason": None}}, "ended", "TASK_FINISHED"),
        ({"state": "pulling", "pulling": [{"error": "denied", "bytes": 0, "total_bytes": 0, "phase": "x"}]},
         "pulling (backing off)", "denied"),
        ({"state": "pulling", "pulling": [{"error": "", "bytes": 1, "total_bytes": 4, "phase": "x"}]},
         "pulling (25 %)", ""),
    ],
)  # fmt: skip
def test_states_and_reasons(keys: dict[str, Any], text: str, reason: str) -> None:
    found = pod("pod-1", "web", **keys)
    assert (status.text(found), status.reason(found)) == (text, reason)


def test_all_of_a_message_is_that_of_an_outcome_but_not_of_a_trouble() -> None:
    assert status.details(pod("pod-1", "a", state="ended", outcome=GONE)) == "revoked: r-1"
    hung = pod("pod-1", "a", state="destroying", stuck_pids=[7], outcome=GONE)
    assert status.details(hung) == "survives SIGKILL: pid 7"
    assert status.details(pod("pod-1", "a")) == ""


@pytest.mark.parametrize(
    ("keys", "tone"),
    [
        ({}, "good"),
        ({"network_faults": ["eth0 is down"]}, "bad"),
        ({"state": "destroying", "stuck_pids": [7]}, "bad"),
        ({"state": "destroying"}, "warn"),
        ({"state": "ended", "outcome": GONE}, ""),
    ],
)
def test_tones_of_the_page(keys: dict[str, Any], tone: str) -> None:
    assert status.tone(pod("pod-1", "web", **keys)) == tone


@pytest.mark.parametrize(
    ("selector", "found"),
    [("!old", ["pod-1"]), ("app,!old", ["pod-1"]), ("app = web", ["pod-1"]), ("old!=yes", ["pod-1"])],
)
def test_a_selector_that_excludes(node: Node, run: Run, selector: str, found: list[str]) -> None:
    node.executor(
        "aaa", pod("pod-1", "a", labels={"app": "web"}), pod("pod-2", "b", labels={"app": "db", "old": "yes"})
    )
    assert run("ps", "-q", "-l", selector).out.split() == found


@pytest.mark.parametrize("selector", ["app in (web,db)", "app notin (web)", "", "!", "a b"])
def test_a_selector_that_is_none_is_no_empty_list(node: Node, run: Run, selector: str) -> None:
    node.executor("aaa", pod("pod-1", "a", labels={"app": "web"}))
    ran = run("ps", "-l", selector)
    assert (ran.code, "is not a selector of labels" in ran.err) == (2, True)


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(("pod_id", "word"), [("pod-3", "stuck"), ("pod-2", "backing-off"), ("pod-1", "running")])
def test_every_command_has_the_same_state_of_a_pod(run: Run, pod_id: str, word: str) -> None:
    """The document has the state of the life cycle; people read one word everywhere."""
    for command in ("inspect", "describe"):
        (line,) = [each for each in run(command, pod_id).out.splitlines() if each.startswith("state ")]
        assert line.split() == ["state", word], command
    assert f"  {word}  " in next(each for each in run("ps").out.splitlines() if each.startswith(pod_id))
