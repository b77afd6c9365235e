"""Images that are pulled at a launch, under a real agent: states, credentials, time limits, and a kill meanwhile."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.images.pulls import layer
from tests.support.images import ImageSpec
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.registry import Registry, docker_config
from tests.support.registry_front import Fault, Front
from tests.support.rig import SLEEP, Rig, wait_for
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos]
START_S = 3
SLOW_S = 0.002
"""For each KiB of a layer: 2 MiB take more than 4 s, longer than a launch may."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry"), tls=False) as found:
        yield found


@pytest.fixture(scope="module")
def front(registry: Registry) -> Iterator[Front]:
    with Front(registry, token=True) as found:
        yield found


@pytest.fixture(scope="module")
def rig(front: Front, registry: Registry) -> Iterator[Rig]:
    config = {
        "IMAGES_PLAIN_HTTP": f"{front.host},{registry.host}",
        "IMAGES_PATIENCE_S": "60",
        "PODS_START_TIMEOUT_S": str(START_S),
    }
    with Rig(config=config) as node:
        yield node


def push(registry: Registry, name: str) -> ImageSpec:
    image = ImageSpec("unused", cmd=SLEEP, files={"big": os.urandom(2 << 20)})
    registry.push(name, "1", image)
    return image


def pod(rig: Rig, name: str, image: str, front: Front, **spec: Any) -> dict[str, Any]:
    """With the Secret of the registry's credentials beside it."""
    container = {"name": "app", "image": image}
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "imagePullSecrets": [{"name": "registry"}],
            **spec,
        },
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "registry"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(docker_config(front.host).encode()).decode()},
    }
    data = json.dumps({"apiVersion": "v1", "kind": "List", "items": [document, secret]}).encode()
    return {**rig.pod(name), "data": messages.task_info(name, [], data=data)["data"]}


def row(rig: Rig, name: str) -> dict[str, Any] | None:
    return next((each for each in rig.pods() if each["name"] == name), None)


def uploads(rig: Rig) -> list[int]:
    """The size of what each unfinished download has in containerd."""
    return [path.stat().st_size for path in rig.containerd.directory.glob("**/ingest/*/data")]


def removed(rig: Rig, image: str) -> bool | None:
    """True once the image was here, and is removed by hand."""
    return rig.command("images", "rm", image, check=False).returncode == 0 or None


def test_a_pull_is_shown_and_does_not_count_as_launch(
    rig: Rig, scheduler: Scheduler, registry: Registry, front: Front
) -> None:
    image = push(registry, "slow/app")
    front.faults = [Fault(f"/blobs/{layer(image)}", pause_s=SLOW_S)]
    scheduler.launch([pod(rig, "slow", f"{front.host}/slow/app:1", front)], rig.executor())

    pulling = wait_for(lambda: found if (found := row(rig, "slow")) and found["state"] == "pulling" else None, 30)
    assert pulling is not None and faults("ps", {"pods": [pulling]}) == []
    shown = wait_for(lambda: text if "pulling (" in (text := rig.command("ps").stdout) else None, 30)
    assert (shown is not None and " %)" in shown) or "downloading" in str(shown) or "resolving" in str(shown)
    running = scheduler.wait_status("slow", "TASK_RUNNING", 60)
    assert running.state == "TASK_RUNNING"

    found = rig.json("inspect", "slow")
    assert found["phases_ms"]["images"] > START_S * 1000
    codes = [event["code"] for event in rig.journal("mixed", scheduler)]
    assert codes.index("pod.pulling") < codes.index("image.pulled") < codes.index("pod.running")
    scheduler.kill("slow")
    scheduler.wait_status("slow", "TASK_KILLED", 30)


def test_a_kill_meanwhile_throws_nothing_away(rig: Rig, scheduler: Scheduler, registry: Registry, front: Front) -> None:
    image, name = push(registry, "killed/app"), f"{front.host}/killed/app:1"
    front.faults = [Fault(f"/blobs/{layer(image)}", pause_s=SLOW_S)]
    scheduler.launch([rig.pod("keeper"), pod(rig, "first", name, front)], rig.executor())
    assert wait_for(lambda: True if any(layer(image) in path for _, path, _ in front.seen) else None, 30)
    scheduler.kill("first")
    killed = scheduler.wait_status("first", "TASK_KILLED", START_S)
    assert killed.reason == "REASON_TASK_KILLED_DURING_LAUNCH"

    scheduler.launch([pod(rig, "second", name, front)], rig.executor())
    scheduler.wait_status("second", "TASK_RUNNING", 60)
    assert len([path for method, path, _ in front.seen if layer(image) in path and method == "GET"]) == 1


def test_what_a_killed_executor_has_pulled_is_used_by_the_next(
    rig: Rig, scheduler: Scheduler, registry: Registry, front: Front
) -> None:
    """It leaves one upload, where the next one goes on, and then none."""
    image, name, before = push(registry, "orphan/app"), f"{front.host}/orphan/app:1", set(rig.run_dir.glob("*.owner"))
    front.faults, front.seen = [Fault(f"/blobs/{layer(image)}", pause_s=SLOW_S)], []
    scheduler.launch([pod(rig, "orphan", name, front)], rig.executor("killed"))
    assert wait_for(lambda: True if any(size > 200_000 for size in uploads(rig)) else None, 30)
    (owner,) = set(rig.run_dir.glob("*.owner")) - before
    os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
    ended = scheduler.wait_status("orphan", TERMINAL, 60)
    assert (ended.state, ended.reason) == ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")
    assert len(uploads(rig)) == 1

    front.faults, front.seen = [], []
    scheduler.launch([pod(rig, "next", name, front)], rig.executor())
    scheduler.wait_status("next", "TASK_RUNNING", 60)
    assert next(text for _, path, text in front.seen if layer(image) in path).startswith("bytes=")
    assert uploads(rig) == []


def test_an_image_that_is_removed_while_the_pod_waits_for_another_is_pulled_again(
    rig: Rig, scheduler: Scheduler, registry: Registry, front: Front
) -> None:
    push(registry, "early/app")
    image, early = push(registry, "last/app"), f"{front.host}/early/app:1"
    front.faults = [Fault(f"/blobs/{layer(image)}", pause_s=2 * SLOW_S)]
    containers = [{"name": "early", "image": early}, {"name": "last", "image": f"{front.host}/last/app:1"}]
    scheduler.launch([rig.pod("keeper"), pod(rig, "both", early, front, containers=containers)], rig.executor())
    assert wait_for(lambda: removed(rig, early), 30)
    scheduler.wait_status("both", "TASK_RUNNING", 60)
    pulled = [event["image"] for event in rig.journal("mixed", scheduler) if event["code"] == "image.pulled"]
    assert pulled.count(early) == 2


def test_a_failing_pull_backs_off_and_succeeds_later(
    rig: Rig, scheduler: Scheduler, registry: Registry, front: Front
) -> None:
    scheduler.launch([pod(rig, "late", f"{front.host}/late/app:1", front)], rig.executor())

    def backing_off() -> dict[str, Any] | None:
        found = row(rig, "late")
        return found if found and any(each["error"] for each in found.get("pulling", ())) else None

    waiting = wait_for(backing_off, 30)
    assert waiting is not None and "404" in waiting["pulling"][0]["error"]
    assert waiting["pulling"][0]["phase"] == "backing-off"
    push(registry, "late/app")
    scheduler.wait_status("late", "TASK_RUNNING", 60)


def test_a_task_with_credentials_of_mesos(rig: Rig, scheduler: Scheduler, registry: Registry, front: Front) -> None:
    push(registry, "mesos/app")
    config = base64.b64encode(docker_config(front.host).encode()).decode()
    secret = {"type": "VALUE", "value": {"data": config}}
    docker = {"name": f"{front.host}/mesos/app:1", "config": secret}
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)]
    container = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": docker}}}
    scheduler.launch([messages.task_info("task", resources, container=container)], rig.executor())
    scheduler.wait_status("task", "TASK_RUNNING", 60)
    journal = "\n".join(map(json.dumps, rig.journal("mixed", scheduler)))
    assert config not in journal and "open sesame" not in journal


def test_a_pull_that_is_given_up_fails_the_task(rig: Rig, scheduler: Scheduler, registry: Registry) -> None:
    task = rig.pod("absent", container={"image": f"{registry.host}/absent/app:1"})
    scheduler.launch([task], rig.executor(config={"IMAGES_PATIENCE_S": "0"}))
    failed = scheduler.wait_status("absent", TERMINAL, 30)
    assert failed.state == "TASK_FAILED" and failed.reason == "REASON_CONTAINER_LAUNCH_FAILED"
    assert "404" in failed.message and "absent/app" in failed.message
