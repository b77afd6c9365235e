"""A volume on a symbolic link of its image is mounted where the link leads within the container, as mountPath could say
itself, and runc refuses one that leads to /proc, where the executor refuses the mountPath.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.mesos.volume_pods import container, facts, task
from tests.support.images import ImageSpec, write_archive
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import NAMESPACE, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LINKED = "docker.io/library/linked:test"
LINKS = {"dev-link": "/dev", "up": "../../../../srv", "proc-link": "/proc", "loop": "/loop"}
LOOK = """
echo "at=$(cut -d' ' -f5 /proc/self/mountinfo | grep -xE '/srv|/dev' | tail -n 1)"
echo "null=$(stat -c %F,%t,%T /dev/null)"
echo "kcore=$(head -c 10 /proc/kcore | wc -c)"
"""


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    asyncio.run(load(rig))
    with rig.scheduler(name="linked") as framework:
        framework.launch([rig.pod("anchor")], rig.executor())
        framework.wait_status("anchor", "TASK_RUNNING", 60)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


async def load(rig: Rig) -> None:
    from executor.containerd import Containerd
    from executor.images.store import ImageStore

    archive = write_archive(rig.directory / "linked.tar", ImageSpec(LINKED, links=LINKS))
    async with await Containerd.connect(rig.containerd.address, NAMESPACE) as client:
        await ImageStore(client).import_archive(archive)


def linked(name: str, path: str) -> dict[str, Any]:
    """A pod with an emptyDir on `path`."""
    app = {**container(LOOK), "image": LINKED, "volumeMounts": [{"name": "own", "mountPath": path}]}
    return task(name, {"containers": [app], "volumes": [{"name": "own"}], "terminationGracePeriodSeconds": 0})


@pytest.mark.parametrize(("link", "at"), [("dev-link", "/dev"), ("up", "/srv")])
def test_a_link_stays_in_the_container(rig: Rig, scheduler: Scheduler, link: str, at: str) -> None:
    scheduler.launch([linked(link, f"/{link}")], rig.executor())
    scheduler.wait_status(link, "TASK_RUNNING", 30)
    found = facts(rig, link)
    assert (found["at"], found["null"], found["kcore"]) == (at, "character special file,1,3", "0")
    scheduler.kill(link)
    scheduler.wait_status(link, "TASK_KILLED", 30)


def test_a_link_to_proc_is_refused(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([linked("proc-link", "/proc-link"), linked("loop", "/loop")], rig.executor())
    refused = scheduler.wait_status("proc-link", TERMINAL, 30)
    assert (refused.state, refused.reason) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED")
    assert 'to rootfs at "/proc-link"' in refused.message and "rootfs/proc" in refused.message
    assert scheduler.wait_status("loop", TERMINAL, 30).state == "TASK_FAILED"
