"""The proof of who lives: locks that die with their holder, also when several processes try them at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from executor.names import MesosContainerId
from executor.node import claims as owners
from executor.node.claims import Owner
from executor.node.judgement import judged


def dead(run_dir: Path) -> list[Owner]:
    with judged(run_dir, {}) as found:
        return list(found.dead)


ME = MesosContainerId("11111111-aaaa")


def test_an_owner_lives_while_it_claims_and_is_forgotten_after_a_clean_end(tmp_path: Path) -> None:
    with owners.claim(tmp_path, ME, "/x"):
        assert owners.living(tmp_path) == {ME}
        assert dead(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_an_owner_that_died_is_found_with_its_cgroups(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), owners.claim(tmp_path, ME, "/mesos/1111"):
        raise RuntimeError("an unclean end")
    assert owners.living(tmp_path) == frozenset()
    with judged(tmp_path, {}) as found:
        assert [(owner.container, owner.cgroup_root) for owner in found.dead] == [(ME, "/mesos/1111")]
        owners.forget(found.dead[0])
    assert owners.names(tmp_path) == frozenset() and dead(tmp_path) == []


@pytest.mark.parametrize("pid", ["1e999", "NaN", "9" * 30, '"x"', "[]"])
def test_a_lock_with_an_odd_pid_is_that_of_a_dead_owner_and_stops_nobody(tmp_path: Path, pid: str) -> None:
    with pytest.raises(RuntimeError), owners.claim(tmp_path, ME, "/mesos/1111"):
        raise RuntimeError("an unclean end")
    (lock,) = tmp_path.glob("*.owner")
    lock.write_text(f'{{"cgroup_root": "/mesos/1111", "pid": {pid}}}')
    assert [owner.container for owner in dead(tmp_path)] == [ME]


def test_what_an_owner_assumed_dead_leaves_in_the_run_dir_goes(tmp_path: Path) -> None:
    (tmp_path / f"{ME}{owners.SOCKET_SUFFIX}").touch()
    (tmp_path / "other.sock").touch()
    owners.forget_files(tmp_path, ME)
    owners.forget_files(tmp_path, ME)
    assert [path.name for path in tmp_path.iterdir()] == ["other.sock"]


KEPT = """
import sys
from pathlib import Path
from executor.node import claims as owners
with owners.claim(Path(sys.argv[1]), "11111111-aaaa", "/mesos/1111") as claim:
    claim.keep()
assert owners.living(Path(sys.argv[1])) == {"11111111-aaaa"}, "until the process has ended"
"""


def test_an_owner_that_ends_and_leaves_something_is_found_like_one_that_died(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KEPT, tmp_path], check=True)
    assert owners.living(tmp_path) == frozenset()
    assert [(owner.container, owner.cgroup_root) for owner in dead(tmp_path)] == [(ME, "/mesos/1111")]


def test_a_file_that_is_just_being_claimed_is_nobodys_remains(tmp_path: Path) -> None:
    path = tmp_path / f"{ME}{owners.SUFFIX}"
    path.touch()
    assert dead(tmp_path) == []
    for age_s in (120.0, -86400.0):  # the clock was set back since
        os.utime(path, (time.time() - age_s, time.time() - age_s))
        assert [owner.container for owner in dead(tmp_path)] == [ME], "it died while it claimed"


def test_a_claim_outlives_those_who_look_and_reap_at_the_same_time(tmp_path: Path) -> None:
    """The claim counts only if the file that it locked still stands there."""
    stop = threading.Event()

    def reap() -> None:
        while not stop.is_set():
            owners.living(tmp_path)
            with judged(tmp_path, {}) as found:
                for owner in found.dead:
                    owners.forget(owner)

    reaper = threading.Thread(target=reap)
    reaper.start()
    try:
        for number in range(50):
            container = MesosContainerId(f"c-{number}")
            with owners.claim(tmp_path, container, "/x"):
                assert (tmp_path / f"{container}{owners.SUFFIX}").exists()
                assert container in owners.living(tmp_path)
    finally:
        stop.set()
        reaper.join()


def test_shims_are_beside_what_mesos_made_or_within_what_is_the_executor_s_own() -> None:
    """Apart from Mesos's containers at the level where they compete with those, and within what systemd delegated."""
    assert owners.shims_group("", ME, f"/mesos/{ME}") == f"/mesos-pod-executor-shims/{ME}"
    assert owners.shims_group("/a/b", ME, f"/mesos/{ME}") == f"/a/b-shims/{ME}"
    assert owners.shims_group("/a/b", ME, f"/a/b/{ME}") == f"/a/b/{ME}/shims/{ME}"
    assert owners.regular_shims_group("", ME, f"/mesos/{ME}") == f"/mesos-pod-executor-regular-shims/{ME}"
    assert owners.regular_shims_group("/a/b", ME, f"/a/b/{ME}") == f"/a/b/{ME}/regular-shims/{ME}"
