"""OCI documents: chain ids, platforms, configurations, and documents that are no good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.containerd.types import Descriptor
from executor.errors import ImageFailure
from executor.images import manifest
from executor.images.model import ImageConfig
from executor.images.platforms import Platform

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
AMD64 = Platform("amd64")
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
        ({"digest": A, "size": 2**70}, "no valid size"),
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


def best(index: Mapping[str, object], *platforms: Platform) -> str:
    return manifest.choices(index, platforms or (AMD64,), subject="x")[0].digest


def test_the_variant_for_the_machine_is_chosen() -> None:
    index = {"manifests": [variant(A, os="linux", architecture="arm64"), variant(B, os="linux", architecture="amd64")]}

    assert best(index) == B
    assert best(index, Platform("arm64")) == A
    with pytest.raises(manifest.NoVariantError, match="no variant for linux/s390x, only linux/amd64, linux/arm64"):
        best(index, Platform("s390x"))


def test_a_variant_without_a_platform_will_do_when_there_is_no_better() -> None:
    other = variant(C, os="unknown", architecture="unknown")  # docker's attestations

    assert best({"manifests": [other, variant(A)]}) == A
    better = variant(B, os="linux", architecture="amd64")
    assert best({"manifests": [variant(A), better]}) == B
    with pytest.raises(ImageFailure, match="only nothing"):
        best({"manifests": "none"})


def test_the_best_variant_of_the_cpu_comes_first() -> None:
    plain, third = variant(A, os="linux", architecture="amd64"), variant(B, os="linux", architecture="amd64")
    third["platform"] = {"os": "linux", "architecture": "amd64", "variant": "v3"}
    index: dict[str, object] = {"manifests": [plain, third]}

    assert best(index, Platform("amd64", "v3"), Platform("amd64", "v2"), AMD64) == B
    assert best(index, Platform("amd64", "v2"), AMD64) == A


def test_an_attestation_is_never_an_image() -> None:
    statement = variant(A) | {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}

    assert best({"manifests": [statement, variant(B)]}) == B
    with pytest.raises(manifest.NoVariantError):
        best({"manifests": [statement]})


def test_an_index_of_endless_entries_is_refused() -> None:
    with pytest.raises(ImageFailure, match="more than 1000"):
        best({"manifests": [variant(A)] * 1001})


@pytest.mark.parametrize("value", [{"schemaVersion": 1}, {"fsLayers": []}])
def test_schema_1_is_named(value: dict[str, object]) -> None:
    with pytest.raises(ImageFailure, match="schema 1"):
        manifest.check_form(value, subject="x")


def test_an_artifact_is_no_image() -> None:
    chart = {"config": {**LAYER, "mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []}

    with pytest.raises(ImageFailure, match=r"not a container image.*helm"):
        manifest.manifest_of(chart, subject="x")


def test_an_index_is_known_by_its_type_or_its_shape() -> None:
    assert manifest.is_index("application/vnd.docker.distribution.manifest.list.v2+json", {})
    assert manifest.is_index("", {"manifests": []})
    assert not manifest.is_index("application/vnd.oci.image.manifest.v1+json", {"config": {}, "layers": []})


def test_an_empty_configuration_is_the_default() -> None:
    assert manifest.image_config({}) == ImageConfig()
    nulls = {"Env": None, "Cmd": None, "Entrypoint": None, "User": None, "WorkingDir": None, "Volumes": None}
    assert manifest.image_config({"config": nulls}) == ImageConfig()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"WorkingDir": "/d" * 4096}, "WorkingDir of its configuration has more than 4096 letters"),
        ({"User": "u" * 1025}, "User of its configuration has more than 1024 letters"),
        ({"StopSignal": "9" * 65}, "StopSignal of its configuration has more than 64 letters"),
        ({"Volumes": {f"/v{number}": {} for number in range(1001)}}, "more than 1000 Volumes"),
        ({"Volumes": {"/v" * 4096: {}}}, "one of more than 4096 letters"),
    ],
)
def test_a_configuration_that_no_container_could_use(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ImageFailure, match=words) as caught:
        manifest.image_config({"config": fields}, subject="image a:1")
    assert caught.value.subject == "image a:1"


def test_an_empty_list_is_not_an_absent_one() -> None:
    config = manifest.image_config({"config": {"Entrypoint": [], "Cmd": ["a"]}})

    assert (config.entrypoint, config.cmd) == ((), ("a",))


def test_diff_ids_that_are_no_digests_are_refused() -> None:
    assert manifest.diff_ids({"rootfs": {"diff_ids": [A, B]}}, subject="x") == (A, B)
    assert manifest.diff_ids({}, subject="x") == ()
    with pytest.raises(ImageFailure, match="diff_ids"):
        manifest.diff_ids({"rootfs": {"diff_ids": [A, "b"]}}, subject="x")
