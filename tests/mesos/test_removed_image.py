"""An image that is removed between its pull and the creation of its container, under a real agent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.images import ImageSpec
from tests.support.mesos.scheduler import Scheduler
from tests.support.registry import Registry
from tests.support.rig import IMAGE, SLEEP, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]
WAITS = "until [ -e /go ]; do sleep 0.05; done"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry"), tls=False) as found:
        yield found


@pytest.fixture(scope="module")
def rig(registry: Registry) -> Iterator[Rig]:
    with Rig(config={"IMAGES_PLAIN_HTTP": registry.host}) as found:
        yield found


def test_it_is_pulled_again(rig: Rig, scheduler: Scheduler, registry: Registry) -> None:
    """A container with a subPath is made after the init containers."""
    registry.push("removed/app", "1", ImageSpec("unused", cmd=SLEEP, files={"own": b"of this image"}))
    image = f"{registry.host}/removed/app:1"
    init = {"name": "waits", "image": IMAGE, "command": ["sh", "-c", WAITS]}
    spec = {"volumes": [{"name": "v", "emptyDir": {}}], "initContainers": [init]}
    container = {"image": image, "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "made"}]}
    scheduler.launch([rig.pod("removed", container=container, spec=spec)], rig.executor())

    def pulled() -> list[str]:
        return [event["image"] for event in rig.journal("mixed", scheduler) if event["code"] == "image.pulled"]

    def waits() -> bool | None:
        return rig.command("exec", "removed", "-c", "waits", "--", "true", check=False).returncode == 0 or None

    assert wait_for(waits, 60)
    assert pulled() == [image]

    rig.command("images", "rm", image)
    rig.command("exec", "removed", "-c", "waits", "--", "touch", "/go")

    scheduler.wait_status("removed", "TASK_RUNNING", 60)
    assert pulled() == [image, image]
