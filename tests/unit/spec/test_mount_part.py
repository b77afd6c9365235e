"""The part of a volume that a mount shows, and that no message tells a variable's value."""

from __future__ import annotations

import pytest

from executor.errors import InvalidTask
from executor.spec.mount_part import part
from executor.spec.volume_model import VolumeMount

EXPRESSION = VolumeMount("data", "/data", sub_path="logs/$(NAME)", expands=True)


def refusal(mount: VolumeMount, variables: dict[str, str]) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        part(mount, variables, "web")
    assert caught.value.subject == "container web, subPathExpr of /data"
    return caught.value


def test_what_is_written_and_what_is_filled_in() -> None:
    assert part(VolumeMount("data", "/data"), {}, "web") == ""
    assert part(VolumeMount("data", "/data", sub_path="a/$(NAME)"), {"NAME": "b"}, "web") == "a/$(NAME)"
    assert part(EXPRESSION, {"NAME": "web-0"}, "web") == "logs/web-0"
    assert part(EXPRESSION, {"NAME": "./a//b"}, "web") == "logs/a/b"


def test_an_unknown_variable_is_named() -> None:
    assert refusal(EXPRESSION, {"A": "b"}).message == "there is no variable NAME"


@pytest.mark.parametrize("value", ["../hunter2", "hunter2/..", "hunter2" * 600])
def test_the_error_has_the_expression_and_no_value(value: str) -> None:
    error = refusal(EXPRESSION, {"NAME": value})
    assert "'logs/$(NAME)' is not a relative path" in error.message
    assert "hunter2" not in str(error)
    assert "hunter2" not in error.hint


def test_what_it_grows_to_is_bounded() -> None:
    many = VolumeMount("data", "/data", sub_path="$(NAME)" * 500, expands=True)
    assert "larger than" in refusal(many, {"NAME": "hunter2" * 10_000}).message
