"""VOLUMEs of an image can be written to where the container's root is read only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.mesos.volume_pods import container, facts, task
from tests.support.images import ImageSpec, write_archive
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import NAMESPACE, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

IMAGE = "docker.io/library/volumes:test"
LOOK = """
echo "there=$(cat /data/file; echo x > /data/new; echo : $(ls /data))"
echo "linked=$(touch /link/new && echo $(ls /srv/real))"
echo "none=$(touch /none/new && ls /none)"
echo "own=$(ls /own)"
echo "outside=$(touch /etc/new 2>&1)"
"""


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="image-volumes") as framework:
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


async def load(rig: Rig) -> None:
    from executor.containerd import Containerd
    from executor.images.store import ImageStore

    image = ImageSpec(
        IMAGE,
        volumes=("/data", "/link", "/none", "/own"),
        files={"data/file": b"from the image", "srv/real/file": b"", "own/hidden": b""},
        links={"link": "/srv/real"},
    )
    archive = write_archive(rig.directory / "volumes.tar", image)
    async with await Containerd.connect(rig.containerd.address, NAMESPACE) as client:
        await ImageStore(client).import_archive(archive)


def test_a_volume_of_an_image(rig: Rig, scheduler: Scheduler) -> None:
    asyncio.run(load(rig))
    app = container(LOOK, securityContext={"readOnlyRootFilesystem": True})
    app |= {"image": IMAGE, "volumeMounts": [{"name": "own", "mountPath": "/own"}]}
    spec = {"containers": [app], "volumes": [{"name": "own"}], "terminationGracePeriodSeconds": 0}
    scheduler.launch([task("volumes", spec)], rig.executor())
    scheduler.wait_status("volumes", "TASK_RUNNING", 30)
    found = facts(rig, "volumes")
    assert found["there"] == "from the image: file new"
    assert found["linked"] == "file new"
    assert (found["none"], found["own"]) == ("new", "")
    assert "Read-only file system" in found["outside"]
    scheduler.kill("volumes")
    scheduler.wait_status("volumes", "TASK_KILLED", 30)
