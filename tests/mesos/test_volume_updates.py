"""New ConfigMaps and Secrets reach the volumes of a pod that runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.mesos.volume_pods import FIXED, SETTINGS, container, mounts_of, task
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="updates") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks
    assert not mounts_of(rig)


def asked(rig: Rig, scheduler: Scheduler, name: str, *objects: Mapping[str, Any]) -> dict[str, Any]:
    """What the executor answers to an update."""
    identity = f"u-{next(NUMBERS)}"
    request = {"update": {"id": identity, "task": name, "objects": objects}}
    scheduler.message(rig.agent.agent_id, "mixed", json.dumps(request).encode())

    def answer() -> dict[str, Any] | None:
        found = [json.loads(data) for data in scheduler.messages()]
        return next((each for each in found if identity in (body["id"] for body in each.values())), None)

    found = wait_for(answer, 10)
    assert found is not None, scheduler.messages()
    return found


NUMBERS = itertools.count()


def changed(document: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {**document, **fields}


FOLLOW = """
while :; do echo "$(cat /config/a /config/b /both/p | tr '\\n' '|')"; sleep 0.1; done
"""


@pytest.fixture(scope="module")
def follower(rig: Rig, scheduler: Scheduler) -> Path:
    """The log of a pod that says what its volumes show, again and again."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1\n", "b": "1\n"}}
    both = {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "fixed"}}]}
    volumes = [{"name": "config", "configMap": {"name": "c"}}, {"name": "both", "projected": both}]
    app = container(FOLLOW, volumeMounts=[{"name": each["name"], "mountPath": f"/{each['name']}"} for each in volumes])
    spec = {"containers": [app], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    scheduler.launch([task("follower", spec, config, secret("old"), FIXED)], rig.executor())
    scheduler.wait_status("follower", "TASK_RUNNING", 30)
    return Path(rig.json("inspect", "follower")["containers"][0]["log"]["stdout"])


def secret(value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": value}}


def shows(log: Path, text: str) -> bool:
    return bool(wait_for(lambda: log.read_text().splitlines()[-1:] == [text] or None, 10))


def test_a_message_changes_what_volumes_show(rig: Rig, scheduler: Scheduler, follower: Path) -> None:
    assert shows(follower, "1|1|old")
    data = {"a": "2\n", "b": "2\n"}
    fresh = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
    answer = asked(rig, scheduler, "follower", fresh, secret("new"))
    assert (answer["updated"]["task"], answer["updated"]["volumes"]) == ("follower", ["config", "both"])
    assert shows(follower, "2|2|new")
    assert asked(rig, scheduler, "follower", fresh)["updated"]["volumes"] == []


def test_what_cannot_be_updated_is_refused_and_changes_nothing(rig: Rig, scheduler: Scheduler, follower: Path) -> None:
    refusals = {
        "is immutable": changed(FIXED, data={"a": "2"}),
        "is shown by no volume": SETTINGS,
        "two files have the path": changed(secret("x"), stringData={"a": "x"}),
        "must be ConfigMap or Secret": {"kind": "Pod"},
        "is not base64": changed(secret("x"), data={"q": "!"}),
    }
    for words, document in refusals.items():
        answer = asked(rig, scheduler, "follower", document)
        assert words in answer["error"]["message"], answer
    assert "no pod that runs" in asked(rig, scheduler, "nobody", secret("x"))["error"]["message"]
    assert follower.read_text().splitlines()[-1] in ("1|1|old", "2|2|new")
