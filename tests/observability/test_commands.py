"""The commands on a real executor: what they print, to the letter, and their JSON against the published schemas."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from executor.log.codes import CODES
from tests.support.golden import expected
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.usefixtures("scheduler")]

GOLDEN = Path(__file__).with_name("golden")

# What differs from run to run, and the word that stands for it.
VARIABLE = (
    (r"pod-[0-9a-f]{12}", "POD"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-\d{4}|-S\d+)?", "UUID"),
    (r"\bexec-[0-9a-f]{12}", "EXEC"),
    (r"10\.89\.\d+\.\d+", "IP"),
    (r"10-89-\d+-\d+", "I-P"),
    (r"-[0-9a-z]{5}-s\d\.", "-HASH-s0."),
    (r"/\S*/(pods|netns)/\S*", r"PATH/\1"),
    (r"/run/mpe-rig-\w+", "RUN_DIR"),
    (r"\d{4}-\d\d-\d\dT\S*Z", "TIME"),
    (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
    (r"(?<=[a-z_]=)[0-9][0-9.]*(?=[, \n])", "N"),
    (r"(?<=[a-z]:)[0-9][0-9.]*(?=[, \n])", "N"),
    (r"(?<=^age_s )[0-9.]+", "N"),
    (r"\b\d\.\d\d\b", "N"),
    (r"containers([:=])N,network[:=]N", r"network\1N,containers\1N"),  # they overlap, and end in any order
    (r"[\d.]+ (ms|%)", r"N \1"),
    (r"(?<= )(none measured yet|p50 N ms, p90 N ms, p99 N ms of \d+)$", "TIMES"),  # of other tests' revocations too
    (r"(?:(?<=MiB )|(?<= 0 B ))[\d.]+ (B|KiB|MiB)", "SIZE"),
    (r"(exited yes) \S+ 0.1 \S+ \d+ (B|KiB|MiB)", r"\1 N 0.1 N SIZE"),
    (r"(?<=POD late 0.1 )\S+ \d+ (B|KiB|MiB)", "N SIZE"),
    (r"(?:(?<= cpus, )|(?<= cpus, up to )|(?<=^freed later ))[\d.]+ (B|KiB|MiB)", "SIZE"),
    (r"(?<= running )\d+ (?=- 0 )", "PID "),
    (r" (\d+[dhms]){1,2} ", " AGE "),
    (r"^disk total_bytes=.*\n", ""),  # counted by now, or not yet
    (r"^(eth0 veth) .*", r"\1 IPS MTU SIZE SIZE N N"),
    (r"^(\S+) (\S+) eth0$", r"ROUTE GATEWAY eth0"),
    (r"(?<=SIZE )(SIZE|\S+ [KM]?i?B) (SIZE|\S+ [KM]?i?B) [\d.]+ -$", "SIZE SIZE N -"),
)
PRINTED = {
    "ps": ["ps"],
    "inspect": ["inspect", "shop/pair"],
    "top": ["top", "--once", "--sort", "name"],
    "events": ["events", "--code", "executor", "--code", "mesos"],
    "rehearse": ["rehearse", "--all"],
    "gc": ["gc", "--dry-run"],
    "log-level": ["log-level"],
    "dns": ["dns"],
    "executor-info": ["executor-info"],
    "exec": ["exec", "web", "--", "sh", "-c", "echo $GREETING; pwd; id -u"],
}
ERRORS = (
    ["inspect", "nobody"],
    ["logs", "nobody"],
    ["logs", "web", "nobody"],
    ["logs", "pair"],
    ["exec", "nobody", "--", "true"],
    ["exec", "web", "-c", "nobody", "--", "true"],
    ["exec", "web", "--", "nothing"],
    ["--executor", "nobody", "ps"],
    ["why", "nobody"],
    ["report", "nobody"],
    ["revoke", "--task", "nobody"],
    ["revoke", "--task", "web"],
    ["revoke", "--reclaim-cpus", "99"],
    ["revoke", "--all", "--grace", "soon"],
    ["rehearse", "--task", "nobody"],
)


def constant(text: str) -> str:
    """With one space between columns, whose widths follow what varies, and a table's pods in one order."""
    text = "".join(f"{' '.join(line.split())}\n" for line in text.splitlines())
    for pattern, word in VARIABLE:
        text = re.sub(pattern, word, text, flags=re.M)
    return re.sub(
        r"(^(UUID )?POD .*\n)+", lambda rows: "".join(sorted(rows[0].splitlines(keepends=True))), text, flags=re.M
    )


def compare(name: str, text: str) -> None:
    printed = constant(text)
    assert printed == expected(GOLDEN / f"{name}.txt", printed)


def check(schema: str, document: Any) -> None:
    assert faults(schema, document) == []


@pytest.mark.parametrize("name", PRINTED)
def test_what_is_printed(rig: Rig, name: str) -> None:
    compare(name, rig.command(*PRINTED[name]).stdout)


def test_the_story_of_a_launch(rig: Rig) -> None:
    """To its end: what other tests did with the pod afterwards is another story."""
    lines = rig.command("why", "web").stdout.splitlines()
    launched = next(number for number, line in enumerate(lines, 1) if " pod.running " in line)
    compare("why", "\n".join(lines[:launched]))


def test_the_json_of_pods(rig: Rig) -> None:
    check("ps", rig.json("ps"))
    assert rig.json("ps", "--class", "revocable") == {"pods": []}
    for name in ("web", "shop/pair", "default/web"):
        check("inspect", rig.json("inspect", name))
    check("top", rig.json("top"))


def test_top_sees_work_and_where_it_is_done(rig: Rig) -> None:
    busy = ("sh", "-c", "timeout 6 sh -c 'while :; do :; done'")
    with subprocess.Popen([*rig.program, "exec", "web", "--", *busy], env=_environment(rig)) as process:
        time.sleep(1)
        document = rig.json("top")
        process.kill()
    used = {each["name"]: each["cpus_used"] for each in document["pods"]}
    assert used["web"] > 0.05 > used["pair"], "even where many others want the cores"
    assert document["pods"][0]["name"] == "web", "the busiest comes first"
    (regular,) = [each for each in document["classes"] if each["class"] == "regular"]
    assert regular["cpus_used"] == pytest.approx(used["web"], abs=0.3)


def test_top_goes_on_until_it_is_interrupted(rig: Rig) -> None:
    """On what is not a terminal, one picture after the other, without a terminal's commands."""
    line = [*rig.program, "top", "--interval", "0.2"]
    with subprocess.Popen(line, env=_environment(rig), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = ""
        while seen.count("2 pods, 1 executor\n") < 3:
            seen += process.stdout.readline()
        process.send_signal(2)
        assert process.wait(10) == 130
    assert seen.count("default/web") >= 2 and "\x1b" not in seen


def test_top_has_a_screen_of_its_own_on_a_terminal(rig: Rig) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (14, 60))
    environment = {name: value for name, value in _environment(rig).items() if name not in ("COLUMNS", "LINES")}
    line = [*rig.program, "top", "--interval", "0.2"]
    with subprocess.Popen(line, env={**environment, "TERM": "xterm"}, stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        seen = b""
        while seen.count(b"q ends it") < 2:
            seen += os.read(ours, 4096)
        os.write(ours, b"q")
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while block := os.read(ours, 4096):
                seen += block
        assert process.wait(10) == 0
    os.close(ours)
    assert seen.startswith(b"\x1b[?1049h") and b"\x1b[?1049l" in seen, "the terminal is as it was"
    assert b"default/web" in seen and b"no room for: " in seen


def test_logs(rig: Rig) -> None:
    done = rig.command("logs", "web")
    assert (done.stdout, done.stderr) == ("one\ntwo\n", "oops\n")
    assert rig.command("logs", "web", "--tail", "1", "--stream", "stdout").stdout == "two\n"
    lines = [json.loads(line) for line in rig.command("logs", "web", "--json").stdout.splitlines()]
    for line in lines:
        check("logs", line)
    assert lines[0].pop("time")[:2] == "20"
    assert lines[0] == {"container": "app", "stream": "stdout", "line": "one"}


def test_events(rig: Rig) -> None:
    lines = [json.loads(line) for line in rig.command("events", "--json").stdout.splitlines()]
    for line in lines:
        check("event", line)
        assert line["level"] in CODES[line["code"]].levels
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert {"executor.started", "mesos.subscribed", "pod.running"} <= {line["code"] for line in lines}
    assert len(rig.command("events", "--since", str(len(lines) - 1)).stdout.splitlines()) >= 1


def test_a_revocation_and_its_receipts(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod(name, revocable=True) for name in ("batch", "late")], rig.executor())
    for name in ("batch", "late"):
        scheduler.wait_status(name, "TASK_RUNNING", 30)
    check("receipt", rig.json("revoke", "--all", "--dry-run"))
    receipt = rig.json("revoke", "--task", "batch", "--grace", "1s", "--id", "obs-1")
    check("receipt", receipt)
    told = json.loads(scheduler.wait_message(lambda data: b"obs-1" in data))
    check("message", told)
    assert told["revocation"]["victims"][0]["pod"] == receipt["victims"][0]["pod"]
    compare("revoke-dry-run", rig.command("revoke", "--all", "--dry-run", "--id", "obs-2").stdout)
    compare("revoke", rig.command("revoke", "--all", "--grace", "9s", "--reason", "night", "--id", "obs-3").stdout)
    scheduler.wait_status("late", "TASK_GONE", 30)
    ended = {each["name"]: each["outcome"]["state"] for each in rig.json("ps", "--all")["pods"] if "outcome" in each}
    assert ended["batch"] == ended["late"] == "TASK_GONE"
    check("ps", rig.json("ps", "--all"))
    again = rig.command("revoke", "--task", "batch", check=False)
    assert again.returncode == 3 and "mesos-pod-executor why TASK" in again.stderr
    assert "pod.ended" in {each["code"] for each in rig.json("why", "batch")["events"]}, "the next step leads on"
    scheduler.message(scheduler.wait_offers()[0]["agent_id"]["value"], "mixed", b"{}")
    check("message", json.loads(scheduler.wait_message(lambda data: b'"error"' in data)))


def test_the_log_level_changes_at_run_time(rig: Rig) -> None:
    check("log-level", rig.json("log-level"))
    try:
        changed = rig.json("log-level", "debug")
        check("log-level", changed)
        assert [each["level"] for each in changed["executors"]] == ["debug"]
        rig.command("exec", "web", "--", "true")
        assert rig.json("log-level") == changed
    finally:
        rig.command("log-level", "info")
    stderr = wait_for(lambda: text if '"log.level"' in (text := _stderr(rig)) else None, 5)
    assert stderr is not None and stderr.count('"log.level"') == 2
    assert rig.command("log-level", "loud", check=False).returncode == 2


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ("version", ["version"]),
        ("check-config", ["check-config"]),
        ("executor-info", ["executor-info"]),
        ("metrics", ["metrics"]),
        ("exec", ["exec", "web"]),
        ("dns", ["dns"]),
        ("why", ["why", "web"]),
        ("doctor", ["doctor"]),
        ("gc", ["gc", "--dry-run"]),
        ("rehearse", ["rehearse", "--all", "--exercise"]),
    ],
)
def test_the_json_of_the_others(rig: Rig, schema: str, arguments: list[str]) -> None:
    command = ["--", "true"] if schema == "exec" else []
    check(schema, json.loads(rig.command(*arguments, "--json", *command, check=schema != "doctor").stdout))


def test_the_json_of_validate(rig: Rig, tmp_path: Path) -> None:
    files = {"pod": rig.pod("x"), "executor": rig.executor()}
    files["pod"]["agent_id"] = {"value": "a"}
    for resource in files["pod"]["resources"]:
        resource["allocation_info"] = {"role": "*"}
    for kind, document in files.items():
        (tmp_path / kind).write_text(json.dumps(document))
        found = rig.json("validate", str(tmp_path / kind))
        check("validate", found)
        assert found["kind"] == kind


def test_errors_name_what_is_wrong_and_the_next_step(rig: Rig) -> None:
    told = ""
    for line in ERRORS:
        done = rig.command(*line, check=False)
        assert done.stdout == ""
        told += f"$ mesos-pod-executor {' '.join(line)}\n{done.stderr}exit code {done.returncode}\n\n"
    compare("errors", told)


@pytest.mark.parametrize("line", [["exec", "--json", "web", "--", "nothing"], ["revoke", "--json", "--task", "web"]])
def test_an_error_of_the_executor_as_json(rig: Rig, line: list[str]) -> None:
    done = rig.command(*line, check=False)
    check("error", document := json.loads(done.stdout))
    assert done.returncode and document["error"]["message"] in done.stderr


def test_the_metrics_by_name(rig: Rig) -> None:
    """Values and labels vary; what is measured does not."""
    lines = rig.command("metrics").stdout.splitlines()
    compare("metrics", "\n".join(line for line in lines if line.startswith("#")))


def test_what_the_doctor_examines(rig: Rig) -> None:
    """What it finds is the node's own; which checks there are, and in which order, is not."""
    lines = rig.command("doctor", check=False).stdout.splitlines()
    checks = [line.partition(": ")[0].split("  ")[-1] for line in lines if not line.startswith((" ", "this node"))]
    compare("doctor", "\n".join(dict.fromkeys(checks)))
    assert lines[-1].startswith("this node: ")


def _environment(rig: Rig) -> dict[str, str]:
    return {**os.environ, **rig.environment()}


def _stderr(rig: Rig) -> str:
    return "".join(path.read_text() for sandbox in rig.sandboxes() for path in sandbox.glob("stderr"))
