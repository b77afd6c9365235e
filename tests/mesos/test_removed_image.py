"""An image that is removed between its pull and the creation of its container, under a real agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import ImageSpec
from tests.support.mesos.scheduler import Scheduler
from tests.support.registry import Registry
from tests.support.rig import SLEEP, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]
PLUGIN = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
touch {directory}/waits
while [ ! -e {directory}/go ]; do sleep 0.05; done
echo '{{"cniVersion": "1.0.0", "ips": [{{"address": "10.9.0.2/24"}}]}}'
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry"), tls=False) as found:
        yield found


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin that says when it is run, and waits for the test."""
    directory = tmp_path_factory.mktemp("plugins")
    (directory / "waiting").write_text(PLUGIN.format(directory=directory))
    (directory / "waiting").chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def rig(registry: Registry, plugins: Path) -> Iterator[Rig]:
    config = {"IMAGES_PLAIN_HTTP": registry.host, "CNI_PLUGIN_DIRS": f"{plugins},/usr/lib/cni"}
    with Rig(config=config) as found:
        document = {"cniVersion": "1.0.0", "name": "waiting", "plugins": [{"type": "waiting"}]}
        (found.cni_config / "waiting.conflist").write_text(json.dumps(document))
        yield found


def test_it_is_pulled_again(rig: Rig, scheduler: Scheduler, registry: Registry, plugins: Path) -> None:
    registry.push("removed/app", "1", ImageSpec("unused", cmd=SLEEP, files={"own": b"of this image"}))
    image = f"{registry.host}/removed/app:1"
    address = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}  # made after its network
    metadata = {"annotations": {"mesos-pod-executor/networks": "waiting"}}
    container = {"image": image, "env": [address]}
    scheduler.launch([rig.pod("removed", container=container, metadata=metadata)], rig.executor())
    assert wait_for(lambda: (plugins / "waits").exists() or None, 60)

    rig.command("images", "rm", image)
    (plugins / "go").touch()

    scheduler.wait_status("removed", "TASK_RUNNING", 60)
    pulled = [event["image"] for event in rig.journal("mixed", scheduler) if event["code"] == "image.pulled"]
    assert pulled == [image, image]
