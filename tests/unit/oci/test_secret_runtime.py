"""The program that runs containers with secrets: a fake runc shows what it would have read."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from executor.oci import secret_runtime, secret_words
from executor.volumes.pod_volumes import PRIVATE

ID = "pod-1-app"
NONCE = "5f" * 16
SECRET = "hunter2 's|a|b|' \\1 & \n é"
RUNC = """#!/bin/sh
# What runc would read, and its arguments.
for word in "$@"; do
    case ${previous-} in
        --bundle) cat "$word/config.json" > "$FOUND" ;;
        --process) cat "$word" > "$FOUND" ;;
    esac
    previous=$word
done
printf '%s\\n' "$@" > "$FOUND.args"
exit 7
"""


@dataclass
class Node:
    directory: Path
    program: Path

    @property
    def private(self) -> Path:
        return self.directory / "run dir/volumes/executor-1/pod-1" / PRIVATE

    @property
    def bundle(self) -> Path:
        return self.directory / "bundle"

    def run(self, *argv: str) -> tuple[subprocess.CompletedProcess[str], Any]:
        """What the program did, and the document that runc found (None: runc did not run)."""
        found = self.directory / "found"
        found.unlink(missing_ok=True)
        env = {"PATH": f"{self.directory}/bin:{os.environ['PATH']}", "FOUND": str(found)}
        line = [str(self.program), "--root", "/r", *argv]
        done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=20, check=False)
        return done, json.loads(found.read_text()) if found.exists() else None

    def create(self, document: Mapping[str, Any]) -> tuple[subprocess.CompletedProcess[str], Any]:
        self.bundle.mkdir(exist_ok=True)
        (self.bundle / "config.json").unlink(missing_ok=True)
        (self.bundle / "config.json").write_text(json.dumps(document))
        return self.run("create", "--bundle", str(self.bundle), "--pid-file", "/p", ID)

    def exec(self, process: Mapping[str, Any]) -> tuple[subprocess.CompletedProcess[str], Any]:
        path = self.directory / "process.json"
        path.write_text(json.dumps(process))
        return self.run("exec", "--process", str(path), "--detach", ID)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/runc").write_text(RUNC)
    (tmp_path / "bin/runc").chmod(0o755)
    program = secret_runtime.ensure(tmp_path / "state", tmp_path / "run dir/volumes")
    found = Node(tmp_path, program)
    found.private.mkdir(parents=True)
    return found


def document(*env: str, **more: object) -> dict[str, Any]:
    return {"process": {"env": list(env), "args": ["x"], "cwd": "/"}, "hostname": "web", **more}


def hidden(node: Node, whole: dict[str, Any]) -> dict[str, Any]:
    """The document without its secrets, whose script is in its place."""
    found, script = secret_words.hide(whole, NONCE)
    assert json.dumps(SECRET)[1:-1] not in json.dumps(found)
    (node.private / ID).write_text(script)
    return found


def test_runc_reads_the_secrets_and_the_document_on_disk_has_none(node: Node) -> None:
    whole = document("A=1", f"P={SECRET}")
    done, read = node.create(hidden(node, whole))
    assert (done.returncode, read) == (7, whole), done.stderr
    assert (node.bundle / "config.json").readlink() == node.private / f"{ID}.json"
    assert (node.private / f"{ID}.json").stat().st_mode & 0o777 == 0o600


def test_a_further_process_has_them_too_and_leaves_no_file(node: Node) -> None:
    whole = document(f"P={SECRET}")
    process = hidden(node, whole)["process"]
    done, read = node.exec(process)
    assert (done.returncode, read) == (7, whole["process"]), done.stderr
    args = (node.directory / "found.args").read_text().splitlines()
    assert args == ["--root", "/r", "exec", "--process", secret_runtime.DESCRIPTOR, "--detach", ID]
    assert [path.name for path in node.private.iterdir()] == [ID]


FORGED = (
    "mesos-pod-executor-secret:{evil}:0",
    "mesos-pod-executor-secret:{evil}:0:0",
    f"{secret_words.MARK}:{'0' * 32}:env",
    "mesos-pod-executor-secret:/proc/self/environ:0",
)


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("place", ["env", "sysctl", "prefix", "exec"])
def test_a_forged_mark_is_inert_text(node: Node, forged: str, place: str) -> None:
    """In an image's ENV, a sysctl, a variable's name or a command: no file that the text names is read or run."""
    evil, proof = node.directory / "evil", node.directory / "proof"
    evil.write_text(f"1e touch {proof}\n1w {proof}\ns|x|y|e\n")
    text = forged.format(evil=evil)
    whole = {
        "env": document(text, f"P={SECRET}"),
        "sysctl": document(f"P={SECRET}", linux={"sysctl": {text: text}}),
        "prefix": document(f'"{text}"=1', f"P={SECRET}", f"{text}=1"),
        "exec": document(f"P={SECRET}", text),
    }[place]
    process = hidden(node, whole)
    done, read = node.exec(process["process"]) if place == "exec" else node.create(process)
    assert (done.returncode, read) == (7, whole["process"] if place == "exec" else whole), done.stderr
    assert not proof.exists()


def test_a_script_that_runs_commands_or_opens_files_is_refused(node: Node) -> None:
    """Should a script ever be another's: sed runs none of its commands."""
    proof = node.directory / "proof"
    for script in (f"1e touch {proof}", f"1w {proof}", "r /etc/passwd"):
        (node.private / ID).write_text(script)
        done, read = node.create(document("A=1"))
        assert done.returncode not in (0, 7) and read is None
        assert "sandbox" in done.stderr
        done, read = node.exec(document("A=1")["process"])
        assert done.returncode not in (0, 7) and read is None
    assert not proof.exists()
    assert [path.name for path in node.private.iterdir() if path.name != f"{ID}.json"] == [ID]


def test_a_container_without_its_script_does_not_run(node: Node) -> None:
    """Its volumes were released: a program would take marks for its passwords."""
    for ident in ("create", "exec"):
        act = node.create if ident == "create" else node.exec
        done, read = act(document("A=1"))
        assert done.returncode == 1 and read is None
        assert ID in done.stderr and "released" in done.stderr


@pytest.mark.parametrize("ident", ["../pod-1/private/x", "*", "", ".", "a b", "-x"])
def test_what_is_no_id_finds_no_script(node: Node, ident: str) -> None:
    (node.private / "x").write_text("")
    node.bundle.mkdir()
    (node.bundle / "config.json").write_text("{}")
    done, read = node.run("create", "--bundle", str(node.bundle), ident)
    assert done.returncode == 1 and read is None


@pytest.mark.parametrize("argv", [("delete", "--force", ID), ("kill", ID, "9"), ("state", ID), ("--version",)])
def test_everything_else_is_runcs(node: Node, argv: tuple[str, ...]) -> None:
    assert node.run(*argv)[0].returncode == 7
    assert (node.directory / "found.args").read_text().splitlines() == ["--root", "/r", *argv]


def test_the_program_is_made_once_and_its_name_says_its_content(node: Node, tmp_path: Path) -> None:
    before = node.program.stat()
    again = secret_runtime.ensure(tmp_path / "state", tmp_path / "run dir/volumes")
    assert again == node.program and again.stat().st_ino == before.st_ino
    other = secret_runtime.ensure(tmp_path / "state", tmp_path / "it's $(else)")
    crun = secret_runtime.ensure(tmp_path / "state", tmp_path / "run dir/volumes", "/opt/my tools/crun")
    assert crun != again and crun.read_text().count("exec '/opt/my tools/crun' \"$@\"") == 3
    assert other != node.program
    assert re.fullmatch(r"runc-with-secrets-[0-9a-f]{12}", other.name)
    assert subprocess.run(["sh", "-n", str(other)], check=False).returncode == 0
