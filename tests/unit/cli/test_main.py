"""The program as a whole: help, exit codes, and the commands that need no executor."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from executor import __version__
from executor.cli.exits import MEANINGS, Exit, Unreachable, of
from executor.cli.launch.executor_info import executor_info
from executor.cli.main import COMMANDS
from executor.errors import Failure, InvalidConfig, NotFound, Refused
from tests.unit.cli.conftest import POD, Run


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**{key: value for key, value in os.environ.items() if not key.startswith("MESOS_")}, **environ}
    command = [sys.executable, "-m", "executor", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def test_without_arguments_and_mesos_it_prints_help() -> None:
    ran = program()
    assert ran.returncode == Exit.OK
    words = " ".join(ran.stdout.split())
    assert all(f"{name} {meaning}" in words for name, meaning in COMMANDS.items())
    assert all(f"{code} {meaning}" in words for code, meaning in MEANINGS.items())


def test_started_by_an_agent_it_is_the_executor() -> None:
    ran = program(MESOS_EXECUTOR_ID="e", MESOS_POD_EXECUTOR_LOG_LEVLE="debug")
    assert ran.returncode == Exit.FAILURE
    (line,) = ran.stderr.splitlines()
    assert json.loads(line)["code"] == "executor.failed"
    assert json.loads(line)["subject"] == "MESOS_POD_EXECUTOR_LOG_LEVLE"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(run: Run, name: str) -> None:
    ran = run(name, "--help")
    assert ran.code == Exit.OK
    assert "--json" in ran.out


@pytest.mark.parametrize("arguments", [["nothing"], ["ps", "--nothing"], ["inspect"], ["--nothing"]])
def test_wrong_usage_is_one_line(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert ran.err.startswith("mesos-pod-executor: ")
    assert ran.err.count("\n") == 1


def test_every_exit_code_is_documented() -> None:
    assert set(MEANINGS) == set(Exit)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unreachable("x"), Exit.UNREACHABLE),
        (NotFound("x"), Exit.NOT_FOUND),
        (Refused("x"), Exit.REFUSED),
        (InvalidConfig("x"), Exit.INVALID),
        (Failure("x"), Exit.FAILURE),
    ],
)
def test_errors_have_exit_codes(error: Any, code: Exit) -> None:
    assert of(error) == code


def test_version(run: Run) -> None:
    assert run("--version").out == run("version").out
    assert run("version").out == f"mesos-pod-executor {__version__}\n"
    assert run("version", "--json").json["version"] == __version__


def test_check_config_prints_what_is_in_force(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    limits = 'limits = {eng = {cpus = 4, mem = "1Ki"}}'
    file.write_text(f'[log]\nlevel = "debug"\n[roles]\nnamespace_to_role = {{a = "eng"}}\n{limits}\n')
    ran = run("check-config", str(file))
    assert 'log.level = "debug"  # framework: any value\n' in ran.out
    assert 'roles.namespace_to_role = {"a" = "eng"}  # framework: more namespaces only\n' in ran.out
    assert 'node.run_dir = "/run/mesos-pod-executor"  # operator only\n' in ran.out
    roles = {"namespace_to_role": {"a": "eng"}, "limits": {"eng": "cpus:4;mem:1024"}}
    assert run("check-config", str(file), "--json").json["roles"] == roles
    file.write_text("[log]\nlevle = 1\n")
    ran = run("check-config", str(file))
    assert ran.code == Exit.INVALID
    assert "did you mean level?" in ran.err
    assert run("check-config", str(tmp_path / "none")).code == Exit.NOT_FOUND
    assert run("check-config", "--default").out.startswith("# Configuration")


def test_check_config_tells_all_faults(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[log]\nlevle = 1\nformat = 'x'\n[nothing]\na = 1\n[pods]\npids_max = -1\nlog_files = 1\n")
    ran = run("check-config", str(file))
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.INVALID, "", 4)
    assert [word for word in ("log.levle", "log.format", "[nothing]", "pods.pids_max") if word not in ran.err] == []
    lines = run("check-config", str(file), "--json").out.splitlines()
    assert [json.loads(line)["error"]["subject"].rpartition(": ")[2] for line in lines] == [
        "log.levle", "log.format", "[nothing]", "pods.pids_max",
    ]  # fmt: skip


def test_check_config_judges_an_executors_environment(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[pods]\npids_max = 100\n")
    asked = {f"MESOS_POD_EXECUTOR_{name}": text for name, text in (("PODS_PIDS_MAX", "0"), ("LOG_LEVEL", "debug"))}
    ran = program("--config", str(file), "check-config", "--as-executor", **asked)
    assert ran.returncode == Exit.OK
    assert "pods.pids_max = 100  #" in ran.stdout and 'log.level = "debug"  #' in ran.stdout
    assert "MESOS_POD_EXECUTOR_PODS_PIDS_MAX takes no effect" in ran.stderr and "pods.pids_max = 100" in ran.stderr
    document = json.loads(program("check-config", str(file), "--as-executor", "--json", **asked).stdout)
    assert document["pods"]["pids_max"] == 100 and document["set_by"]["node.run_dir"] == "operator only"
    assert document["ineffective"]["MESOS_POD_EXECUTOR_PODS_PIDS_MAX"]["in_force"] == "100"
    assert "pods.pids_max = 0  #" in program("check-config", str(file), **asked).stdout, "an operator's shell"
    wrong = {"MESOS_POD_EXECUTOR_LOG_LEVEL": "loud", "MESOS_POD_EXECUTOR_LOG_LEVLE": "info"}
    ran = program("check-config", str(file), "--as-executor", **wrong)
    assert (ran.returncode, ran.stderr.count("\n")) == (Exit.INVALID, 2)


@pytest.mark.parametrize("form", [("--config", "{}"), ("--config={}",)])
def test_the_executor_reads_the_file_of_its_command_line(tmp_path: Path, form: tuple[str, ...]) -> None:
    options = [each.format(tmp_path / "own.toml") for each in form]
    ran = program(*options, MESOS_EXECUTOR_ID="e")
    assert ran.returncode == Exit.FAILURE and json.loads(ran.stderr)["error"] == "no such file"
    (tmp_path / "own.toml").write_text("[log]\nformat = 'console'\n")
    ran = program(*options, MESOS_EXECUTOR_ID="e")
    assert ran.returncode == Exit.FAILURE and "MESOS_DIRECTORY" in ran.stderr and not ran.stderr.startswith("{")


@pytest.mark.parametrize("line", [["--config"], ["--config="], ["--confg", "x"], ["--config", "x", "y"]])
def test_a_wrong_line_of_an_executor_is_one_error(line: list[str]) -> None:
    ran = program(*line, MESOS_EXECUTOR_ID="e")
    assert (ran.returncode, ran.stderr.count("\n")) == (Exit.USAGE, 1), ran.stderr


def test_the_socket_directory_comes_from_the_configuration(tmp_path: Path) -> None:
    ran = program("ps", "--json", MESOS_POD_EXECUTOR_NODE_RUN_DIR=str(tmp_path))
    assert (ran.returncode, json.loads(ran.stdout)) == (Exit.OK, {"pods": []})
    assert program("ps", MESOS_POD_EXECUTOR_NODE_RUN_DIR="relative").returncode == Exit.INVALID


def test_a_directory_is_no_configuration(run: Run, tmp_path: Path) -> None:
    ran = run("check-config", str(tmp_path))
    assert ran.code == Exit.INVALID and ran.err.startswith(f"mesos-pod-executor: {tmp_path}: cannot be read: Is a dir")


@pytest.mark.parametrize("arguments", [["check-config"], ["check-config", "--json"], ["version"], ["metrics"]])
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    line = [sys.executable, "-m", "executor", *arguments]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    told = "standard output: cannot be written: No space left on device (make room, or write somewhere else)"
    assert (ran.returncode, ran.stderr) == (Exit.FAILURE, f"mesos-pod-executor: {told}\n")


def test_output_that_nobody_wants_is_no_error() -> None:
    line = f"{sys.executable} -m executor version"
    assert subprocess.run(["sh", "-c", f"{line} >&-"], capture_output=True, check=True).stderr == b""
    assert subprocess.run(["sh", "-c", f"{line} 2>&- | head -c 1"], capture_output=True, check=True).stdout == b"m"


def test_executor_info_keeps_the_masters_rules(run: Run) -> None:
    resources = {}
    for kind in ("mixed", "regular", "revocable"):
        info = run("executor-info", "--class", kind, "--json").json
        assert info["type"] == "CUSTOM"
        assert info["command"]["shell"] is False
        resources[kind] = {each["name"]: "revocable" in each for each in info["resources"]}
    assert resources == {
        "mixed": {"mem": False, "disk": False},
        "regular": {"cpus": False, "mem": False, "disk": False},
        "revocable": {"cpus": True, "mem": False, "disk": False},
    }
    assert "revocable_cpu_low_priority" in run("executor-info").err


def test_executor_info_names_the_configuration(run: Run) -> None:
    command = run("executor-info", "--config", "/etc/own.toml", "--json").json["command"]
    assert command["arguments"] == [command["value"], "--config", "/etc/own.toml"]


def test_the_executor_info_that_is_printed_is_valid(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "info.json"
    expected = {"mixed": "both classes, by LAUNCH", "regular": "regular pods", "revocable": "revocable pods"}
    for kind, pods in expected.items():
        file.write_text(run("executor-info", "--class", kind).out)
        assert run("validate", str(file), "--json").json["for"] == pods


def test_validate_an_executor_info_that_the_master_would_refuse(run: Run, tmp_path: Path) -> None:
    info = json.loads(run("executor-info", "--class", "regular").out)
    info["resources"].append({**info["resources"][0], "revocable": {}})
    (tmp_path / "info.json").write_text(json.dumps(info))
    ran = run("validate", str(tmp_path / "info.json"))
    assert ran.code == Exit.INVALID
    assert "cpus is both revocable and not" in ran.err


def test_validate_a_pod(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(POD)
    document = run("validate", str(file), "--json").json
    assert (document["ok"], document["name"], document["containers"]) == (True, "web", ["main"])
    file.write_text(POD.replace("image:", "imagge:"))
    ran = run("validate", str(file))
    assert ran.code == Exit.INVALID
    assert "imagge" in ran.err


def task(**fields: Any) -> dict[str, Any]:
    resources: list[dict[str, Any]] = [
        {"name": name, "type": "SCALAR", "scalar": {"value": 32}} for name in ("cpus", "mem")
    ]
    for resource in resources:
        resource["allocation_info"] = {"role": "*"}
    identity = {"name": "t", "task_id": {"value": "t"}, "agent_id": {"value": "a"}}
    return {**identity, "resources": resources, "data": base64.b64encode(POD.encode()).decode(), **fields}


def on(*names: str) -> dict[str, Any]:
    return {"type": "MESOS", "network_infos": [{"name": name} for name in names]}


def info(*names: str) -> dict[str, Any]:
    """An ExecutorInfo that is on these networks."""
    found = executor_info("mixed", "e", "e", "/usr/bin/e", {"cpus": 0.1, "mem": 32, "disk": 32})
    return {**found, "container": on(*names)} if names else found


@pytest.mark.parametrize(
    ("document", "network"),
    [
        (task(), "the executor's own (no [cni] default_network); the node's only for a role with host_network"),
        (task(executor=info("blue", "red")), "the executor's own, on blue, red"),
        (task(container=on("green")), "green, if the ExecutorInfo names no network"),
        (task(container=on("green"), executor=info()), "green"),
    ],
)
def test_validate_says_of_the_network_what_the_file_tells(
    run: Run, tmp_path: Path, document: dict[str, Any], network: str
) -> None:
    (tmp_path / "task").write_text(json.dumps(document))
    assert run("validate", str(tmp_path / "task"), "--json").json["network"] == network


def test_validate_knows_where_no_pod_can_join_a_network(run: Run, tmp_path: Path) -> None:
    """It is known at the launch only where the executor is, unless the task brings its ExecutorInfo along."""
    (tmp_path / "task").write_text(json.dumps(task(container=on("green"), executor=info("blue"))))
    ran = run("validate", str(tmp_path / "task"))
    assert ran.code == Exit.INVALID and "the executor is on blue" in ran.err


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"executor_id": 3}, "executor_id: expected `object | null`, got `int`"),
        ({**info(), "resources": [3]}, "resources[0]: expected `object`, got `int`"),
        ({**info(), "container": {"network_infos": [3]}}, "container.network_infos[0]: expected `object`, got `int`"),
        (task(executor=3), "executor: expected `object`, got `int`"),
        (task(executor={**info(), "container": []}), "executor.container: expected `object | null`, got `array`"),
    ],
)
def test_validate_names_the_field_of_an_executor(run: Run, tmp_path: Path, document: dict[str, Any], told: str) -> None:
    (tmp_path / "file").write_text(json.dumps(document))
    ran = run("validate", str(tmp_path / "file"))
    assert ran.code == Exit.INVALID and f"mesos-pod-executor: {tmp_path / 'file'}: {told} (see" in ran.err


def test_validate_tells_nothing_of_a_task_that_is_not_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pod").write_text(POD)
    assert not {"class", "role", "tasks"} & set(run("validate", str(tmp_path / "pod"), "--json").json)
    (tmp_path / "task").write_text(json.dumps(task()))
    assert run("validate", str(tmp_path / "task"), "--json").json["tasks"] == ["t"]


@pytest.mark.parametrize(("text", "code"), [("[]", 6), ("{", 6), ("a: [", 6), ('{"x": 1}', 6), (None, 3)])
def test_validate_rubbish(run: Run, tmp_path: Path, text: str | None, code: int) -> None:
    file = tmp_path / "x"
    if text is not None:
        file.write_text(text)
    ran = run("validate", str(file))
    assert ran.code == code
    assert ran.err.count("\n") == 1
