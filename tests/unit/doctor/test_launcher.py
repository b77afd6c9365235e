"""What is said of an agent's directory of programs: Mesos' own, one that `launcher-dir` made, and a stale one."""

from __future__ import annotations

from pathlib import Path

from executor.cli.launch import launcher_dir
from executor.doctor import launcher
from executor.doctor.finding import Verdict


def made(tmp_path: Path) -> Path:
    mesos, program = tmp_path / "libexec", tmp_path / "mesos-pod-executor"
    mesos.mkdir()
    for name in ("mesos-containerizer", "mesos-fetcher", "mesos-default-executor"):
        (mesos / name).touch(0o755)
    program.touch(0o755)
    launcher_dir.make(mesos, tmp_path / "launcher", program)
    return tmp_path / "launcher"


def test_mesos_own_directory(tmp_path: Path) -> None:
    made(tmp_path)
    finding = launcher.check({"launcher_dir": str(tmp_path / "libexec")})
    assert finding.verdict is Verdict.PASS and "Mesos' own executor" in finding.message


def test_the_directory_with_this_program(tmp_path: Path) -> None:
    finding = launcher.check({"launcher_dir": str(made(tmp_path))})
    assert finding.verdict is Verdict.PASS and "get this executor" in finding.message


def test_links_that_lead_nowhere_after_an_upgrade(tmp_path: Path) -> None:
    directory = made(tmp_path)
    (tmp_path / "libexec/mesos-fetcher").unlink()
    finding = launcher.check({"launcher_dir": str(directory)})
    assert finding.verdict is Verdict.FAIL and "mesos-fetcher" in finding.message


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    finding = launcher.check({"launcher_dir": str(tmp_path / "none")})
    assert finding.verdict is Verdict.FAIL and "none" in finding.message


def test_an_agent_that_does_not_say(tmp_path: Path) -> None:
    assert launcher.check({}).verdict is Verdict.SKIP
