"""An ExecutorInfo whose variables would loosen what the operator's file says, on a real agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def variables(**values: str) -> dict[str, str]:
    return {f"MESOS_POD_EXECUTOR_{name}": value for name, value in values.items()}


def pids_max(rig: Rig) -> str:
    (pod,) = rig.pods()
    return Path("/sys/fs/cgroup/pids", pod["cgroup"].lstrip("/"), "pids.max").read_text().strip()


def test_variables_of_a_framework_do_not_loosen_the_operators_file(
    rig: Rig, scheduler: Scheduler, tmp_path: Path
) -> None:
    loose = variables(
        NODE_RUN_DIR=str(tmp_path / "run"),
        NODE_STATE_DIR=str(tmp_path / "state"),
        CNI_PLUGIN_DIRS=str(tmp_path),
        CGROUPS_ROOT="/elsewhere",
        PODS_PIDS_MAX="0",
        ROLES_LIMITS="",
        CONFIG=str(tmp_path / "own.toml"),
        LOG_LEVEL="debug",
    )
    operator = {"PODS_PIDS_MAX": "100", "ROLES_LIMITS": "*=cpus:1"}
    scheduler.launch([rig.pod("web")], rig.executor(config=operator, environment=loose))
    scheduler.wait_status("web", "TASK_RUNNING", 30)
    assert pids_max(rig) == "100", "the pod's, found through the control socket in the operator's run_dir"
    assert list(tmp_path.iterdir()) == []
    told = [event for event in rig.journal("mixed", scheduler) if event["code"] == "executor.variable_ineffective"]
    ineffective = {"NODE_RUN_DIR", "NODE_STATE_DIR", "CNI_PLUGIN_DIRS", "CGROUPS_ROOT", "PODS_PIDS_MAX", "CONFIG"}
    assert {event["variable"] for event in told} == {f"MESOS_POD_EXECUTOR_{name}" for name in ineffective}
    (pids,) = [event for event in told if event["key"] == "pods.pids_max"]
    assert (pids["level"], pids["in_force"]) == ("warning", "100") and "lower only" in pids["reason"] and pids["hint"]
    stderr = rig.agent.sandbox(scheduler.framework_id, "mixed") / "stderr"
    assert '"level": "debug"' in stderr.read_text(), "the level of the log is the framework's own"
    scheduler.kill("web", grace_s=0)
    scheduler.wait_status("web", "TASK_KILLED", 20)


def test_a_framework_may_tighten(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("web")], rig.executor(environment=variables(PODS_PIDS_MAX="50")))
    scheduler.wait_status("web", "TASK_RUNNING", 30)
    assert pids_max(rig) == "50"
    scheduler.kill("web", grace_s=0)
    scheduler.wait_status("web", "TASK_KILLED", 20)


def test_a_malformed_variable_takes_down_its_own_executor_only(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("good")], rig.executor("good"))
    scheduler.wait_status("good", "TASK_RUNNING", 30)
    bad = rig.executor("bad", environment=variables(LOG_LEVEL="loud"))
    scheduler.launch([rig.pod("never")], bad)
    scheduler.wait_status("never", "TASK_FAILED", 30)
    stderr = rig.agent.sandbox(scheduler.framework_id, "bad") / "stderr"
    line = wait_for(lambda: next((each for each in stderr.read_text().splitlines() if each.startswith("{")), None), 10)
    told = json.loads(line or "{}")
    assert (told["code"], told["subject"]) == ("executor.failed", "MESOS_POD_EXECUTOR_LOG_LEVEL")
    assert "one of debug" in told["error"]
    assert [pod["state"] for pod in rig.pods()] == ["running"]
    scheduler.kill("good", grace_s=0)
    scheduler.wait_status("good", "TASK_KILLED", 20)


def test_variables_that_steer_libraries_and_programs_have_no_effect(rig: Rig, scheduler: Scheduler) -> None:
    """A pod with a port rule needs gRPC, a plugin and iptables."""
    steering = {
        "http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1", "grpc_proxy": "http://127.0.0.1:1",
        "GRPC_TRACE": "all", "GRPC_VERBOSITY": "debug", "TMPDIR": "/nonexistent", "LC_ALL": "de_DE.ISO-8859-1",
    }  # fmt: skip
    info = rig.executor("mixed", environment=steering)
    info["command"]["value"] = f"export PATH=/nonexistent; {info['command']['value']}"
    container = {"ports": [{"containerPort": 80, "hostPort": 31500}]}
    task = rig.pod("web", container=container)
    task["resources"].append(messages.ranges("ports", (31500, 31500)))
    scheduler.launch([task], info)
    scheduler.wait_status("web", "TASK_RUNNING", 30)
    stderr = rig.agent.sandbox(scheduler.framework_id, "mixed") / "stderr"
    assert [line for line in stderr.read_text().splitlines() if not line.startswith(("{", "Overwriting"))] == []
    scheduler.kill("web", grace_s=0)
    scheduler.wait_status("web", "TASK_KILLED", 20)


def test_an_executor_cannot_take_another_ones_name(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("good")], rig.executor("good"))
    scheduler.wait_status("good", "TASK_RUNNING", 30)
    victim = rig.agent.sandbox(scheduler.framework_id, "good")
    for name, variables in (("thief", {"MESOS_DIRECTORY": str(victim)}), ("lost", {"MESOS_SANDBOX": "/etc"})):
        scheduler.launch([rig.pod(f"{name}-pod")], rig.executor(name, environment=variables))
        scheduler.wait_status(f"{name}-pod", "TASK_FAILED", 30)
        stderr = (rig.agent.sandbox(scheduler.framework_id, name) / "stderr").read_text()
        (line,) = [json.loads(each) for each in stderr.splitlines() if each.startswith("{")]
        assert (line["code"], line["subject"]) == ("executor.failed", next(iter(variables)))
    assert [pod["state"] for pod in rig.pods()] == ["running"]
    scheduler.kill("good", grace_s=0)
    scheduler.wait_status("good", "TASK_KILLED", 20)


def test_no_log_goes_to_a_directory_that_a_framework_names(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    info = rig.executor("lost", config={"LOG_TARGET": "sandbox"}, environment={"MESOS_SANDBOX": str(other)})
    scheduler.launch([rig.pod("lost-pod")], info)
    scheduler.wait_status("lost-pod", "TASK_FAILED", 30)
    assert list(other.iterdir()) == []
