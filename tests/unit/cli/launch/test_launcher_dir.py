"""`launcher-dir`: what it makes, what it removes again, and what it refuses. The agent's side is tests/mesos's."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.cli.exits import Exit
from tests.unit.cli.conftest import Run

HELPERS = ("mesos-containerizer", "mesos-default-executor", "mesos-executor", "mesos-fetcher")


@pytest.fixture
def mesos(tmp_path: Path) -> Path:
    directory = tmp_path / "libexec"
    directory.mkdir()
    for name in HELPERS:
        (directory / name).write_text("#!/bin/sh\n")
    return directory


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "mesos-pod-executor"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def links(directory: Path) -> dict[str, str]:
    return {each.name: str(each.readlink()) for each in directory.iterdir()}


def test_all_programs_are_linked_and_the_default_executor_is_ours(
    run: Run, mesos: Path, program: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new/launcher"
    ran = run("launcher-dir", "--from", str(mesos), "--command", str(program), str(target), "--json")
    assert ran.code == Exit.OK
    wanted = {name: str(mesos / name) for name in HELPERS} | {"mesos-default-executor": str(program)}
    assert links(target) == wanted
    assert ran.json == {"directory": str(target), "links": wanted, "removed": []}


def test_a_second_run_follows_what_mesos_has_now(run: Run, mesos: Path, program: Path, tmp_path: Path) -> None:
    target = tmp_path / "launcher"
    run("launcher-dir", "--from", str(mesos), "--command", str(program), str(target))
    before = (target / "mesos-executor").lstat().st_ino
    (mesos / "mesos-fetcher").unlink()
    (mesos / "mesos-network-helper").write_text("#!/bin/sh\n")
    ran = run("launcher-dir", "--from", str(mesos), "--command", str(program), str(target))
    assert sorted(links(target)) == [*HELPERS[:3], "mesos-network-helper"]
    assert "mesos-fetcher was removed" in ran.err
    assert (target / "mesos-executor").lstat().st_ino == before  # an agent that runs sees no gap


def test_a_mesos_without_a_default_executor_gets_one(run: Run, mesos: Path, program: Path, tmp_path: Path) -> None:
    (mesos / "mesos-default-executor").unlink()
    run("launcher-dir", "--from", str(mesos), "--command", str(program), str(tmp_path / "launcher"))
    assert links(tmp_path / "launcher")["mesos-default-executor"] == str(program)


def test_what_is_no_link_is_left(run: Run, mesos: Path, program: Path, tmp_path: Path) -> None:
    target = tmp_path / "launcher"
    target.mkdir()
    (target / "notes").write_text("mine")
    ran = run("launcher-dir", "--from", str(mesos), "--command", str(program), str(target))
    assert ran.code == Exit.REFUSED and "notes" in ran.err
    assert [each.name for each in target.iterdir()] == ["notes"]


def test_the_directory_of_mesos_itself_is_refused(run: Run, mesos: Path, program: Path) -> None:
    ran = run("launcher-dir", "--from", str(mesos), "--command", str(program), str(mesos))
    assert ran.code == Exit.REFUSED and "Mesos' own directory" in ran.err


def test_a_directory_without_mesos_is_not_taken_for_it(run: Run, program: Path, tmp_path: Path) -> None:
    ran = run("launcher-dir", "--from", str(tmp_path), "--command", str(program), str(tmp_path / "launcher"))
    assert ran.code == Exit.NOT_FOUND and "mesos-containerizer" in ran.err


def test_a_program_that_cannot_be_started_is_not_linked(run: Run, mesos: Path, program: Path, tmp_path: Path) -> None:
    program.chmod(0o644)
    ran = run("launcher-dir", "--from", str(mesos), "--command", str(program), str(tmp_path / "launcher"))
    assert ran.code == Exit.NOT_FOUND and not (tmp_path / "launcher").exists()
