"""Which images are removed from a full disk."""

from __future__ import annotations

from executor.containerd.types import Descriptor, ImageRecord
from executor.images.collection import Stored, removable, stored
from executor.images.model import PULLED_LABEL, USED_LABEL

NOW = 1_000_000.0


def image(name: str, *, pulled: float | None = 100.0, used: float | None = None, **more: bool) -> Stored:
    return Stored(name, f"sha256:{name}", pulled, used, **more)


def names(*images: Stored, min_age_s: float = 0) -> list[str]:
    return [each.name for each in removable(images, NOW, min_age_s)]


def test_the_one_that_was_used_longest_ago_goes_first() -> None:
    assert names(image("a", used=300), image("b", used=200), image("c", pulled=250)) == ["b", "c", "a"]


def test_what_is_used_pinned_or_imported_stays() -> None:
    assert names(image("used", in_use=True), image("pinned", is_pinned=True), image("mine", pulled=None)) == []


def test_what_was_asked_for_lately_stays() -> None:
    assert names(image("new", used=NOW - 10), image("old", used=NOW - 1000), min_age_s=60) == ["old"]
    assert names(image("just pulled", pulled=NOW - 10), min_age_s=60) == []


def record(name: str, digest: str, **labels: str) -> ImageRecord:
    marks = {key.replace("_", "/"): value for key, value in labels.items()}
    return ImageRecord(name, Descriptor("", digest, 1), marks)


def test_another_name_of_content_in_use_is_in_use() -> None:
    records = [record("a", "sha256:1"), record("b", "sha256:1"), record("c", "sha256:2")]

    assert {each.name: each.in_use for each in stored(records, {"a"})} == {"a": True, "b": True, "c": False}


def test_labels_say_when() -> None:
    labels = {PULLED_LABEL: "1970-01-01T00:01:40Z", USED_LABEL: "no time", "io.cri-containerd.pinned": "pinned"}
    (found,) = stored([ImageRecord("a", Descriptor("", "sha256:1", 1), labels)], set())

    assert (found.pulled_at, found.used_at, found.is_pinned) == (100.0, None, True)
    assert found.last_at == 100.0
