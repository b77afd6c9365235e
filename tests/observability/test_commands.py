"""The commands on a real executor: what they print, to the letter, and their JSON against the published schemas."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from executor.codes import CODES
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.usefixtures("scheduler")]

# What differs from run to run, and the word that stands for it; a word keeps the width of its column where it can.
VARIABLE = (
    (r"pod-[0-9a-f]{12}", "pod-000000000000"),
    (r"10\.89\.\d+\.\d+", "10.89.0.0"),
    (r"/\S*/(pods|netns)/\S*", r"PATH/\1"),
    (r"\d{4}-\d\d-\d\dT\S*Z", "TIME"),
    (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
    (r"=[0-9.]+", "=N"),
    (r"(?<=age_s                )[0-9.]+", "N"),
)
PS = """\
POD NAME CLASS ROLE STATE READY RESTARTS AGE IPS EXECUTOR
pod-000000000000 default/web regular * running 1/1 0 AGE 10.89.0.0 mixed
pod-000000000000 shop/pair regular * running 2/2 0 AGE 10.89.0.0 mixed
"""
INSPECT = """\
pod                  pod-000000000000
name                 pair
namespace            shop
class                regular
role                 *
state                running
tasks                pair
ips                  10.89.0.0
cgroup               PATH/pods
started_at           TIME
age_s                N
executor             mixed
labels               app=x
annotations          -
resources            cpus=N,mem_bytes=N
restart_policy       Never
termination_grace_s  2.0
hostname             pair
netns                PATH/netns
networks             podnet eth0 10.89.0.0/16 MAC
phases_ms            queued=N,sandbox=N,network=N,containers=N,start=N
usage                cpu_usage_usec=N,memory_bytes=N,pids=N

CONTAINER STATE PID EXIT RESTARTS IMAGE
left running PID - 0 docker.io/library/busybox:test
right running PID - 0 docker.io/library/busybox:test

left stdout  PATH/pods
left stderr  PATH/pods
right stdout  PATH/pods
right stderr  PATH/pods
"""
TOP = """\
CLASS PODS CPUS USED MEM USED PSI CPU PSI MEMORY PSI IO EXECUTOR
regular 2 0.2 N 64 MiB N MiB N % N % N % mixed
revocable 0 0 N 0 MiB N MiB N % N % N % mixed

POD NAME CLASS ROLE STATE CPUS USED MEM USED
pod-000000000000 shop/pair regular * running 0.1 N 32 MiB N MiB
pod-000000000000 default/web regular * running 0.1 N 32 MiB N MiB
"""


def constant(text: str) -> str:
    for pattern, word in VARIABLE:
        text = re.sub(pattern, word, text)
    return text


def columns(text: str) -> str:
    """Tables with one space between columns: widths follow what varies."""
    return "".join(f"{' '.join(line.split())}\n" for line in constant(text).splitlines())


def check(schema: str, document: Any) -> None:
    assert faults(schema, document) == []


def test_ps(rig: Rig) -> None:
    lines = columns(rig.command("ps").stdout).splitlines(keepends=True)
    text = re.sub(r" \d+[smh]\S* ", " AGE ", "".join([lines[0], *sorted(lines[1:])]))
    assert text == PS
    check("ps", rig.json("ps"))
    assert rig.json("ps", "--class", "revocable") == {"pods": []}


def test_inspect(rig: Rig) -> None:
    head, table, logs = constant(rig.command("inspect", "pair").stdout).split("\n\n")
    assert "\n\n".join([head, re.sub(r"running \d+", "running PID", columns(table).rstrip()), logs]) == INSPECT
    for name in ("web", "pair"):
        check("inspect", rig.json("inspect", name))


def test_top(rig: Rig) -> None:
    text = columns(rig.command("top", "--once", "--sort", "name").stdout)
    text = re.sub(r"(?<=0\.[12] )\d+\.\d\d|(?<=2 0\.2 )\S+|(?<= 0 0 )\d+\.\d\d", "N", text)
    text = re.sub(r"(?<=64 MiB |32 MiB )\d+|(?<=N 0 MiB )\d+", "N", text)
    text = re.sub(r"[\d.]+ %", "N %", text)
    assert sorted(text.splitlines()) == sorted(TOP.splitlines())
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
    line = [*rig.program, "top", "--interval", "0.2"]
    with subprocess.Popen(line, env=_environment(rig), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = ""
        while seen.count("\x1b[H\x1b[2J") < 3:
            seen += process.stdout.readline()
        process.send_signal(2)
        assert process.wait(10) == 130
    assert seen.count("default/web") >= 2


def test_logs(rig: Rig) -> None:
    done = rig.command("logs", "web")
    assert (done.stdout, done.stderr) == ("one\ntwo\n", "oops\n")
    assert rig.command("logs", "web", "--tail", "1", "--stream", "stdout").stdout == "two\n"
    lines = [json.loads(line) for line in rig.command("logs", "web", "--json").stdout.splitlines()]
    for line in lines:
        check("logs", line)
    assert lines[0] == {"stream": "stdout", "line": "one"}


def test_events(rig: Rig) -> None:
    lines = [json.loads(line) for line in rig.command("events", "--json").stdout.splitlines()]
    for line in lines:
        check("event", line)
        assert CODES[line["code"]].level.name.lower() == line["level"]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert {"executor.started", "mesos.subscribed", "pod.running"} <= {line["code"] for line in lines}
    assert len(rig.command("events", "--since", str(len(lines) - 1)).stdout.splitlines()) >= 1


def test_a_revocation_and_its_receipts(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("batch", revocable=True)], rig.executor())
    scheduler.wait_status("batch", "TASK_RUNNING", 30)
    check("receipt", rig.json("revoke", "--all", "--dry-run"))
    receipt = rig.json("revoke", "--all", "--grace", "1s", "--id", "obs-1")
    check("receipt", receipt)
    told = json.loads(scheduler.wait_message(lambda data: b"obs-1" in data))
    check("message", told)
    assert told["revocation"]["victims"][0]["pod"] == receipt["victims"][0]["pod"]
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


def test_an_error_names_what_is_wrong(rig: Rig) -> None:
    done = rig.command("inspect", "nobody", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("mesos-pod-executor: nobody: no such pod")


def _environment(rig: Rig) -> dict[str, str]:
    return {**os.environ, **rig.environment()}


def _stderr(rig: Rig) -> str:
    return "".join(path.read_text() for sandbox in rig.sandboxes() for path in sandbox.glob("stderr"))
