"""What commands print where no executor is needed, to the letter: results, errors with their next step, and JSON
against the published schemas.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from executor import __version__
from executor.cli.main import COMMANDS
from tests.support.control_node import Node, container, pod
from tests.support.golden import expected
from tests.support.schema import faults
from tests.unit.cli.conftest import POD, Ran, Run

GOLDEN = Path(__file__).with_name("golden")

RESOURCE = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}}
INFO = {
    "type": "CUSTOM",
    "executor_id": {"value": "e"},
    "command": {"value": "mesos-pod-executor", "shell": False},
    "resources": [RESOURCE],
}
FILES = {
    "pod.yaml": POD,
    "misspelt.yaml": POD.replace("image:", "imagge:"),
    "executor.json": json.dumps(INFO),
    "both.json": json.dumps({**INFO, "resources": [RESOURCE, {**RESOURCE, "revocable": {}}]}),
    "rubbish": "{",
    "list": "[]",
    "config.toml": '[log]\nlevel = "debug"\n[roles]\nlimits = {eng = {cpus = 4, mem = "1Ki"}}\n',
    "key.toml": "[log]\nlevle = 1\n",
    "section.toml": "[lgo]\nlevel = 1\n",
    "value.toml": '[log]\nlevel = "loud"\n',
}
PRINTED = {
    "validate": [["validate", "pod.yaml"], ["validate", "executor.json"]],
    "validate-refused": [["validate", each] for each in ("misspelt.yaml", "both.json", "rubbish", "list", "none")],
    "check-config": [["check-config", "config.toml"]],
    "check-config-refused": [["check-config", each] for each in ("key.toml", "section.toml", "value.toml", "none")],
    "executor-info": [["executor-info", "--class", each] for each in ("regular", "revocable")],
    "version": [["version"]],
}
ASKING = (
    ["ps"], ["inspect", "x"], ["logs", "x"], ["exec", "x", "--", "true"], ["top", "--once"], ["revoke", "--all"],
    ["rehearse", "--all"], ["why", "x"], ["report", "x"], ["serve"], ["events"], ["metrics"], ["log-level"],
)  # fmt: skip
"""The commands that ask executors. `ps` and `metrics` tell of a node without any, `serve` waits for some."""

Show = Callable[[Iterable[Sequence[str]]], str]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MESOS_")]:
        monkeypatch.delenv(name)
    for name, text in FILES.items():
        Path(name).write_text(text)


@pytest.fixture
def show(run: Run, tmp_path: Path) -> Show:
    """Commands and what they print, as on a terminal."""

    def one(line: Sequence[str]) -> str:
        ran = run(*line)
        text = f"$ mesos-pod-executor {' '.join(line)}\n{ran.out}{ran.err}exit code {ran.code}\n"
        return text.replace(str(tmp_path), "DIR").replace(__version__, "VERSION")

    return lambda lines: "\n".join(map(one, lines))


def compare(name: str, printed: str) -> None:
    assert printed == expected(GOLDEN / f"{name}.txt", printed)


@pytest.mark.parametrize("name", PRINTED)
def test_what_is_printed(show: Show, name: str) -> None:
    compare(name, show(PRINTED[name]))


def test_without_an_executor(show: Show) -> None:
    compare("no-executor", show(line for line in ASKING if line != ["serve"]))


def test_an_unknown_executor(node: Node, show: Show) -> None:
    node.executor("aaa")
    node.executor("bbb")
    compare("unknown-executor", show(["--executor", "c", *line] for line in ASKING))


def test_a_choice_between_executors(node: Node, show: Show) -> None:
    node.executor("aaa", pod("pod-1", "web"), executor_id="regular")
    node.executor("bbb", pod("pod-2", "web"), executor_id="revocable")
    lines = (["revoke", "--all"], ["revoke", "--reclaim-cpus", "1"], ["inspect", "web"])
    compare("which-executor", show(lines))


def test_a_dead_executor(node: Node, show: Show) -> None:
    node.dead_executor("dead")
    compare("dead-executor", show(line for line in ASKING if line != ["serve"]))


def test_a_text_that_means_several(node: Node, show: Show) -> None:
    """The same mistake has the same exit code, whoever finds it."""
    pair = pod("pod-2", "pair", containers=[container("left"), container("right")])
    node.executor("aaa", pod("pod-1", "web"), pair)
    lines = (["inspect", "pod-"], ["logs", "pair"], ["exec", "pair", "--", "true"], ["exec", "pod-", "--", "true"])
    compare("ambiguous", show(lines))


def test_an_unknown_pod_or_container(node: Node, show: Show) -> None:
    node.executor("aaa", pod("pod-1", "web"))
    lines = (["inspect", "x"], ["logs", "x"], ["exec", "x", "--", "true"], ["logs", "web", "x"], ["logs", "web"])
    compare("unknown-pod", show(lines))


def test_wrong_options(show: Show) -> None:
    values = (
        ["--nothing"], ["nothing"], ["inspect"], ["exec", "web"], ["exec", "web", "-t", "--json", "--", "true"],
        ["revoke"], ["revoke", "--all", "--role", "x"], ["revoke", "--label", "x"], ["revoke", "--reclaim-mem", "x"],
        ["revoke", "--all", "--grace", "soon"], ["revoke", "--all", "--deadline", "-1s"],
        ["events", "--code", "revocaton"],
        ["executor-info", "--class", "x"], ["executor-info", "--cpus", "0"], ["log-level", "loud"],
        ["serve", "--port", "x"],
    )  # fmt: skip
    compare("wrong-options", show([*values, *([name, "--nothing"] for name in COMMANDS)]))


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ("version", ["version"]),
        ("check-config", ["check-config"]),
        ("check-config", ["check-config", "config.toml"]),
        *(("executor-info", ["executor-info", "--class", kind]) for kind in ("mixed", "regular", "revocable")),
        ("validate", ["validate", "pod.yaml"]),
        ("validate", ["validate", "executor.json"]),
        ("ps", ["ps"]),
        ("metrics", ["metrics"]),
    ],
)
def test_the_json_of_what_needs_no_executor(run: Run, schema: str, line: list[str]) -> None:
    ran = run(*line, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert faults(schema, ran.json) == []


def errors(lines: Iterable[Sequence[str]], run: Run) -> Iterable[Ran]:
    """What commands print that do not succeed: the message for people, the same for programs, and the next step."""
    for line in lines:
        command = line.index("--") if "--" in line else len(line)
        ran = run(*line[:command], "--json", *line[command:])
        assert ran.code, line
        assert faults("error", ran.json) == []
        assert ran.err.count("\n") == ran.out.count("\n") == 1
        assert ran.json["error"]["message"] in ran.err
        assert ran.json["error"]["hint"]
        assert ran.json["error"]["hint"] in ran.err
        yield ran


def test_an_error_is_a_document_too(node: Node, run: Run) -> None:
    node.executor("aaa", pod("pod-1", "web"))
    refused = PRINTED["check-config-refused"]
    unknown = [["--executor", "c", *line] for line in ASKING]
    pods = [["inspect", "x"], ["logs", "x"], ["exec", "x", "--", "true"], ["exec", "x", "--", "ls", "--json"]]
    assert {ran.code for ran in errors([*refused, *unknown, *pods], run)} == {3, 6}


@pytest.mark.parametrize("line", [["ps", "--class", "x"], ["inspect"], ["revoke"], ["nothing"], ["ps", "--nothing"]])
def test_wrong_usage_is_a_document_too(run: Run, line: Sequence[str]) -> None:
    (ran,) = errors([line], run)
    assert ran.code == 2


def test_a_command_of_the_same_name_asks_for_nothing(node: Node, run: Run) -> None:
    """`--json` behind the dashes is the pod's command's own."""
    ran = run("exec", "x", "--", "ls", "--json")
    assert (ran.code, ran.out) == (3, "")


def test_the_line_of_serve(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "executor", "--run-dir", str(tmp_path / "run"), "serve", "--port", "0", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(2)
        assert process.wait(30) == 130
    assert faults("serve", told) == []
    assert told["url"].startswith("http://127.0.0.1:")


def test_what_check_config_prints_is_toml_with_the_same_meaning(run: Run) -> None:
    """It is copied into files: `yes` and `-` are no values there."""
    printed = run("check-config", "config.toml").out
    values = tomllib.loads(printed)
    assert (values["dns"]["enabled"], values["cgroups"]["root"], values["dns"]["listen"]) == (True, "", [])
    Path("copied.toml").write_text(printed)
    assert run("check-config", "copied.toml").out == printed


def test_an_option_of_the_program_behind_a_command(run: Run) -> None:
    ran = run("events", "--executor", "mixed")
    assert (ran.code, "stands before the command: mesos-pod-executor --executor" in ran.err) == (2, True)


@pytest.mark.parametrize("name", ["images", "dns", "lending"])
def test_the_help_of_a_group_cuts_no_sentence(run: Run, name: str) -> None:
    assert "..." not in run(name, "--help").out.partition("Commands:")[2]
