"""What shells offer, asked of the program as its completions for bash, zsh and fish ask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, CompletionItem

from executor.cli.complete import matching
from executor.cli.main import root
from executor.cli.shells import PROGRAM
from tests.support.control_node import Node, container, hanging_executor, pod
from tests.support.schema import faults
from tests.unit.cli.conftest import Run

COMPLETE = "_MESOS_POD_EXECUTOR_COMPLETE"
RUN_DIR = "MESOS_POD_EXECUTOR_NODE_RUN_DIR"


def offered(run_dir: Path, *words: str) -> list[str]:
    """For the last word of a line, which may be empty; by click's script for bash, in this process."""
    environment = {"COMP_WORDS": " ".join([PROGRAM, *words]), "COMP_CWORD": str(len(words))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, RUN_DIR: str(run_dir)}.items():
            patch.setenv(name, value)
        lines = BashComplete(root, {}, PROGRAM, COMPLETE).complete().splitlines()
    return [each.removeprefix("plain,") for each in lines if each]


def offered_by_program(run_dir: Path, *words: str) -> list[str]:
    """As `offered`, as a shell asks: a process of its own, which says nothing else."""
    environment = {
        **os.environ,
        COMPLETE: "bash_complete",
        RUN_DIR: str(run_dir),
        "COMP_WORDS": " ".join([PROGRAM, *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "executor"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [each.removeprefix("plain,") for each in done.stdout.splitlines() if each]


@pytest.fixture
def used(node: Node) -> Path:
    node.executor("aaa-1", pod("pod-12", "web", role="eng/dev", containers=[container("main"), container("side")]))
    executor = node.executor("bbb-2", pod("pod-34", "batch", namespace="shop", **{"class": "revocable"}))
    executor.ended = [pod("pod-56", "old", state="ended", **{"class": "revocable"})]
    return node.run_dir


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rev"], ["revoke"]),
        (["executor-info", "--class", "m"], ["mixed"]),
        (["inspect", "w"], ["web"]),
        (["logs", ""], ["web", "pod-12", "batch", "pod-34", "old", "pod-56"]),
        (["logs", "task-o"], ["task-old"]),
        (["exec", "pod-3"], ["pod-34"]),
        (["logs", "web", ""], ["main", "side"]),
        (["exec", "-c", ""], ["main", "side"]),
        (["exec", "web", "-c", "s"], ["side"]),
        (["why", "task-b"], ["task-batch"]),
        (["why", ""], ["task-web", "task-batch", "task-old"]),
        (["why", "pod-5"], ["pod-56"]),
        (["why", "shop/"], ["shop/batch"]),
        (["revoke", "--task", ""], ["task-batch"]),
        (["revoke", "--role", ""], ["eng"]),
        (["ps", "-n", ""], ["default", "shop"]),
        (["ps", "-f", "na"], ["name=", "namespace="]),
        (["ps", "-f", "status=r"], ["status=running"]),
        (["ps", "-o", "j"], ["json", "jsonpath="]),
        (["ps", "--role", ""], ["eng", "eng/dev"]),
        (["--executor", ""], ["aaa-1", "bbb-2"]),
        (["--executor", "bbb", "inspect", ""], ["batch", "pod-34", "old", "pod-56"]),
        (["inspect", "nobody"], []),
    ],
)
def test_what_fits_is_offered(used: Path, words: list[str], expected: list[str]) -> None:
    assert offered(used, *words) == expected


def test_an_executor_is_offered_and_meant_by_its_executor_id(used: Path) -> None:
    """As `ps` shows it; the owner file of an executor has that id."""
    (used / "bbb-2.owner").write_text(json.dumps({"cgroup_root": "/x", "pid": 1, "executor_id": "pods-revocable"}))
    assert offered(used, "--executor", "pods") == ["pods-revocable"]
    assert offered(used, "--executor", "") == ["pods-revocable", "aaa-1", "bbb-2"]
    assert offered(used, "--executor", "pods-revocable", "inspect", "b") == ["batch"]


def test_a_node_in_trouble_offers_nothing_in_silence(
    node: Node, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert offered(tmp_path / "nowhere", "inspect", "") == []
    node.dead_executor("dead")
    assert offered(node.run_dir, "inspect", "") == []
    assert capfd.readouterr() == ("", "")
    with hanging_executor(node.run_dir, "odd", b"rubbish"):
        node.executor("live", pod("pod-1", "web"))
        assert offered_by_program(node.run_dir, "inspect", "") == ["web", "pod-1"]


HOSTILE = (
    "x$(cd;touch y)",
    "`touch y`",
    "x;touch y",
    "x|touch y",
    "x&touch y",
    "x>y",
    "~root",
    "*",
    "a\nb",
    "a,b",
    "x'y",
    'x"y',
    "x\\y",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_a_shell_would_run_is_not_offered(name: str) -> None:
    items = [CompletionItem(name), CompletionItem("web", help=name), CompletionItem("task-web", help="regular running")]
    assert [each.value for each in matching(items, "")] == ["task-web"]


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o nosort"), ("zsh", "compdef"), ("fish", "complete --")]
)
def test_the_script_of_each_shell(run: Run, shell: str, word: str) -> None:
    script = run("completion", shell).out
    assert word in script and "_MESOS_POD_EXECUTOR_COMPLETE" in script
    document = run("completion", shell, "--json").json
    assert document == {"shell": shell, "script": script} and faults("completion", document) == []


@pytest.mark.parametrize("source", ["scripts/mesos-pod-executor", "<(mesos-pod-executor completion bash)"])
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_tab_in_bash_runs_no_name(node: Node, tmp_path: Path, source: str) -> None:
    """With the script that the packages install and the one that the command prints, as bash calls it on TAB."""
    from assembly import completions

    node.executor("aaa-1", pod("pod-12", "web", tasks=["x$(cd;touch y)", "x`touch y`", "xenon"]))
    completions.write(tmp_path / "scripts")
    program = tmp_path / "bin/mesos-pod-executor"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m executor "$@"\n')
    program.chmod(0o755)
    script = f"""
        cd {tmp_path}; source {source}
        COMP_WORDS=(mesos-pod-executor why x); COMP_CWORD=2; COMP_LINE="mesos-pod-executor why x"; COMP_POINT=24
        function=$(complete -p mesos-pod-executor | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $function mesos-pod-executor x why
        printf '<%s>' "${{COMPREPLY[@]}}"; eval "true ${{COMPREPLY[*]}}"
    """
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path.cwd()),
        "MESOS_POD_EXECUTOR_NODE_RUN_DIR": str(node.run_dir),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "<xenon>", done.stderr
    assert not (tmp_path / "y").exists()
