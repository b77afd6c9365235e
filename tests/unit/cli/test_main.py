"""The program as a whole: help, exit codes, and the commands that need no executor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from executor import __version__
from executor.__main__ import executor_options
from executor.cli.exits import MEANINGS, Exit, Unreachable, of
from executor.cli.main import COMMANDS, main
from executor.errors import Failure, InvalidConfig, NotFound, Refused
from tests.unit.cli.conftest import Run


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


def test_check_config_judges_an_executors_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[pods]\npids_max = 100\n")
    for name, text in (("PODS_PIDS_MAX", "0"), ("LOG_LEVEL", "debug")):
        monkeypatch.setenv(f"MESOS_POD_EXECUTOR_{name}", text)
    ran = run("--config", str(file), "check-config", "--as-executor")
    assert ran.code == Exit.OK
    assert "pods.pids_max = 100  #" in ran.out and 'log.level = "debug"  #' in ran.out
    assert "MESOS_POD_EXECUTOR_PODS_PIDS_MAX takes no effect" in ran.err and "pods.pids_max = 100" in ran.err
    document = run("check-config", str(file), "--as-executor", "--json").json
    assert document["pods"]["pids_max"] == 100 and document["set_by"]["node.run_dir"] == "operator only"
    assert document["ineffective"]["MESOS_POD_EXECUTOR_PODS_PIDS_MAX"]["in_force"] == "100"
    assert "pods.pids_max = 0  #" in run("check-config", str(file)).out, "an operator's shell"
    monkeypatch.delenv("MESOS_POD_EXECUTOR_PODS_PIDS_MAX")
    monkeypatch.setenv("MESOS_POD_EXECUTOR_LOG_LEVEL", "loud")
    monkeypatch.setenv("MESOS_POD_EXECUTOR_LOG_LEVLE", "info")
    ran = run("check-config", str(file), "--as-executor")
    assert (ran.code, ran.err.count("\n")) == (Exit.INVALID, 2)


@pytest.mark.parametrize("form", [("--config", "{}"), ("--config={}",)])
def test_the_executor_reads_the_file_of_its_command_line(tmp_path: Path, form: tuple[str, ...]) -> None:
    options = [each.format(tmp_path / "own.toml") for each in form]
    ran = program(*options, MESOS_EXECUTOR_ID="e")
    assert ran.returncode == Exit.FAILURE and json.loads(ran.stderr)["error"] == "no such file"
    (tmp_path / "own.toml").write_text("[log]\nformat = 'console'\n")
    ran = program(*options, MESOS_EXECUTOR_ID="e")
    assert ran.returncode == Exit.FAILURE and "MESOS_DIRECTORY" in ran.stderr and not ran.stderr.startswith("{")


@pytest.mark.parametrize("line", [["--config"], ["--config="], ["--confg", "x"], ["--config", "x", "y"]])
def test_a_wrong_line_of_an_executor_is_one_error(run: Run, line: list[str]) -> None:
    """It is read as a command's."""
    assert executor_options(line) is None
    ran = run(*line)
    assert (ran.code, ran.err.count("\n")) == (Exit.USAGE, 1), ran.err


def test_a_line_that_is_no_executors_is_a_commands() -> None:
    ran = program("--confg", "x", MESOS_EXECUTOR_ID="e")
    assert (ran.returncode, ran.stderr.count("\n")) == (Exit.USAGE, 1), ran.stderr


def test_the_socket_directory_comes_from_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESOS_POD_EXECUTOR_NODE_RUN_DIR", str(tmp_path))
    assert (main(["ps", "--json"]), json.loads(capfd.readouterr().out)) == (Exit.OK, {"pods": []})
    monkeypatch.setenv("MESOS_POD_EXECUTOR_NODE_RUN_DIR", "relative")
    assert main(["ps"]) == Exit.INVALID


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
