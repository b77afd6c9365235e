from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from executor.names import TaskId
from executor.own_directory import OwnDirectory
from executor.pod.container import termination
from executor.spec.model import ContainerSpec, TerminationMessage


def container(*, fallback: bool = False) -> ContainerSpec:
    return ContainerSpec("app", "image", TaskId("t"), termination=TerminationMessage(fallback_to_logs=fallback))


def message_of(files: OwnDirectory, one: ContainerSpec, exit_code: int) -> str:
    return asyncio.run(termination.message(files, one, exit_code))


@pytest.fixture
def files(tmp_path: Path) -> OwnDirectory:
    made = OwnDirectory(str(tmp_path), "pods", "pod-1")
    made.make()
    return made


@pytest.fixture
def path(files: OwnDirectory) -> Path:
    termination.renew(files, container())
    return Path(files.path) / "app.termination"


def test_every_user_may_write_it_and_a_new_run_begins_with_an_empty_one(files: OwnDirectory, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o666
    path.write_text("of the first run")
    termination.renew(files, container())
    assert path.read_text() == "" and message_of(files, container(), 1) == ""


def test_its_end_is_read_and_no_more(files: OwnDirectory, path: Path) -> None:
    path.write_bytes(b"x" * 100_000 + b"\xff the end\n")
    message = message_of(files, container(), 0)
    assert message.endswith("\ufffd the end") and len(message.encode()) <= termination.MESSAGE_MAX_BYTES + 2


def test_the_log_takes_its_place_only_of_a_failure(files: OwnDirectory, path: Path) -> None:
    (path.parent / "app.stdout").write_text("out\n")
    assert message_of(files, container(), 1) == ""
    assert message_of(files, container(fallback=True), 0) == ""
    assert message_of(files, container(fallback=True), 1) == "out"
    (path.parent / "app.stderr").write_text("".join(f"line {n}\n" for n in range(500)))
    lines = (message_of(files, container(fallback=True), 1)).splitlines()
    assert len(lines) == termination.LOG_MAX_LINES and lines[-1] == "line 499"
    path.write_text("own")
    assert message_of(files, container(fallback=True), 1) == "own"


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "missing"])
def test_what_is_no_file_of_ours_is_no_message(files: OwnDirectory, path: Path, kind: str) -> None:
    path.unlink()
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    assert message_of(files, container(), 1) == ""


def test_a_link_in_its_place_is_replaced(files: OwnDirectory, path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    path.unlink()
    path.symlink_to(victim)
    termination.renew(files, container())
    assert victim.read_text() == "kept" and victim.stat().st_mode & 0o777 != 0o666 and not path.is_symlink()
