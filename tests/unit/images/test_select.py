"""From an index to the manifest, with indexes in indexes, within bounds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from executor.containerd.types import Descriptor
from executor.errors import ImageFailure
from executor.images.manifest import NoVariantError
from executor.images.platforms import Platform
from executor.images.select import AbsentError, select

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
AMD64 = Platform("amd64")
HERE = {"os": "linux", "architecture": "amd64"}
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "f" * 64, "size": 2}


def digest(name: str) -> str:
    return "sha256:" + name * 64


def entry(name: str, kind: str = MANIFEST, **more: object) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest(name), "size": 2, **more}


def index(*entries: object) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}


IMAGE = {"schemaVersion": 2, "mediaType": MANIFEST, "config": CONFIG, "layers": []}


async def path(documents: Mapping[str, object], kind: str = INDEX) -> list[str]:
    async def read(target: Descriptor) -> Mapping[str, object] | None:
        found = documents.get(target.digest[-1])
        assert found is None or isinstance(found, Mapping)
        return found

    found = await select(Descriptor(kind, digest("a"), 2), read, (AMD64,), subject="the-image")
    return [each.digest[-1] for each in found.path]


async def test_a_manifest_is_its_own_choice() -> None:
    assert await path({"a": IMAGE}, MANIFEST) == ["a"]


async def test_an_index_in_an_index_is_followed() -> None:
    inner = index(entry("c", platform=HERE))

    assert await path({"a": index(entry("b", INDEX)), "b": inner, "c": IMAGE}) == ["a", "b", "c"]


async def test_a_nested_index_without_a_variant_is_passed_over() -> None:
    other = index(entry("c", platform={"os": "linux", "architecture": "mips"}))
    documents = {"a": index(entry("b", INDEX), entry("d", INDEX)), "b": other, "d": index(entry("e", platform=HERE))}

    assert await path(documents | {"e": IMAGE}) == ["a", "d", "e"]
    with pytest.raises(NoVariantError, match="mips"):
        await path({"a": index(entry("b", INDEX)), "b": other})


async def test_what_is_not_there_is_passed_over() -> None:
    assert await path({"a": index(entry("b", platform=HERE), entry("c", platform=HERE)), "c": IMAGE}) == ["a", "c"]
    with pytest.raises(AbsentError, match="is not on this node"):
        await path({"a": index(entry("b", platform=HERE))})
    other = index(entry("c", platform={"os": "linux", "architecture": "mips"}))
    with pytest.raises(AbsentError):
        await path({"a": index(entry("b", INDEX), entry("d", INDEX)), "b": other})


async def test_the_depth_is_bounded() -> None:
    deep = {one: index(entry(other, INDEX)) for one, other in zip("abcdef", "bcdef0", strict=True)}

    with pytest.raises(ImageFailure, match="nested deeper than 4"):
        await path(deep)


async def test_the_number_of_documents_is_bounded() -> None:
    fruitless = index(*(entry("b", INDEX) for _ in range(30)))
    other = index(entry("c", platform={"os": "linux", "architecture": "mips"}))

    with pytest.raises(ImageFailure, match="more than 16 documents"):
        await path({"a": fruitless, "b": other})
