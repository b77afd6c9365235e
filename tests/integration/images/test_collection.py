"""Images that are removed: by a full disk, and while a launch needs them."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from executor import log
from executor.config.images import ImagesSection
from executor.containerd import Containerd
from executor.images import collection
from executor.images.images import Images
from executor.images.model import PULLED_LABEL, USED_LABEL
from executor.mesos.resources import Resources
from executor.names import PodClass, Role, TaskId
from executor.pod.images import PodImages
from executor.spec.model import ContainerSpec, PodSpec
from tests.integration.containerd.launching import Launcher
from tests.integration.images.ensuring import config
from tests.integration.images.pulls import Node, fresh
from tests.support.images import ImageSpec
from tests.support.registry import Registry
from tests.support.registry_front import Front

pytestmark = pytest.mark.root
LONG_AGO = "2020-01-01T00:00:00Z"


async def test_what_is_asked_for_during_a_collection_stays(
    here: Node, front: Front, plain: Registry, app: ImageSpec, tmp_path: Path, client: Containerd
) -> None:
    plain.push("team/other", "1", fresh())
    names = [f"{front.host}/team/{name}:1" for name in ("app", "other")]
    images = Images(here.client, config(here, front))
    for name in names:
        await images.ensure(name)
    await images.close()
    for name in names:
        await client.images.set_labels(name, {PULLED_LABEL: LONG_AGO, USED_LABEL: LONG_AGO})
    section = ImagesSection(content_dir=str(tmp_path), gc_min_age_s=60.0)
    asked_for: list[str] = []

    def removed(record: Mapping[str, Any]) -> None:
        """Another executor asks for all that is left."""
        if record["code"] == "image.removed":
            asked_for.extend(set(names) - {record["image"]})
            now = f"{USED_LABEL}={datetime.now(UTC).isoformat(timespec='seconds')}"
            command = ["ctr", "--address", client.address, "--namespace", client.namespace, "images", "label"]
            done = subprocess.run([*command, asked_for[0], now], check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    stop = log.add_sink(removed)
    try:
        done = await collection.collect(client, section, tmp_path, everything=True)
    finally:
        stop()
    left = {each.name for each in await client.images.list()}
    assert len(done.removed) == 1 and left >= set(asked_for) and not left & set(done.removed)


async def test_an_image_that_is_removed_after_it_was_found_is_pulled_again(
    images: Images, app: ImageSpec, front: Front, client: Containerd
) -> None:
    name = f"{front.host}/team/app:1"
    container = ContainerSpec("app", name, TaskId("task"))
    spec = PodSpec((TaskId("task"),), "pod", "default", "", PodClass.REGULAR, Role("*"), (container,), Resources())
    pod = PodImages(images, spec, log.get_logger(__name__), patience_s=10)
    await pod.pull()
    await client.images.delete(name, sync=True)

    first = await pod.take(container)
    assert not await client.snapshots.exists(first.chain_id)
    again = await pod.take(container)
    assert again == first and await client.snapshots.exists(again.chain_id)


async def test_a_use_is_recorded(images: Images, app: ImageSpec, front: Front, client: Containerd) -> None:
    image = await images.ensure(f"{front.host}/team/app:1")
    deadline = time.monotonic() + 10
    while USED_LABEL not in (labels := (await client.images.get(image.name)).labels):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert set(labels) == {"mesos-pod-executor/pulled", "mesos-pod-executor/used"}


async def test_an_executor_makes_room_on_a_full_disk(
    here: Node, front: Front, plain: Registry, app: ImageSpec, launcher: Launcher, tmp_path: Path
) -> None:
    plain.push("team/idle", "1", fresh())
    idle, used = f"{front.host}/team/idle:1", f"{front.host}/team/app:1"
    full = config(
        here, front, content_dir=str(tmp_path), gc_high_percent=1.0, gc_low_percent=0.0, gc_min_age_s=3600.0
    )  # fmt: skip
    images = Images(here.client, full)
    for name in (idle, used):
        await images.ensure(name)
    await launcher.create("user", "true", image_name=used)
    images.keep_room()
    await asyncio.sleep(1)
    await images.close()
    assert {each.name for each in await here.client.images.list()} >= {idle, used}  # both were just asked for

    later = Images(here.client, replace(full, images=replace(full.images, gc_min_age_s=0.0)))
    later.keep_room()
    deadline = time.monotonic() + 30
    while idle in (names := {each.name for each in await here.client.images.list()}):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await later.close()
    assert used in names
