"""Output of real containers while their disk refuses, is full, or their log writer is gone: no container ever waits."""

from __future__ import annotations

import ctypes
import hashlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LIMIT_BYTES = 1 << 20
FILES = 2
KEPT_PODS = 5
COUNTING = "n=0; while :; do n=$((n+1)); echo line $n; usleep 1000; done"
WRITER = "mpe-log-writer"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    config = {
        "PODS_LOG_MAX_BYTES": str(LIMIT_BYTES),
        "PODS_LOG_FILES": str(FILES),
        "RETENTION_MOST_PODS": str(KEPT_PODS),
    }
    with Rig(config=config) as node:
        yield node


def shell(rig: Rig, name: str, script: str, **options: Any) -> dict[str, Any]:
    return rig.pod(name, command=("sh", "-c", script), **options)


def launch(rig: Rig, scheduler: Scheduler, *tasks: dict[str, Any]) -> dict[str, Path]:
    """The standard output's file of each."""
    scheduler.launch(list(tasks), rig.executor())
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)
    return {pod["name"]: Path(pod["containers"][0]["log"]["stdout"]) for pod in rig.pods()}


def kept(log: Path) -> list[Path]:
    """The log's files, the oldest first."""
    return [path for path in [*sorted(log.parent.glob(f"{log.name}.*"), reverse=True), log] if path.exists()]


def size_bytes(path: Path) -> int:
    """0 of a file that was renamed just now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def numbers(log: Path) -> list[int]:
    """The numbers of the log's whole lines."""
    return [int(each) for path in kept(log) for each in re.findall(rb"^line (\d+)$", path.read_bytes(), re.MULTILINE)]


def last(log: Path) -> int:
    return (numbers(log) or [0])[-1]


def wait_on(log: Path) -> None:
    """Lines come that were not there before."""
    before = last(log)
    assert wait_for(lambda: last(log) > before + 20 or None, 30), f"no line after {before}"


def events(rig: Rig, scheduler: Scheduler, code: str) -> list[dict[str, Any]]:
    return [each for each in rig.journal("mixed", scheduler) if each["code"] == code]


def dropped_bytes(rig: Rig) -> int:
    found = re.search(r"^mesos_pod_executor_log_dropped_bytes_total\{.*\} (\S+)$", rig.command("metrics").stdout, re.M)
    assert found
    return int(float(found[1]))


def writer(rig: Rig) -> psutil.Process:
    (owner,) = rig.run_dir.glob("*.owner")
    executor = psutil.Process(json.loads(owner.read_text())["pid"])
    found = wait_for(lambda: [child for child in executor.children() if is_writer(child)], 10)
    assert found, "no log writer"
    return found[0]


def is_writer(process: psutil.Process) -> bool:
    """One that lives."""
    try:
        return process.name() == WRITER and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_replaced(rig: Rig, old: psutil.Process) -> bool | None:
    return True if writer(rig).pid != old.pid and not old.is_running() else None


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    subprocess.run(["chattr", "+i", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@contextmanager
def full_file_system(directory: Path) -> Iterator[Path]:
    """On `directory`; without the file that it yields there is room."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"small", str(directory).encode(), b"tmpfs", 0, b"size=2m") == 0
    filler = directory / "filler"
    try:
        yield filler
    finally:
        libc.umount2(str(directory).encode(), 2)


def test_a_log_that_refuses_writes_stops_no_container(rig: Rig, scheduler: Scheduler) -> None:
    log = launch(rig, scheduler, shell(rig, "web", COUNTING))["web"]
    wait_on(log)
    before_bytes = dropped_bytes(rig)
    assert events(rig, scheduler, "pod.log_dropped") == []
    with immutable(log):
        assert wait_for(lambda: events(rig, scheduler, "pod.log_dropped") or None, 30)
    wait_on(log)
    assert rig.pods()[0]["state"] == "running"
    (recovered,) = wait_for(lambda: events(rig, scheduler, "pod.log_recovered") or None, 30) or []
    dropped = events(rig, scheduler, "pod.log_dropped")
    assert dropped[0]["error"] == "Operation not permitted" and dropped[0]["container"] == "app"
    assert sum(each["size_bytes"] for each in dropped) == recovered["size_bytes"]
    assert dropped_bytes(rig) == before_bytes + recovered["size_bytes"]
    found = numbers(log)
    lost = set(range(1, found[-1] + 1)) - set(found)
    assert lost and lost == set(range(min(lost), max(lost) + 1)), "one hole, and whole lines beside it"
    assert sum(len(f"line {number}\n") for number in lost) == recovered["size_bytes"]


def test_a_full_file_system_stops_no_container(rig: Rig, scheduler: Scheduler) -> None:
    first = launch(rig, scheduler, shell(rig, "first", "sleep 1000"))["first"]
    with full_file_system(first.parent.parent) as filler:
        script = f"{COUNTING.replace('usleep', 'head -c 4000 /dev/zero >&2; usleep')}"
        log = launch(rig, scheduler, shell(rig, "full", script))["full"]
        wait_on(log)
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(4 << 20))
        assert wait_for(lambda: events(rig, scheduler, "pod.log_dropped") or None, 30)
        assert {each["error"] for each in events(rig, scheduler, "pod.log_dropped")} == {"No space left on device"}
        before = last(log)
        filler.unlink()
        assert wait_for(lambda: last(log) > before or None, 30)
        scheduler.kill("full", grace_s=0)
        scheduler.wait_status("full", "TASK_KILLED", 30)
        assert wait_for(lambda: len(rig.pods()) == 1 or None, 30)


def test_a_flood_stays_within_its_exact_size_and_harms_no_other(rig: Rig, scheduler: Scheduler) -> None:
    tasks = [shell(rig, f"flood-{number}", "yes", revocable=True) for number in range(3)]
    stamps = "while :; do read up idle < /proc/uptime; echo $up; usleep 20000; done"
    logs = launch(rig, scheduler, shell(rig, "web", stamps), *tasks)
    floods = [log for name, log in logs.items() if name != "web"]
    late_s, looks = list[float](), 0
    end_s = time.monotonic() + 4
    seen = 0
    while time.monotonic() < end_s:
        for log in floods:
            sizes = [size_bytes(path) for path in kept(log)]
            assert max(sizes) <= LIMIT_BYTES and sum(sizes) <= LIMIT_BYTES * (FILES + 1)
        lines = logs["web"].read_text().splitlines()
        if len(lines) > seen:
            late_s += [time.clock_gettime(time.CLOCK_BOOTTIME) - float(line) for line in lines[seen:]]
            seen = len(lines)
        looks += 1
        time.sleep(0.005)
    assert looks > 50 and len(late_s) > 30
    assert sorted(late_s)[len(late_s) // 2] < 0.5, sorted(late_s)
    rotated = wait_for(lambda: events(rig, scheduler, "pod.log_rotated") or None, 30)
    assert rotated and events(rig, scheduler, "pod.log_dropped") == []
    for task in logs.keys() - {"web"}:
        scheduler.kill(task, grace_s=0)
        scheduler.wait_status(task, "TASK_KILLED", 30)  # no file changes its name while it is read
    assert all(path.read_bytes() == b"y\n" * (path.stat().st_size // 2) for log in floods for path in kept(log)[:-1])


def test_a_log_writer_that_is_killed_or_stopped_is_replaced(rig: Rig, scheduler: Scheduler) -> None:
    log = launch(rig, scheduler, shell(rig, "web", COUNTING))["web"]
    for number in (signal.SIGKILL, signal.SIGSTOP):
        wait_on(log)
        old = writer(rig)
        old.send_signal(number)
        wait_on(log)
        assert wait_for(partial(is_replaced, rig, old), 30)
    replaced = events(rig, scheduler, "executor.log_writer_replaced")
    assert len(replaced) == 2
    found = numbers(log)
    missing = sum(len(f"line {number}\n") for number in set(range(1, found[-1] + 1)) - set(found))
    assert missing <= sum(each["size_bytes"] for each in replaced) + 16, "no more than was on its way"
    assert len(found) == len(set(found)), "nothing is there twice"


def test_a_restart_of_containerd_interrupts_no_output(rig: Rig, scheduler: Scheduler) -> None:
    log = launch(rig, scheduler, shell(rig, "web", COUNTING))["web"]
    wait_on(log)
    rig.containerd.kill()
    wait_on(log)
    rig.containerd.start()
    wait_on(log)
    found = numbers(log)
    assert found == list(range(1, found[-1] + 1))


def test_the_log_writer_ends_with_its_executor(rig: Rig, scheduler: Scheduler) -> None:
    """Also where containers go on writing what nobody reads any more."""
    logs = launch(rig, scheduler, shell(rig, "web", COUNTING), shell(rig, "flood", "yes"))
    wait_on(logs["web"])
    child = writer(rig)
    executor = psutil.Process(child.ppid())
    executor.kill()
    gone, _ = psutil.wait_procs([child], timeout=20)
    assert gone, "nothing is left running"
    scheduler.wait_status("web", "TASK_FAILED", 30)
    rig.command("gc")
    rig.wait_clean()
    assert not list((rig.run_dir / "streams").glob("*"))


def test_all_that_was_written_before_the_end_is_there_when_the_end_is_told(rig: Rig, scheduler: Scheduler) -> None:
    """900 KB at full speed in each of two runs of the container, binary, and without a last newline."""
    body = "head -c 450000 /dev/urandom > x; cat x; md5sum < x >&2; test -e again || { touch again; exit 1; }"
    volume = {"volumes": [{"name": "v", "emptyDir": {}}], "restartPolicy": "OnFailure"}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}], "workingDir": "/v"}
    scheduler.launch([rig.pod("data", command=("sh", "-c", body), spec=volume, container=mounts)], rig.executor())
    scheduler.wait_status("data", "TASK_FINISHED", 60)
    (log,) = rig.agent.sandbox(scheduler.framework_id, "mixed").glob("pods/*/app.stdout")
    data = b"".join(path.read_bytes() for path in kept(log))
    sums = re.findall(r"^[0-9a-f]{32}", log.with_suffix(".stderr").read_text(), re.MULTILINE)
    assert len(data) == 900_000 and len(sums) == 2, "the same files are continued"
    assert [hashlib.md5(data[at : at + 450_000]).hexdigest() for at in (0, 450_000)] == sums


def test_logs_of_ended_pods_are_bounded_but_what_is_read_stays(rig: Rig, scheduler: Scheduler) -> None:
    count = KEPT_PODS * 3
    scheduler.launch([shell(rig, "keeper", "sleep 1000")], rig.executor())
    scheduler.wait_status("keeper", "TASK_RUNNING", 30)
    names = [f"short-{number}" for number in range(count)]
    directory = rig.agent.sandbox(scheduler.framework_id, "mixed") / "pods"
    reader = None
    try:
        for name in names:
            scheduler.launch([shell(rig, name, "yes | head -c 100000")], rig.executor())
            scheduler.wait_status(name, "TASK_FINISHED", 30)
            if reader is None:
                (first,) = [pod["pod"] for pod in rig.json("ps", "--all")["pods"] if pod["name"] == name]
                reader = subprocess.Popen(["flock", "--shared", str(directory / first), "sleep", "1000"])
        due = count - KEPT_PODS - 1
        assert wait_for(lambda: len(events(rig, scheduler, "pod.logs_removed")) >= due or None, 30)
        removed = events(rig, scheduler, "pod.logs_removed")
        assert removed and {each["reason"] for each in removed} == {"count"}
        left = {path.name for path in directory.iterdir()}
        assert first in left and len(left) <= KEPT_PODS + 2, "those, the one that runs and the one that is read"
        gone = rig.command("logs", removed[0]["pod"], check=False)
        assert gone.returncode != 0 and "removed after its end, by the limit on count" in gone.stderr
        assert rig.command("logs", names[-1]).stdout == "y\n" * 50_000
    finally:
        if reader is not None:
            reader.kill()
            reader.wait()
