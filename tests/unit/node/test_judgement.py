"""Death must be proven: by the very lock that a thing names, or by a reboot. Real locks, some of other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from executor.names import MesosContainerId
from executor.node import claims as owners
from executor.node.claims import Owner
from executor.node.judgement import NO_IDENTITY, NO_MARK, judged
from executor.node.lock_identity import LockIdentity, identity_of, parse

ME = MesosContainerId("11111111-aaaa-bbbb-cccc-222222222222")
HOLD = """
import sys
from pathlib import Path
from executor.node import claims as owners
with owners.claim(Path(sys.argv[1]), sys.argv[2], "/mesos/" + sys.argv[2], state_dir="/its/state") as claim:
    print(claim.identity, flush=True)
    sys.stdin.read()
"""
Start = Callable[[Path], tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """An executor's claim in another process, and the identity of its lock."""
    running: list[subprocess.Popen[str]] = []

    def begin(run_dir: Path) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", HOLD, str(run_dir), ME]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def verdict(run_dir: Path, *texts: str) -> str:
    with judged(run_dir, {ME: frozenset(texts)}) as found:
        if ME in found.living:
            return "living"
        return "dead" if [owner for owner in found.dead if owner.container == ME] else found.unknown[ME]


def test_a_living_executor_of_another_run_dir_is_living_and_dead_once_its_lock_is_free(
    tmp_path: Path, start: Start
) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    process, text = start(other)
    assert verdict(own, text) == "living"
    assert verdict(other, text) == "living"
    killed(process)
    with judged(own, {ME: frozenset({text})}) as found:
        lock = other / f"{ME}.owner"
        assert found.dead == (Owner(ME, f"/mesos/{ME}", process.pid, state_dir="/its/state", lock=lock),)
        with judged(other, {ME: frozenset({text})}) as second:
            assert second.living == {ME}, "another reaper works on it"
    assert verdict(other, text) == "dead"


def test_no_file_proves_nothing(tmp_path: Path, start: Start) -> None:
    """Somebody emptied the directory, or it is another one in this mount namespace."""
    process, text = start(tmp_path)
    (tmp_path / f"{ME}.owner").unlink()
    assert "cannot be opened: No such file" in verdict(tmp_path, text)
    killed(process)
    assert "cannot be opened: No such file" in verdict(tmp_path, text)


def test_another_file_at_the_path_proves_nothing(tmp_path: Path, start: Start) -> None:
    _, text = start(tmp_path)
    path = tmp_path / f"{ME}.owner"
    content = path.read_text()
    path.unlink()
    (tmp_path / "other").write_text("")  # so that the inode is not used again
    path.write_text(content)
    assert "is not the file that its owner locked" in verdict(tmp_path, text)


@pytest.mark.parametrize("make", ["directory", "fifo", "link"])
def test_what_is_no_file_at_the_path_proves_nothing(tmp_path: Path, start: Start, make: str) -> None:
    _, text = start(tmp_path)
    path = tmp_path / f"{ME}.owner"
    path.rename(tmp_path / "moved")
    if make == "directory":
        path.mkdir()
    elif make == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "moved")
    assert "owner" in verdict(tmp_path, text)


@pytest.mark.parametrize("text", ["", "{}", "no identity", "[" * 4000])
def test_a_thing_without_an_identity_is_of_an_unknown_owner(tmp_path: Path, start: Start, text: str) -> None:
    process, known = start(tmp_path)
    assert verdict(tmp_path, text) == "living", "its own file says so"
    killed(process)
    assert verdict(tmp_path, text) == NO_IDENTITY
    assert verdict(tmp_path, text, known) == NO_IDENTITY, "one thing that proves nothing is enough"
    assert verdict(tmp_path, known) == "dead"


def test_what_only_a_cgroup_names_is_unknown(tmp_path: Path) -> None:
    assert verdict(tmp_path) == NO_MARK


def test_a_lock_of_another_name_is_never_opened(tmp_path: Path, start: Start) -> None:
    """Or a label could have any file of the node locked, read and renamed."""
    victim = tmp_path / "passwd"
    victim.write_text("root")
    descriptor = os.open(victim, os.O_RDONLY)
    text = identity_of(descriptor, victim).text()
    os.close(descriptor)
    assert verdict(tmp_path, text) == NO_IDENTITY


def of_another_boot(
    text: str, *, boot: str = "another", machine: str = "", since_s: int = 1_000_000, inode: int = 1
) -> str:
    identity = parse(text)
    assert identity is not None
    machine = machine or identity.machine
    return replace(identity, boot=boot, machine=machine, since_s=since_s, inode=inode).text()


def test_another_boot_is_proof_if_the_machine_is_this_one_and_the_start_before_it(tmp_path: Path, start: Start) -> None:
    process, text = start(tmp_path / "elsewhere")
    killed(process)
    assert verdict(tmp_path, of_another_boot(text)) == "dead"
    assert "owner" in verdict(tmp_path, of_another_boot(text, machine="other")), "a directory that machines share"
    identity = parse(text)
    assert identity is not None
    assert "owner" in verdict(tmp_path, of_another_boot(text, since_s=identity.since_s)), "a container with its own id"
    assert "owner" in verdict(tmp_path, of_another_boot(text, boot="")), "it could not be read"


def test_a_held_lock_outweighs_another_boot_id(tmp_path: Path, start: Start) -> None:
    _, text = start(tmp_path)
    identity = parse(text)
    assert identity is not None
    assert verdict(tmp_path, of_another_boot(text, inode=identity.inode)) == "living"


def test_what_comes_after_the_reaping_is_still_proven(tmp_path: Path, start: Start) -> None:
    """containerd may make a record for a call that it had from the dead executor."""
    process, text = start(tmp_path)
    killed(process)
    with judged(tmp_path, {ME: frozenset({text})}) as found:
        owners.forget(found.dead[0])
    assert owners.names(tmp_path) == frozenset()
    assert verdict(tmp_path, text) == "dead"
    owners.forget_reaped(tmp_path, [])
    assert verdict(tmp_path, text) == "dead", "it is kept for a while"
    (reaped,) = tmp_path.iterdir()
    os.utime(reaped, (2**32, 2**32))  # the clock was set back since
    owners.forget_reaped(tmp_path, [ME])
    assert reaped.exists(), "something of it was found"
    owners.forget_reaped(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_a_clean_end_between_the_look_and_the_lock_is_unknown(tmp_path: Path) -> None:
    with owners.claim(tmp_path, ME, "/x") as claim:
        text = claim.identity
    assert "cannot be opened" in verdict(tmp_path, text)


def test_identities_are_read_back() -> None:
    identity = LockIdentity("boot", "machine", 1, 2, 3, '/run/a "b"\n/c.owner')
    assert parse(identity.text()) == identity and "\n" not in identity.text()
    assert parse(json.dumps({"path": "/x"})) is None
