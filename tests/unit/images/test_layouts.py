"""What archives say they hold, without a containerd: names, blobs, and the labels that keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import ImageFailure
from executor.images import layouts
from executor.images.archive import Archive
from executor.images.manifest import chain_ids
from tests.support.images import Form, ImageSpec, digest_of, write_archive

IMAGE = ImageSpec(name="docker.io/mine/app:1", files={"x": b"y"})


def read(path: Path) -> tuple[layouts.ArchivedImage, ...]:
    with Archive(path) as archive:
        return layouts.images(archive)


@pytest.mark.parametrize("form", ["oci", "oci-index", "docker"])
def test_every_form_gives_the_same_layers_children_first(tmp_path: Path, form: Form) -> None:
    (image,) = read(write_archive(tmp_path / "a.tar", IMAGE, form=form))

    assert image.name == IMAGE.name
    assert image.blobs[-1].target == image.target
    diff_ids = [digest_of(layer) for layer in IMAGE.layers()]
    assert [blob.labels["containerd.io/uncompressed"] for blob in image.blobs[:2]] == diff_ids
    assert image.blobs[2].target.digest == digest_of(IMAGE.config())
    assert image.blobs[2].labels == {"containerd.io/gc.ref.snapshot.overlayfs": chain_ids(diff_ids)[-1]}
    seen: set[str] = set()
    for blob in image.blobs:
        referred = {value for key, value in blob.labels.items() if "gc.ref.content" in key}
        assert referred <= seen
        seen.add(blob.target.digest)


@pytest.mark.parametrize("form", ["oci", "oci-index", "docker"])
def test_every_blob_is_what_its_descriptor_says(tmp_path: Path, form: Form) -> None:
    path = write_archive(tmp_path / "a.tar", IMAGE, form=form)

    with Archive(path) as archive:
        (image,) = layouts.images(archive)
        for blob in image.blobs:
            data = blob.data
            if blob.member:
                with archive.open(blob.member) as stream:
                    data = stream.read()
            assert (digest_of(data), len(data)) == (blob.target.digest, blob.target.size_bytes)


def test_a_docker_archive_shares_layers_between_images(tmp_path: Path) -> None:
    other = ImageSpec(name="other:2", cmd=("/other",))

    first, second = read(write_archive(tmp_path / "a.tar", IMAGE, other, form="docker"))

    assert second.name == "docker.io/library/other:2"
    assert first.blobs[0].target == second.blobs[0].target
    assert first.blobs[0].target.media_type == "application/vnd.oci.image.layer.v1.tar"


def test_an_archive_without_a_name_gives_none(tmp_path: Path) -> None:
    forms: tuple[Form, ...] = ("oci", "oci-index", "docker")
    for form in forms:
        (image,) = read(write_archive(tmp_path / "a.tar", ImageSpec(name=""), form=form))
        assert image.name == ""


def test_a_huge_document_is_refused(tmp_path: Path) -> None:
    spec = ImageSpec(env=tuple(f"V{i}=" + "x" * 1000 for i in range(9000)))

    with pytest.raises(ImageFailure, match="is larger than"):
        read(write_archive(tmp_path / "big.tar", spec))
