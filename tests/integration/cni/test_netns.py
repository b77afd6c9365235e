"""Pinned network namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from pathlib import Path

import pytest

from executor.cni import netns
from executor.errors import NetworkFailure
from tests.integration.cni.lab import inside, run

pytestmark = pytest.mark.root


def namespaces_of_threads() -> set[str]:
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            found.add(str(task.joinpath("ns/net").readlink()))
    return found


def mounts_below(path: Path) -> int:
    return Path("/proc/self/mounts").read_text().count(str(path))


async def test_a_namespace_lives_without_a_process(tmp_path: Path) -> None:
    path = tmp_path / "run/netns/pod-1"
    await netns.ensure(path)
    assert netns.exists(path)
    assert f"net:[{path.stat().st_ino}]" not in namespaces_of_threads()
    (link,) = json.loads(run(*inside(path, "ip", "-json", "address", "show")))
    assert "UP" in link["flags"]
    assert {address["local"] for address in link["addr_info"]} == {"127.0.0.1", "::1"}
    await netns.destroy(path)
    assert netns.pinned(path.parent) == ()
    assert mounts_below(tmp_path) == 0


async def test_both_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "pod-1"
    await netns.destroy(path)
    await netns.ensure(path)
    inode = path.stat().st_ino
    await netns.ensure(path)
    assert path.stat().st_ino == inode
    assert mounts_below(tmp_path) == 1
    await netns.destroy(path)
    await netns.destroy(path)
    assert not path.exists()


async def test_a_file_left_by_a_crash_is_no_namespace(tmp_path: Path) -> None:
    path = tmp_path / "pod-1"
    path.touch()
    assert not netns.exists(path)
    assert netns.pinned(tmp_path) == (path,)
    await netns.ensure(path)
    assert netns.exists(path)
    await netns.destroy(path)
    path.touch()
    await netns.destroy(path)
    assert netns.pinned(tmp_path) == ()


async def test_mounts_on_top_of_each_other_all_go(tmp_path: Path) -> None:
    path = tmp_path / "pod-1"
    await netns.ensure(path)
    run("mount", "--bind", str(path), str(path))
    await netns.destroy(path)
    assert mounts_below(tmp_path) == 0
    assert not path.exists()


async def test_twenty_at_a_time_and_no_thread_stays_abroad(tmp_path: Path) -> None:
    home = namespaces_of_threads()
    paths = [tmp_path / f"pod-{number}" for number in range(20)]
    for _ in range(5):
        await asyncio.gather(*(netns.ensure(path) for path in paths))
        assert len({path.stat().st_ino for path in paths}) == 20
        assert namespaces_of_threads() == home
        await asyncio.gather(*(netns.destroy(path) for path in paths))
    assert namespaces_of_threads() == home
    assert not [thread for thread in threading.enumerate() if thread.name == "netns"]
    assert netns.pinned(tmp_path) == ()


ONE = (
    "import asyncio, pathlib, sys; from executor.cni import netns; asyncio.run(netns.ensure(pathlib.Path(sys.argv[1])))"
)


async def test_no_process_is_started(tmp_path: Path) -> None:
    path, trace = tmp_path / "pod-1", tmp_path / "trace"
    tracer = ["strace", "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork", "-o", str(trace)]
    await asyncio.to_thread(run, *tracer, sys.executable, "-c", ONE, str(path))
    calls = trace.read_text().splitlines()
    assert calls
    assert not [call for call in calls if "CLONE_THREAD" not in call]
    await netns.destroy(path)


async def test_it_cannot_be_made_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NetworkFailure, match="cannot make a network namespace: File exists") as caught:
        await netns.ensure(tmp_path / "file/pod-1")
    assert caught.value.subject == str(tmp_path / "file/pod-1")
    (tmp_path / "directory").mkdir()
    with pytest.raises(NetworkFailure, match="cannot remove"):
        await netns.destroy(tmp_path / "directory")


def test_without_a_capability_that_it_needs_it_names_that(tmp_path: Path) -> None:
    """The mounts of process 1 are out of sight for who has fewer capabilities than that has."""
    script = f"""import asyncio, pathlib
from executor.cni import netns
from executor.errors import NetworkFailure
try:
    asyncio.run(netns.ensure(pathlib.Path({str(tmp_path / "pod-1")!r})))
except NetworkFailure as error:
    print(error)"""
    done = run("setpriv", "--bounding-set=-sys_ptrace", sys.executable, "-c", script)
    assert "CAP_SYS_PTRACE" in done and "Permission denied" in done
    assert not (tmp_path / "pod-1").exists()


async def test_a_cancellation_waits_for_the_namespace(tmp_path: Path) -> None:
    path = tmp_path / "pod-1"
    task = asyncio.create_task(netns.ensure(path))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert netns.exists(path)  # so whoever cleans up after the cancellation finds it
    await netns.destroy(path)
    assert netns.pinned(tmp_path) == ()
