"""Pulls over networks and from registries that fail: nothing wrong is kept, nothing that came is lost."""

from __future__ import annotations

import json
import secrets

import pytest

from executor.errors import ImageFailure
from executor.images.failures import PullFailure
from tests.integration.images.pulls import SIZE, Node, layer
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
