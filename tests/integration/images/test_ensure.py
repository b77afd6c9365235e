"""What launches ask for: policies, shared pulls, back-off, and pulls that outlive their launch."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from executor import log
from executor.config import Config, ContainerdSection, NodeSection
from executor.config.images import ImagesSection
from executor.containerd import Containerd
from executor.containerd.types import Descriptor
from executor.errors import Failure, ImageFailure
from executor.images import collection
from executor.images.failures import PullFailure
from executor.images.images import Images, Pulling
from executor.images.model import PULLED_LABEL, USED_LABEL
from executor.images.policy import PullPolicy
from executor.images.pulling.verifier import VerificationRefused
from executor.images.registry.credentials import parse_docker_config
from executor.mesos.resources import Resources
from executor.names import PodClass, Role, TaskId
from executor.pod.images import PodImages
from executor.spec.model import ContainerSpec, PodSpec
from tests.integration.containerd.launching import Launcher
from tests.integration.images.pulls import Node, fresh, layer, until
from tests.support.images import ImageSpec
from tests.support.registry import Registry, docker_config
from tests.support.registry_front import Fault, Front

pytestmark = pytest.mark.root
LONG_AGO = "2020-01-01T00:00:00Z"


def config(here: Node, front: Front, **images: object) -> Config:
    settings = here.settings
    section = ImagesSection(
        hosts_dir=settings.hosts_dir,
        docker_config=settings.docker_config,
        plain_http=(front.host,),
        **images,  # type: ignore[arg-type]
    )
    containerd = ContainerdSection(address=settings.address, namespace=settings.namespace)
    return Config(containerd=containerd, node=NodeSection(run_dir=settings.run_dir), images=section)


@pytest.fixture
async def images(here: Node, front: Front) -> AsyncIterator[Images]:
    found = Images(here.client, config(here, front))
    yield found
    await found.close()


def helpers() -> list[int]:
    """Pids of the helpers of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if b"pulling.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_policies(images: Images, app: ImageSpec, front: Front, plain: Registry) -> None:
    name = f"{front.host}/team/app:1"
    with pytest.raises(ImageFailure, match="is not on this node"):
        await images.ensure(name, PullPolicy.NEVER)
    assert front.seen == []

    first = await images.ensure(name, PullPolicy.IF_NOT_PRESENT)
    assert first.config.cmd == ("/bin/app",)
    front.seen.clear()
    assert await images.ensure(name) == first
    assert await images.ensure(name, PullPolicy.NEVER) == first
    assert front.seen == []

    newer = plain.push("team/app", "1", fresh())
    assert await images.ensure(name) == first
    assert (await images.ensure(name, PullPolicy.ALWAYS)).digest == newer
    front.seen.clear()
    assert (await images.ensure(name, PullPolicy.ALWAYS)).digest == newer
    assert [method for method, _, _ in front.seen] == ["HEAD"]


async def test_a_node_that_does_not_pull(here: Node, app: ImageSpec, front: Front) -> None:
    images = Images(here.client, config(here, front, pull=False))
    with pytest.raises(ImageFailure, match="is not on this node"):
        await images.ensure(f"{front.host}/team/app:1", PullPolicy.ALWAYS)
    assert front.seen == []


async def test_a_pull_goes_on_without_its_launch(images: Images, app: ImageSpec, front: Front) -> None:
    name, told = f"{front.host}/team/app:1", list[Pulling | None]()
    front.faults = [Fault(f"/blobs/{layer(app)}", pause_s=0.0005)]
    launch = asyncio.create_task(images.ensure(name, waits=told.append))
    await until(lambda: told and told[0] and told[0].progress.phase == "downloading")
    launch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launch
    assert told[-1] is None

    await images.ensure(name)  # joins it
    assert [text for _, path, text in front.seen if layer(app) in path] == [""]
    await until(lambda: not helpers())


async def test_launches_share_a_pull(images: Images, app: ImageSpec, front: Front) -> None:
    name = f"{front.host}/team/app:1"
    found = await asyncio.gather(*(images.ensure(name, PullPolicy.ALWAYS) for _ in range(10)))

    assert len(set(found)) == 1
    assert len([path for method, path, _ in front.seen if method == "HEAD"]) == 1


async def test_credentials_of_a_task_reach_the_helper(here: Node, plain: Registry, app: ImageSpec) -> None:
    with Front(plain, token=True) as front:
        images = Images(here.client, config(here, front, patience_s=0))
        name = f"{front.host}/team/app:1"
        with pytest.raises(PullFailure, match="401"):
            await images.ensure(name)
        other = Images(here.client, config(here, front, patience_s=0))  # without the back-off of the first
        await other.ensure(name, credentials=parse_docker_config(docker_config(front.host), subject="task"))


async def test_a_failed_pull_is_tried_again_after_a_pause(here: Node, front: Front, plain: Registry) -> None:
    images = Images(here.client, config(here, front, patience_s=60))
    name, told = f"{front.host}/late/app:1", list[Pulling | None]()
    begin = time.monotonic()
    launch = asyncio.create_task(images.ensure(name, waits=told.append))
    await until(lambda: told and told[0] and told[0].error)
    plain.push("late/app", "1", fresh())

    image = await launch
    assert image.config.cmd == ("/bin/app",)
    assert time.monotonic() - begin >= 10  # kubelet's first pause
    assert "404" in str(told[0] and told[0].error) or (told[0] and told[0].error == "")


async def test_patience_has_an_end_and_others_do_not_ask_again(here: Node, front: Front) -> None:
    images = Images(here.client, config(here, front, patience_s=5))
    name = f"{front.host}/team/absent:1"
    with pytest.raises(PullFailure, match="404"):
        await images.ensure(name)
    asked = len(front.seen)
    with pytest.raises(PullFailure, match="404"):
        await images.ensure(name)
    assert len(front.seen) == asked


async def test_what_cannot_get_better_is_not_tried_again(here: Node, app: ImageSpec, front: Front) -> None:
    images = Images(here.client, config(here, front, verifier=("/bin/false",)))
    with pytest.raises(ImageFailure, match="not allowed on this node") as caught:
        await images.ensure(f"{front.host}/team/app:1")
    assert not isinstance(caught.value, PullFailure)
    with pytest.raises(ImageFailure, match="no name of an image"):
        await images.ensure("r.example/UPPER:1")
    assert issubclass(VerificationRefused, ImageFailure)


async def test_a_helper_that_dies_is_told(images: Images, app: ImageSpec, front: Front) -> None:
    name = f"{front.host}/team/app:1"
    front.faults = [Fault(f"/blobs/{layer(app)}", pause_s=0.002)]
    launch = asyncio.create_task(images.ensure(name))
    await until(lambda: any("/blobs/" in path for _, path, _ in front.seen))
    (helper,) = helpers()
    os.kill(helper, signal.SIGKILL)
    with pytest.raises(Failure, match="the helper of its pull ended with -9"):
        await launch
    assert (await images.ensure(name)).config.cmd == ("/bin/app",)


async def test_closing_ends_the_helpers(here: Node, app: ImageSpec, front: Front) -> None:
    images = Images(here.client, config(here, front))
    front.faults = [Fault("/blobs/", pause_s=0.01)]
    launch = asyncio.create_task(images.ensure(f"{front.host}/team/app:1"))
    await until(helpers)
    await images.close()
    assert helpers() == []
    with pytest.raises(asyncio.CancelledError):
        await launch


async def test_an_incomplete_image_is_pulled(
    images: Images, app: ImageSpec, front: Front, client: Containerd, plain: Registry
) -> None:
    name = f"{front.host}/team/app:1"
    digest = plain.push("team/app", "1", app)
    await client.images.put(name, Descriptor("application/vnd.oci.image.manifest.v1+json", digest, 1))
    with pytest.raises(ImageFailure, match="not on this node"):
        await images.ensure(name, PullPolicy.NEVER)

    assert (await images.ensure(name, PullPolicy.IF_NOT_PRESENT)).config.cmd == ("/bin/app",)


async def test_the_back_off_of_wrong_credentials_holds_for_them_only(
    here: Node, plain: Registry, app: ImageSpec
) -> None:
    with Front(plain, token=True) as front:
        images = Images(here.client, config(here, front, patience_s=0))
        name = f"{front.host}/team/app:1"
        wrong = parse_docker_config(docker_config(front.host, password="guess"), subject="task")
        with pytest.raises(PullFailure, match="401"):
            await images.ensure(name, credentials=wrong)
        asked = len(front.seen)
        with pytest.raises(PullFailure, match="401"):
            await images.ensure(name, credentials=wrong)
        assert len(front.seen) == asked

        right = parse_docker_config(docker_config(front.host), subject="task")
        assert (await images.ensure(name, credentials=right)).config.cmd == ("/bin/app",)


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
