"""The MESSAGE that brings a running pod new ConfigMaps and Secrets: what of it is refused, and by which field."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidRequest, InvalidTask
from executor.spec import object_update


def update(**data: Any) -> dict[str, Any]:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}
    return {"id": "u-1", "task": "web-0", "objects": [config_map]}


def test_a_request() -> None:
    found = object_update.parse(update(a="1"))
    assert (found.id, found.task, found.documents[0]["data"]) == ("u-1", "web-0", {"a": "1"})


@pytest.mark.parametrize(
    ("document", "subject"),
    [
        ([], "update"),
        ({**update(), "more": 1}, "update"),
        ({**update(), "id": 1}, "update.id"),
        ({**update(), "task": ""}, "update.task"),
        ({**update(), "objects": []}, "update.objects"),
        ({**update(), "objects": [{"kind": "Pod"}]}, "update.objects[0].kind"),
    ],
)
def test_a_wrong_field_is_named(document: Any, subject: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        object_update.parse(document)
    assert caught.value.subject == subject


@pytest.mark.parametrize("data", [{"a": "\ud800"}, {"\udfff": "a"}, {"a": "\0"}])
def test_what_no_text_may_hold_is_refused_like_in_a_launch(data: dict[str, str]) -> None:
    with pytest.raises(InvalidTask, match="surrogate") as caught:
        object_update.parse(update(**data))
    assert caught.value.subject == "update.objects[0]"
