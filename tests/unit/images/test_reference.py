"""Image names, familiar and full. The cases are those of github.com/distribution/reference."""

from __future__ import annotations

import pytest

from executor.images import reference


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("user/app", "docker.io/user/app:latest"),
        ("local/busybox:1", "docker.io/local/busybox:1"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("host:5000/app", "host:5000/app:latest"),
        ("quay.io/a/b/c:v1", "quay.io/a/b/c:v1"),
        ("quay.io/a/b@sha256:" + "0" * 64, "quay.io/a/b@sha256:" + "0" * 64),
        ("busybox:1@sha256:" + "0" * 64, "docker.io/library/busybox:1@sha256:" + "0" * 64),
    ],
)
def test_names_are_completed(name: str, full: str) -> None:
    assert reference.normalise(name) == full
    assert reference.normalise(full) == full


def test_a_name_is_looked_up_as_written_first() -> None:
    assert reference.candidates("busybox") == ("busybox", "docker.io/library/busybox:latest")
    assert reference.candidates("quay.io/a/b:v1") == ("quay.io/a/b:v1",)


def test_a_mere_tag_is_no_name() -> None:
    assert not reference.is_full("latest")
    assert not reference.is_full("")
    assert reference.is_full("app:1") and reference.is_full("user/app")
