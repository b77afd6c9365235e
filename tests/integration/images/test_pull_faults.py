"""Pulls over networks and from registries that fail: nothing wrong is kept, nothing that came is lost."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from executor.containerd.types import Descriptor
from executor.errors import ContainerdFailure, ImageFailure
from executor.images import reference
from executor.images.failures import PullFailure
from executor.images.pulling.download import Download, Tally, upload
from executor.images.registry.hosts import of_registry
from executor.images.registry.repository import Repository
from tests.integration.images.pulls import SIZE, Node, layer, until
from tests.support.images import ImageSpec, digest_of, gzipped
from tests.support.registry import Registry
from tests.support.registry_front import Fault, Front

pytestmark = pytest.mark.root


async def test_a_cut_connection_goes_on_where_it_ended(here: Node, app: ImageSpec, front: Front) -> None:
    big = layer(app)
    front.faults = [Fault(f"/blobs/{big}", cut_after=2_000_000)]

    done = await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))

    asked = [text for _, path, text in front.seen if big in path]
    assert asked[0] == "" and asked[1].startswith("bytes=") and int(asked[1][6:-1]) > 1_000_000
    assert SIZE <= done.fetched_bytes <= done.total_bytes


async def test_a_failed_pull_leaves_what_it_has_to_the_next(here: Node, app: ImageSpec, front: Front) -> None:
    name, big = f"{front.host}/team/app:1", layer(app)
    front.faults = [Fault(f"/blobs/{big}", cut_after=2_000_000), Fault(f"/blobs/{big}", status=404)]
    with pytest.raises(PullFailure, match="404"):
        await here.pull(name, plain_http=(front.host,))

    front.faults, front.seen = [], []
    done = await here.pull(name, plain_http=(front.host,))
    assert next(text for _, path, text in front.seen if big in path).startswith("bytes=")
    assert done.fetched_bytes < done.total_bytes / 2
    assert done.phase == "done"


async def test_a_registry_without_ranges_starts_again(here: Node, app: ImageSpec, front: Front) -> None:
    big = layer(app)
    front.faults = [
        Fault(f"/blobs/{big}", cut_after=2_000_000),
        Fault(f"/blobs/{big}", ignores_range=True),
    ]
    assert (await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))).phase == "done"


async def test_other_content_is_refused_and_not_kept(here: Node, app: ImageSpec, front: Front) -> None:
    name, data = f"{front.host}/team/app:1", gzipped(app.layers()[1])
    other = bytes([data[0] ^ 1]) + data[1:]
    front.faults = [Fault(f"/blobs/{digest_of(data)}", body=other)]

    with pytest.raises(PullFailure, match="came with other content"):
        await here.pull(name, plain_http=(front.host,))
    assert (await here.pull(name, plain_http=(front.host,))).phase == "done"


async def test_a_wrong_beginning_of_an_earlier_try_does_not_fail_a_good_registry(
    here: Node, app: ImageSpec, front: Front
) -> None:
    name, data = f"{front.host}/team/app:1", gzipped(app.layers()[1])
    blob = f"/blobs/{digest_of(data)}"
    other = bytes([data[0] ^ 1]) + data[1:]
    front.faults = [Fault(blob, body=other, cut_after=1_000_000), Fault(blob, status=404)]
    with pytest.raises(PullFailure, match="404"):
        await here.pull(name, plain_http=(front.host,))

    front.seen = []
    assert (await here.pull(name, plain_http=(front.host,))).phase == "done"
    ranges = [text for _, path, text in front.seen if blob in path]
    assert len(ranges) == 2 and ranges[0].startswith("bytes=") and ranges[1] == ""


@pytest.mark.parametrize(
    "broken", [Fault("/blobs/", times=1000, cut_after=1000), Fault("/blobs/", times=1000, body=b"")]
)
async def test_a_mirror_that_breaks_in_the_midst_is_left_for_the_registry(
    here: Node, app: ImageSpec, front: Front, plain: Registry, broken: Fault
) -> None:
    here.hosts("r.example", f'server = "http://{plain.host}"\n[host."http://{front.host}"]\n')
    front.faults = [replace(broken, path=f"/blobs/{layer(app)}")]

    assert (await here.pull("r.example/team/app:1")).phase == "done"
    assert len([path for _, path, _ in front.seen if layer(app) in path]) == 1


async def test_a_mirror_with_other_content_is_left_for_the_registry(
    here: Node, app: ImageSpec, front: Front, plain: Registry
) -> None:
    here.hosts("r.example", f'server = "http://{plain.host}"\n[host."http://{front.host}"]\n')
    data = gzipped(app.layers()[1])
    other = bytes([data[0] ^ 1]) + data[1:]
    front.faults = [Fault(f"/blobs/{digest_of(data)}", times=1000, body=other)]

    assert (await here.pull("r.example/team/app:1")).phase == "done"


async def test_a_registry_that_sends_a_little_each_time_is_given_up(
    here: Node, app: ImageSpec, front: Front, tmp_path: Path
) -> None:
    wanted = Descriptor("", layer(app), len(gzipped(app.layers()[1])))
    endpoint = of_registry(front.host, plain=True)
    front.faults = [Fault("/blobs/", times=100_000, cut_after=100)]
    lease = await here.client.leases.create("slow", expire_s=60)
    with closing(Repository(reference.parse(f"{front.host}/team/app:1"), [endpoint], ())) as repository:
        download = Download(here.client, repository, tmp_path, lease, Tally(lambda: None), layer_s=-380.0)
        begin = time.monotonic()
        with pytest.raises(PullFailure, match="broke off"):
            await download.layers([(wanted, {})], at_a_time=1)
    assert time.monotonic() - begin < 60
    assert len(front.seen) > 5  # each try got further: their number is no limit


async def test_another_registry_neither_waits_for_a_layer_nor_takes_its_beginning(
    here: Node, app: ImageSpec, front: Front, plain: Registry
) -> None:
    big = layer(app)
    front.faults = [Fault(f"/blobs/{big}", pause_s=0.02)]
    slow = asyncio.create_task(here.pull(f"{front.host}/team/app:1", plain_http=(front.host,)))
    await until(lambda: any(big in path for _, path, _ in front.seen))

    done = await here.pull(f"{plain.host}/team/app:1")

    assert done.phase == "done" and not slow.done()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow


async def test_wrong_content_of_the_right_length_that_an_earlier_try_left_is_dropped(
    here: Node, app: ImageSpec, front: Front
) -> None:
    data = gzipped(app.layers()[1])
    target = Descriptor("", digest_of(data), len(data))

    async def other() -> AsyncIterator[bytes]:
        yield bytes([data[0] ^ 1])
        yield data[1:]

    async def source(_: int) -> tuple[int, AsyncIterator[bytes]]:
        return 0, other()

    lease = await here.client.leases.create("earlier", expire_s=60)
    with pytest.raises(ContainerdFailure, match="unexpected commit"):
        await here.client.content.resume(upload(front.host, target.digest), target, source, {}, lease=lease)

    assert (await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))).phase == "done"


async def test_another_manifest_than_the_digest_is_refused(here: Node, app: ImageSpec, front: Front) -> None:
    front.faults = [Fault("/manifests/", times=100, body=b"{}")]
    with pytest.raises(PullFailure, match="another document"):
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))


async def test_a_huge_manifest_is_not_read(here: Node, app: ImageSpec, front: Front) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    front.faults = [
        Fault("/manifests/", status=405),
        Fault("/manifests/", times=9, status=200, headers={"content-type": kind}, body=b"[" * (5 << 20)),
    ]
    with pytest.raises(PullFailure, match="more than 4194304"):
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))


async def test_a_deep_manifest_is_refused(here: Node, app: ImageSpec, front: Front) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    data = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    answer = Fault("/manifests/", times=9, status=200, headers={"content-type": kind}, body=data)
    front.faults = [Fault("/manifests/", status=405), answer]
    with pytest.raises(ImageFailure, match="nests deeper"):
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))


async def test_schema_1_is_named(here: Node, app: ImageSpec, front: Front) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    data = json.dumps({"schemaVersion": 1, "name": "team/app", "fsLayers": []}).encode()
    answer = Fault("/manifests/", times=9, status=200, headers={"content-type": kind}, body=data)
    front.faults = [Fault("/manifests/", status=405), answer]
    with pytest.raises(ImageFailure, match="schema 1") as caught:
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))
    assert not isinstance(caught.value, PullFailure)


async def test_a_registry_that_limits_its_clients_is_waited_for(here: Node, app: ImageSpec, front: Front) -> None:
    front.faults = [Fault("/blobs/", status=429, headers={"retry-after": "1"})]
    assert (await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))).phase == "done"

    front.faults = [Fault("/manifests/", times=9, status=429, headers={"retry-after": "90"})]
    with pytest.raises(PullFailure, match="limits how often") as caught:
        await here.pull(f"{front.host}/team/app:1", plain_http=(front.host,))
    assert caught.value.retry_after_s == 90 and not caught.value.is_lasting


async def test_a_slow_registry_is_waited_for(here: Node, app: ImageSpec, front: Front, plain: Registry) -> None:
    plain.push("slow/app", "1", ImageSpec("unused", base=secrets.token_hex(4)))
    front.faults = [Fault("/blobs/", pause_s=0.001)]
    assert (await here.pull(f"{front.host}/slow/app:1", plain_http=(front.host,))).phase == "done"
