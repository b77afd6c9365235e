"""`run`: the pods of a file on a real master and agent, from one terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from executor.cli.launch.run_loop import FAILOVER_S
from tests.support.mesos.messages import scalar
from tests.support.relay import Relay
from tests.support.rig import IMAGE, Rig, wait_for
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(120)]
DEATH_S = 20.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


class Terminal:
    """`run` with these files, as a person starts it."""

    def __init__(self, rig: Rig, directory: Path) -> None:
        self._rig, self._directory = rig, directory
        self._processes: list[subprocess.Popen[str]] = []

    def command(
        self, documents: list[dict[str, Any]], *options: str, cpus_revocable: bool = False, master: str = ""
    ) -> list[str]:
        file, info = self._directory / "pods.json", self._directory / "executor.json"
        file.write_text(json.dumps({"kind": "List", "items": documents}))
        cpus = scalar("cpus", 0.1, revocable=cpus_revocable)
        executor = self._rig.executor("run", resources=[cpus, scalar("mem", 128), scalar("disk", 32)])
        info.write_text(json.dumps(executor))
        own = ["--master", master or self._rig.cluster.endpoint, "--executor-info", str(info)]
        if cpus_revocable:
            own.append("--revocable")
        return [*self._rig.program, "run", str(file), *own, *options]

    def start(self, documents: list[dict[str, Any]], *options: str, **more: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, **self._rig.environment()}
        line = self.command(documents, *options, **more)
        pipe = subprocess.PIPE
        process = subprocess.Popen(line, env=environment, stdout=pipe, stderr=pipe, text=True)
        self._processes.append(process)
        return process

    def close(self) -> None:
        """Ends the processes that a failed test left."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=30)

    def run(self, documents: list[dict[str, Any]], *options: str, **more: Any) -> tuple[int, str, str]:
        process = self.start(documents, *options, **more)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def terminal(rig: Rig, tmp_path: Path) -> Iterator[Terminal]:
    """Nothing of what ran is left, and the master has no framework any more."""
    with closing(Terminal(rig, tmp_path)) as made:
        yield made
    left = wait_for(lambda: None if frameworks(rig) else True, DEATH_S)
    assert left, frameworks(rig)
    assert not any(rig.wait_clean().values())


def frameworks(rig: Rig) -> list[Any]:
    found = rig.cluster.master.operator.call("GET_FRAMEWORKS")["get_frameworks"]
    return list(found.get("frameworks", ()))


def pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "app", "image": IMAGE, "command": ["sh", "-c", script]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2, "containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def job(name: str, count: int, script: str) -> dict[str, Any]:
    template = {"spec": pod(name, script)["spec"]}
    spec = {"parallelism": count, "completions": count, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended without {text!r}")


def test_output_states_and_exit_code_of_a_pod(terminal: Terminal) -> None:
    code, out, err = terminal.run([pod("one", "echo first; echo second >&2; sleep 0.5; echo third; exit 7")])
    assert code == 7
    assert out == "first\nthird\n"
    assert "\nsecond\n" in f"\n{err}"
    states = [line.split()[2] for line in err.splitlines() if line.startswith("mesos-pod-executor: one ")]
    assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"], err


def test_all_output_is_there_however_much_there_is(terminal: Terminal) -> None:
    code, out, _ = terminal.run([pod("much", "seq 200000")])
    assert code == 0
    assert out.splitlines() == [str(number) for number in range(1, 200001)]


def test_the_pods_of_a_job_are_named_on_each_line(terminal: Terminal) -> None:
    code, out, _ = terminal.run([job("sums", 3, "echo $HOSTNAME; printf tail")])
    assert code == 0
    assert sorted(out.splitlines()) == sorted(
        line for number in range(3) for line in (f"[sums-{number}/app] sums-{number}", f"[sums-{number}/app] tail")
    )


def test_json_has_a_line_for_each_state_and_each_line_of_output(terminal: Terminal) -> None:
    code, out, err = terminal.run([pod("one", "echo hello; exit 3")], "--json")
    assert code == 3 and err == ""
    lines = [json.loads(line) for line in out.splitlines()]
    assert [fault for line in lines for fault in faults("run", line)] == []
    assert [line["state"] for line in lines if "state" in line][-1] == "TASK_FAILED"
    assert {"task": "one", "container": "app", "stream": "stdout", "line": "hello"} in lines


def test_a_revocable_pod_runs_on_revocable_cpus_and_its_revocation_is_an_error(rig: Rig, terminal: Terminal) -> None:
    process = terminal.start([pod("batch", "sleep 1000")], cpus_revocable=True)
    read_until(process, "batch TASK_RUNNING")
    assert [each["class"] for each in rig.pods()] == ["revocable"]
    assert rig.json("revoke", "--all", "--reason", "a test")["state"] == "done"
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "TASK_GONE" in err and "a test" in err


def test_ctrl_c_kills_the_pod_and_its_exit_code_is_that_of_the_container(terminal: Terminal) -> None:
    process = terminal.start([pod("web", "trap 'echo bye; exit 9' TERM; sleep 1000 & wait")])
    read_until(process, "web TASK_RUNNING")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (9, "bye\n"), err
    assert "TASK_KILLED" in err


def test_a_second_ctrl_c_leaves_at_once_and_the_master_kills_the_pod(rig: Rig, terminal: Terminal) -> None:
    stubborn = pod("stubborn", "trap '' TERM; while :; do sleep 1; done", terminationGracePeriodSeconds=60)
    process = terminal.start([stubborn])
    read_until(process, "stubborn TASK_RUNNING")
    process.send_signal(signal.SIGINT)
    read_until(process, "Ctrl-C again")
    began_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert time.monotonic() - began_s < 5


def test_what_fits_nowhere_waits_with_a_reason_and_ctrl_c_ends_it(terminal: Terminal) -> None:
    large = {"requests": {"cpu": "1000"}}
    container = {"name": "app", "image": IMAGE, "command": ["true"], "resources": large}
    process = terminal.start([pod("large", "", containers=[container])])
    read_until(process, "no agent offers 1000.1 cpus: the most is 64")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


def test_a_pod_that_the_node_refuses_says_why(terminal: Terminal) -> None:
    container = {"name": "app", "image": "docker.io/library/absent:1", "imagePullPolicy": "Never", "command": ["true"]}
    code, _, err = terminal.run([pod("absent", "", containers=[container])])
    assert code == 1
    assert "absent TASK_FAILED" in err and "docker.io/library/absent:1" in err


def test_a_file_with_a_fault_is_refused_before_anything_is_launched(terminal: Terminal) -> None:
    code, _, err = terminal.run([pod("one", "true", restartPolicy="Sometimes")])
    assert code == 6
    assert "spec.restartPolicy" in err


def test_a_master_that_is_not_there_is_named(rig: Rig, terminal: Terminal) -> None:
    line = [*rig.program, "run", "-", "--master", "127.0.0.1:1"]
    environment = {**os.environ, **rig.environment()}
    text = json.dumps(pod("one", "true"))
    ran = subprocess.run(line, env=environment, input=text, capture_output=True, text=True, check=False, timeout=30)
    assert ran.returncode == 1
    assert "127.0.0.1:1: does not answer" in ran.stderr


def test_a_lost_connection_to_the_master_makes_no_difference(rig: Rig, terminal: Terminal) -> None:
    with Relay(rig.cluster.endpoint) as relay:
        process = terminal.start([pod("long", "echo begin; sleep 4; echo end; exit 4")], master=relay.endpoint)
        read_until(process, "long TASK_RUNNING")
        relay.cut()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "begin\nend\n"), err
    assert "trying again" in err


def test_pods_of_a_killed_run_end_with_its_framework(rig: Rig, terminal: Terminal) -> None:
    process = terminal.start([pod("orphan", "sleep 1000")])
    read_until(process, "orphan TASK_RUNNING")
    process.kill()
    process.communicate()
    assert wait_for(lambda: None if frameworks(rig) else True, FAILOVER_S + DEATH_S)


SET = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "app",
                        "image": IMAGE,
                        "command": ["sh", "-c", "echo x >> /data/x; wc -l < /data/x; sleep 1000"],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ],
            },
        },
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
            }
        ],
    },
}


def test_claims_become_volumes_that_the_next_run_finds_again(terminal: Terminal) -> None:
    for times in (1, 2):
        process = terminal.start([SET], "--role", "eng")
        assert process.stdout is not None
        lines = sorted(process.stdout.readline() for _ in range(2))
        assert lines == [f"[db-{number}/app] {times}\n" for number in range(2)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert err.count("makes the persistent volume data-db-") == (2 if times == 1 else 0), err


def test_claims_without_a_role_are_refused_before_anything_is_launched(terminal: Terminal) -> None:
    code, _, err = terminal.run([SET])
    assert code == 6
    assert "data-db-0, data-db-1" in err and "--role" in err


def test_an_agent_without_the_program_is_explained(rig: Rig, terminal: Terminal) -> None:
    line = [*rig.program, "run", "-", "--master", rig.cluster.endpoint, "--command", "/absent/mesos-pod-executor"]
    environment = {**os.environ, **rig.environment()}
    text = json.dumps(pod("one", "true"))
    ran = subprocess.run(line, env=environment, input=text, capture_output=True, text=True, check=False, timeout=30)
    assert ran.returncode == 1
    assert "wrote: Failed to execute '/absent/mesos-pod-executor': No such file or directory" in ran.stderr
    assert "the agent starts /absent/mesos-pod-executor: install the package there" in ran.stderr


def test_a_program_of_another_place_and_another_configuration_are_named(
    rig: Rig, terminal: Terminal, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    environment = " ".join(f"{name}={value}" for name, value in rig.program_environment.items())
    program.write_text(f'#!/bin/sh\nexec env {environment} {" ".join(rig.program)} "$@"\n')
    program.chmod(0o755)
    own = ["--command", str(program), *rig.options({})]
    line = [*rig.program, "run", "-", "--master", rig.cluster.endpoint, *own]
    text = json.dumps(pod("one", "echo hello"))
    ran = subprocess.run(
        line,
        env={**os.environ, **rig.environment()},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ran.returncode, ran.stdout) == (0, "hello\n"), ran.stderr
