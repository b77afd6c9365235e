"""OCI documents: chain ids, platforms, configurations, and documents that are no good."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.containerd.types import Descriptor
from executor.errors import ImageFailure
from executor.images import manifest
from executor.images.model import ImageConfig

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": A, "size": 1}


def test_chain_ids_follow_the_image_specification() -> None:
    two = "sha256:" + hashlib.sha256(f"{A} {B}".encode()).hexdigest()
    three = "sha256:" + hashlib.sha256(f"{two} {C}".encode()).hexdigest()

    assert manifest.chain_ids(()) == ()
    assert manifest.chain_ids((A,)) == (A,)
    assert manifest.chain_ids((A, B, C)) == (A, two, three)


@given(st.lists(st.sampled_from([A, B, C]), max_size=8))
def test_a_chain_of_more_layers_starts_with_the_chain_of_fewer(layers: list[str]) -> None:
    whole = manifest.chain_ids(layers)

    assert len(whole) == len(layers)
    assert manifest.chain_ids(layers[:-1]) == whole[: max(0, len(layers) - 1)]


def test_a_manifest_is_read() -> None:
    data = b'{"config": {"digest": "%s", "size": 2}, "layers": [{"mediaType": "m", "digest": "%s", "size": 3}]}'

    found = manifest.manifest(data % (A.encode(), B.encode()), subject="x")

    assert found == manifest.Manifest(Descriptor("", A, 2), (Descriptor("m", B, 3),))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "missing or not an object"),
        ([], "missing or not an object"),
        ({"size": 1}, "no valid digest: None"),
        ({"digest": "sha256:../../etc/passwd", "size": 1}, "no valid digest"),
        ({"digest": f"{A}\n", "size": 1}, "no valid digest"),
        ({"digest": A.upper(), "size": 1}, "no valid digest"),
        ({"digest": A, "size": -1}, "no valid size"),
        ({"digest": A, "size": "1"}, "no valid size"),
        ({"digest": A, "size": 1, "mediaType": 5}, "no valid size or media type"),
    ],
)
def test_a_descriptor_that_is_no_good_is_refused(value: object, words: str) -> None:
    with pytest.raises(ImageFailure, match=words) as caught:
        manifest.descriptor(value, subject="the-image")
    assert caught.value.subject == "the-image"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"null"])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ImageFailure, match="not a JSON"):
        manifest.document(data, subject="x")


def variant(digest: str, **platform: str) -> dict[str, object]:
    return {**LAYER, "digest": digest, **({"platform": platform} if platform else {})}


def test_the_variant_for_the_machine_is_chosen() -> None:
    index = {"manifests": [variant(A, os="linux", architecture="arm64"), variant(B, os="linux", architecture="amd64")]}

    assert manifest.choose(index, "amd64", subject="x").digest == B
    assert manifest.choose(index, "arm64", subject="x").digest == A
    with pytest.raises(ImageFailure, match="no variant for linux/s390x, only linux/amd64, linux/arm64"):
        manifest.choose(index, "s390x", subject="x")


def test_a_variant_without_a_platform_will_do_when_there_is_no_better() -> None:
    other = variant(C, os="unknown", architecture="unknown")  # docker's attestations

    assert manifest.choose({"manifests": [other, variant(A)]}, "amd64", subject="x").digest == A
    better = variant(B, os="linux", architecture="amd64")
    assert manifest.choose({"manifests": [variant(A), better]}, "amd64", subject="x").digest == B
    with pytest.raises(ImageFailure, match="only nothing"):
        manifest.choose({"manifests": "none"}, "amd64", subject="x")


def test_an_index_is_known_by_its_type_or_its_shape() -> None:
    assert manifest.is_index("application/vnd.docker.distribution.manifest.list.v2+json", {})
    assert manifest.is_index("", {"manifests": []})
    assert not manifest.is_index("application/vnd.oci.image.manifest.v1+json", {"config": {}, "layers": []})


def test_an_empty_configuration_is_the_default() -> None:
    assert manifest.image_config({}) == ImageConfig()
    nulls = {"Env": None, "Cmd": None, "Entrypoint": None, "User": None, "WorkingDir": None, "Volumes": None}
    assert manifest.image_config({"config": nulls}) == ImageConfig()


def test_an_empty_list_is_not_an_absent_one() -> None:
    config = manifest.image_config({"config": {"Entrypoint": [], "Cmd": ["a"]}})

    assert (config.entrypoint, config.cmd) == ((), ("a",))


def test_diff_ids_that_are_no_digests_are_refused() -> None:
    assert manifest.diff_ids({"rootfs": {"diff_ids": [A, B]}}, subject="x") == (A, B)
    assert manifest.diff_ids({}, subject="x") == ()
    with pytest.raises(ImageFailure, match="diff_ids"):
        manifest.diff_ids({"rootfs": {"diff_ids": [A, "b"]}}, subject="x")
