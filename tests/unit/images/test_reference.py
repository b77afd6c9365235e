"""Image names, familiar and full. The cases are those of github.com/distribution/reference."""

from __future__ import annotations

import pytest

from executor.errors import ImageFailure
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


DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("busybox", ("docker.io", "library/busybox", "latest", "")),
        ("r.example:5000/a/b:1", ("r.example:5000", "a/b", "1", "")),
        (f"r.example/a@{DIGEST}", ("r.example", "a", "", DIGEST)),
        (f"r.example/a:1@{DIGEST}", ("r.example", "a", "1", DIGEST)),
        ("[::1]:5000/a__b-c.d:v1", ("[::1]:5000", "a__b-c.d", "v1", "")),
        ("localhost/a", ("localhost", "a", "latest", "")),
    ],
)
def test_the_parts_of_a_name(name: str, parts: tuple[str, ...]) -> None:
    found = reference.parse(name)

    assert (found.domain, found.path, found.tag, found.digest) == parts
    assert str(found) == reference.normalise(name)


@pytest.mark.parametrize(
    "name",
    ["", "a/", "/a", "r.example/A", "a b", "a:", "a:b c", "a@sha256:1", "a@", "r.example/../a", "http://a/b", "a\n",
     "r.example/" + "a" * 250, "a:" + "b" * 129, "r.example/a//b", "a?x", "a%2f"],
)  # fmt: skip
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ImageFailure, match="not a name of an image"):
        reference.parse(name)


def test_the_digest_of_a_name() -> None:
    assert reference.digest_of(f"a:1@{DIGEST}") == DIGEST
    assert reference.digest_of("a:1") == ""
