"""What launches ask for: policies, shared pulls, back-off, and pulls that outlive their launch."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from dataclasses import replace

import pytest

from executor.containerd import Containerd
from executor.containerd.types import Descriptor
from executor.errors import Failure, ImageFailure
from executor.images.failures import PullFailure
from executor.images.images import Images, Pulling
from executor.images.policy import PullPolicy
from executor.images.pulling.verifier import VerificationRefused
from executor.images.registry.credentials import parse_docker_config
from tests.integration.images.ensuring import config, helpers
from tests.integration.images.pulls import Node, fresh, layer, until
from tests.support.images import ImageSpec
from tests.support.registry import Registry, docker_config
from tests.support.registry_front import Fault, Front

pytestmark = pytest.mark.root
LONG_AGO = "2020-01-01T00:00:00Z"


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


async def test_a_launch_that_leaves_takes_no_other_one_along(images: Images, app: ImageSpec, front: Front) -> None:
    name, stays, leaves = f"{front.host}/team/app:1", list[Pulling | None](), list[Pulling | None]()
    front.faults = [Fault(f"/blobs/{layer(app)}", pause_s=0.0005)]
    launches = [asyncio.create_task(images.ensure(name, waits=told.append)) for told in (stays, leaves)]
    await until(lambda: leaves and leaves[0] and leaves[0].progress.phase == "downloading")
    launches[1].cancel()
    await asyncio.wait(launches[1:])
    before = stays[0].progress if stays[0] else None
    await until(lambda: stays[0] and stays[0].progress != before)
    assert (await launches[0]).config.cmd == ("/bin/app",)


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
    with pytest.raises(ImageFailure, match="not a name of an image"):
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


@pytest.mark.parametrize("silence", ["pause_s", "wait_s"], ids=["body", "headers"])
async def test_a_failure_does_not_wait_for_the_other_layers(
    here: Node, front: Front, plain: Registry, silence: str
) -> None:
    image = fresh(secrets.token_hex(4))
    plain.push("other/app", "1", image)
    silent, absent = layer(image, 0), layer(image, 1)
    front.faults = [
        replace(Fault(f"/blobs/{silent}"), **{silence: 20.0}),  # type: ignore[arg-type]
        Fault(f"/blobs/{absent}", status=503, headers={"retry-after": "1"}),
        Fault(f"/blobs/{absent}", status=404),
    ]
    images = Images(here.client, config(here, front, patience_s=0))
    begin = time.monotonic()
    with pytest.raises(PullFailure, match="404"):
        await images.ensure(f"{front.host}/other/app:1")
    assert time.monotonic() - begin < 10


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
