"""Containers from launch to removal on a real containerd and runc."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.containerd.errors import AlreadyExists
from executor.containerd.types import TaskStatus
from executor.errors import ContainerdFailure, ContainerdUnavailable, NotFound
from executor.images.store import ImageStore
from tests.integration.containerd.launching import OWNER, Launcher, alive, eventually, oci_spec, process
from tests.support.cgroupdirs import roots
from tests.support.containerd import PrivateContainerd

pytestmark = pytest.mark.root


async def test_a_container_from_launch_to_removal(client: Containerd, launcher: Launcher) -> None:
    pid = await launcher.create("full", "echo out; echo err >&2; exit 7")
    assert await client.tasks.start("full") == pid

    status = await client.tasks.wait("full")

    assert status.exit_status == 7
    assert status.exited_at is not None and abs(datetime.now(UTC) - status.exited_at) < timedelta(seconds=10)
    assert await eventually("out", launcher.out("full")) == "out\n"
    assert await eventually("err", launcher.err("full")) == "err\n"
    task = await client.tasks.get("full")
    assert (task.status, task.exit_status, task.pid) == (TaskStatus.STOPPED, 7, pid)
    deleted = await client.tasks.delete("full")
    assert deleted is not None and deleted.exit_status == 7
    await client.containers.delete("full")
    await client.snapshots.remove("full")
    assert await client.tasks.list() == ()
    assert await client.containers.list() == ()
    assert await client.snapshots.list(OWNER) == ()


async def test_removal_is_idempotent(client: Containerd, launcher: Launcher) -> None:
    await launcher.run("twice", "sleep 1000")
    await launcher.remove("twice")

    assert await client.tasks.kill("twice", signal.SIGKILL) is False
    assert await client.tasks.delete("twice") is None
    await launcher.remove("twice")
    await client.images.delete("never/was:here")
    lease = await client.leases.create("once", expire_s=60)
    await client.leases.delete(lease)
    await client.leases.delete(lease, sync=True)


async def test_what_is_not_there_is_not_found(client: Containerd) -> None:
    with pytest.raises(NotFound, match="ghost"):
        await client.tasks.get("ghost")
    with pytest.raises(NotFound, match="ghost"):
        await client.tasks.wait("ghost")
    with pytest.raises(NotFound, match="ghost"):
        await client.tasks.pids("ghost")
    with pytest.raises(NotFound, match="ghost"):
        await client.containers.get("ghost")
    with pytest.raises(NotFound, match="ghost"):
        await client.snapshots.mounts("ghost")


async def test_a_second_container_of_the_same_name_is_refused(client: Containerd, launcher: Launcher) -> None:
    await launcher.create("taken", "true")
    image = "docker.io/library/busybox:test"

    with pytest.raises(AlreadyExists, match="taken"):
        await client.containers.create("taken", image=image, snapshot_key="taken", spec=oci_spec(["/x"], "/x"))
    with pytest.raises(AlreadyExists, match="taken"):
        await client.snapshots.prepare("taken", "")
    with pytest.raises(AlreadyExists, match="taken"):
        await client.tasks.create("taken", await client.snapshots.mounts("taken"))


async def test_a_signal_reaches_the_process(client: Containerd, launcher: Launcher) -> None:
    await launcher.run("term", 'trap "echo caught; exit 3" TERM; echo ready; while :; do sleep 0.05; done')
    await eventually("ready", launcher.out("term"))

    assert await client.tasks.kill("term", signal.SIGTERM) is True

    assert (await client.tasks.wait("term")).exit_status == 3
    assert "caught" in await eventually("caught", launcher.out("term"))


async def test_kill_all_reaches_every_process(client: Containerd, launcher: Launcher) -> None:
    await launcher.run("tree", "for i in 1 2 3; do sleep 1000 & done; echo ready; wait")
    await eventually("ready", launcher.out("tree"))
    pids = await client.tasks.pids("tree")
    assert len(pids) == 4

    await client.tasks.kill("tree", signal.SIGKILL, all=True)

    assert (await client.tasks.wait("tree")).exit_status == 128 + signal.SIGKILL
    assert not [pid for pid in pids if alive(pid)]


async def test_a_running_task_cannot_be_deleted(client: Containerd, launcher: Launcher) -> None:
    await launcher.run("busy", "sleep 1000")

    with pytest.raises(ContainerdFailure, match="busy"):
        await client.tasks.delete("busy")


async def test_a_program_that_is_not_there_is_named(client: Containerd, launcher: Launcher) -> None:
    image = await ImageStore(client).lookup("busybox:test")
    async with client.leases.hold("launch", expire_s=60) as lease:
        mounts = await client.snapshots.prepare("typo", image.chain_id, lease=lease)
        spec = oci_spec(["/bin/no-such-program"], "/mpe-test-typo")
        await client.containers.create("typo", image=image.name, snapshot_key="typo", spec=spec, lease=lease)

    with pytest.raises(ContainerdFailure, match=r"(?i)typo: .*no-such-program.*no such file"):
        await client.tasks.create("typo", mounts)

    assert await client.tasks.list() == ()


async def test_exec_runs_beside_the_first_process(client: Containerd, launcher: Launcher, tmp_path: Path) -> None:
    await launcher.run("host", "sleep 1000")
    out = tmp_path / "exec.out"
    out.touch()

    await client.tasks.exec("host", "one", process(["/bin/sh", "-c", "echo hello from exec; exit 5"]), stdout=out)
    pid = await client.tasks.start("host", exec_id="one")
    status = await client.tasks.wait("host", exec_id="one")

    assert pid > 0 and status.exit_status == 5
    assert await eventually("\n", out) == "hello from exec\n"
    assert (await client.tasks.get("host", exec_id="one")).exec_id == "one"
    deleted = await client.tasks.delete("host", exec_id="one")
    assert deleted is not None and deleted.exit_status == 5
    assert await client.tasks.delete("host", exec_id="one") is None
    assert (await client.tasks.get("host")).status is TaskStatus.RUNNING


async def test_exec_with_stdin_through_fifos(client: Containerd, launcher: Launcher, tmp_path: Path) -> None:
    await launcher.run("cat", "sleep 1000")
    stdin, stdout = tmp_path / "in", tmp_path / "out"
    os.mkfifo(stdin)
    stdout.touch()
    writer = os.open(stdin, os.O_RDWR | os.O_NONBLOCK)  # never blocks, whoever else has it open
    await client.tasks.exec("cat", "feed", process(["/bin/cat"]), stdin=stdin, stdout=stdout)
    await client.tasks.start("cat", exec_id="feed")

    os.write(writer, b"typed in\n")
    await eventually("typed in", stdout)
    os.close(writer)
    await client.tasks.close_stdin("cat", exec_id="feed")

    assert (await client.tasks.wait("cat", exec_id="feed")).exit_status == 0


async def test_limits_of_a_running_container_can_be_changed(
    client: Containerd, launcher: Launcher, node: PrivateContainerd
) -> None:
    await launcher.run("small", "sleep 1000")

    await client.tasks.update("small", {"memory": {"limit": 64 << 20}})

    limits = [path / name for path in roots(f"{node.cgroup}/small") for name in ("memory.limit_in_bytes", "memory.max")]
    assert [int(path.read_text()) for path in limits if path.exists()] == [64 << 20]


async def test_containers_of_one_group_share_a_shim(launcher: Launcher, node: PrivateContainerd) -> None:
    before = set(node.shims())
    await launcher.run("pod-a", "sleep 1000", shim_group="pod")
    await launcher.run("pod-b", "sleep 1000", shim_group="pod")
    await launcher.run("alone", "sleep 1000")

    assert len(set(node.shims()) - before) == 2


async def test_lists_are_filtered_by_label(client: Containerd, launcher: Launcher) -> None:
    await launcher.create("mine", "true")
    other = {'odd "label" \\': 'odd "value" \\'}
    await client.containers.create("theirs", image="", snapshot_key="", spec=b"{}", labels=other)

    assert [container.id for container in await client.containers.list(OWNER)] == ["mine"]
    assert [container.id for container in await client.containers.list(other)] == ["theirs"]
    assert [container.id for container in await client.containers.list({"mpe/test": ""})] == ["mine"]
    assert [container.id for container in await client.containers.list({"mpe/test": "no"})] == []
    assert (await client.containers.get("theirs")).labels == other
    assert [snapshot.key for snapshot in await client.snapshots.list(OWNER)] == ["mine"]


async def test_twenty_launches_at_once(client: Containerd, launcher: Launcher) -> None:
    names = [f"many-{i}" for i in range(20)]

    async def life(name: str) -> int:
        await launcher.run(name, f"echo {name}; exit {name[5:]}")
        return (await client.tasks.wait(name)).exit_status

    assert await asyncio.gather(*(life(name) for name in names)) == list(range(20))
    for name in names:
        assert await eventually("\n", launcher.out(name)) == f"{name}\n"
        await launcher.remove(name)
    assert await client.tasks.list() == ()


async def test_a_prepared_snapshot_under_a_lease_survives_garbage_collection(
    client: Containerd, launcher: Launcher
) -> None:
    image = await ImageStore(client).lookup("busybox:test")
    other = await client.leases.create("other", expire_s=60)
    lease = await client.leases.create("held", {"mpe/why": "test"}, expire_s=60)
    await client.snapshots.prepare("held", image.chain_id, lease=lease)
    await client.snapshots.prepare("unheld", image.chain_id)

    await client.leases.delete(other, sync=True)  # runs a collection

    assert await client.snapshots.exists("held")
    assert not await client.snapshots.exists("unheld"), "no collection ran, so this test shows nothing"
    assert [found.id for found in await client.leases.list({"mpe/why": "test"})] == ["held"]
    await client.leases.delete(lease, sync=True)
    assert not await client.snapshots.exists("held")
    assert await client.snapshots.exists(image.chain_id), "the image keeps its own snapshot"


async def test_wait_ends_in_an_error_of_ours_when_the_connection_is_closed(
    node: PrivateContainerd, client: Containerd, launcher: Launcher
) -> None:
    await launcher.run("waited", "sleep 1000")
    other = await Containerd.connect(node.address, client.namespace)

    async def close_while_waiting() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(other.tasks.wait("waited"))
            await asyncio.sleep(0.1)
            await other.close()

    with pytest.raises(ExceptionGroup) as caught:
        await close_while_waiting()

    assert caught.group_contains(ContainerdUnavailable, match="waited.*closed")
    with pytest.raises(ContainerdUnavailable, match="closed"):
        await other.version()


async def test_cancelling_a_wait_cancels_and_nothing_else(client: Containerd, launcher: Launcher) -> None:
    await launcher.run("patient", "sleep 1000")
    waiting = asyncio.create_task(client.tasks.wait("patient"))
    await asyncio.sleep(0.1)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.tasks.wait("patient")
    assert (await client.tasks.get("patient")).status is TaskStatus.RUNNING
