"""Shapes of the corpus on the real node: how many of them run, and what their containers find, as with Kubernetes.

The sample has every field that the accepted shapes have, and a part of the others; `python -m tests.pods.sample` lists
it. Each pod runs with its fields as they are (tests/pods/launchable.py says what is replaced).
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from executor.spec import capabilities
from tests.pods import facts, launchable
from tests.pods.sample import Shape, sample
from tests.support.images import ImageSpec, write_archive
from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

AT_ONCE = 24
BATCH_S = 90.0
MEM_MIB = 512
CPUS = 1.5
PORTS = 8
"""What each task is given."""
USER_IMAGE = "docker.io/library/busybox:user"
RUN = "it runs, or ends, and is ready"


@dataclass(frozen=True)
class Outcome:
    """`wrong` are the facts that are not as they should be; `right` the others, each as often as it was looked at."""

    name: str
    source: str
    wrong: tuple[str, ...]
    right: tuple[str, ...]
    message: str = ""

    def __str__(self) -> str:
        return f"{self.name} of {self.source}: {', '.join(sorted(set(self.wrong)))} {self.message}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("seccomp")
    (directory / launchable.PROFILE).write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    with Rig(config={"POLICY_DEFAULT": "privileged", "PODS_SECCOMP_DIR": str(directory)}) as node:
        yield node


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="shapes") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean(30)).values()), leaks


@pytest.fixture(scope="module")
def node(rig: Rig) -> launchable.Node:
    directory = rig.directory / "host"
    (directory / "directory" / "fs/cgroup").mkdir(parents=True)  # a shape mounts it at /sys
    (directory / "file").write_text("")
    (directory / "dev").mkdir()
    for minor, name in enumerate(("null", "", "zero", "", "full", "random", "urandom"), 3):
        if name:
            os.mknod(directory / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(directory / "socket"))
    archive = write_archive(rig.directory / "user.tar", ImageSpec(USER_IMAGE, user="1000"))
    rig.command("images", "import", str(archive))
    mask = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    return launchable.Node(IMAGE, USER_IMAGE, str(directory), capabilities.of_mask(int(mask.split()[1], 16)))


@pytest.mark.timeout(400)
def test_shapes_run_as_with_kubernetes(
    rig: Rig, scheduler: Scheduler, node: launchable.Node, tell: Callable[[str], None]
) -> None:
    begun_s = time.monotonic()
    ports = itertools.cycle(range(31000, 32000))
    shapes = sample()
    outcomes: list[Outcome] = []
    for at in range(0, len(shapes), AT_ONCE):
        outcomes += _run(rig, scheduler, shapes[at : at + AT_ONCE], ports, node)
    tell(table(outcomes, time.monotonic() - begun_s))
    wrong = [str(each) for each in outcomes if each.wrong]
    assert not wrong, "\n".join(wrong)


def _run(
    rig: Rig, scheduler: Scheduler, batch: Sequence[Shape], ports: Iterator[int], node: launchable.Node
) -> list[Outcome]:
    made = {}
    for shape in batch:
        own = [next(ports) for _ in range(PORTS)]
        document = launchable.launchable(shape.document, shape.name, node, iter(own))
        made[shape.name] = document
        scheduler.launch([_task(shape.name, document, own)], rig.executor(), timeout_s=60)
    deadline = time.monotonic() + BATCH_S
    states = {shape.name: _settled(scheduler, shape, made[shape.name], deadline) for shape in batch}
    logs = Logs(rig, scheduler)
    found = [_outcome(shape, made[shape.name]["items"][0], states[shape.name], logs) for shape in batch]
    for shape in batch:
        scheduler.kill(shape.name)
    for shape in batch:
        scheduler.wait_status(shape.name, messages.TERMINAL, 60)
    return found


def _task(name: str, document: dict[str, Any], ports: Sequence[int]) -> dict[str, Any]:
    own = messages.ranges("ports", (ports[0], ports[-1]))
    resources = [messages.scalar("cpus", CPUS), messages.scalar("mem", MEM_MIB), own]
    return messages.task_info(name, resources, data=json.dumps(document).encode())


def _settled(scheduler: Scheduler, shape: Shape, document: dict[str, Any], deadline: float) -> str:
    """Empty once the pod is where its document means it to be; else the last of its statuses."""
    probed = any("readinessProbe" in one for one in document["items"][0]["spec"]["containers"])

    def is_there() -> bool:
        statuses = scheduler.statuses(shape.name)
        if launchable.ends(document["items"][0]):
            return any(each.state == "TASK_FINISHED" for each in statuses)
        last = statuses[-1] if statuses else None
        return last is not None and last.state == "TASK_RUNNING" and (not probed or last.raw.get("healthy") is True)

    def is_over() -> bool:
        return is_there() or any(state in messages.TERMINAL for state in scheduler.states(shape.name))

    wait_for(lambda: is_over() or None, max(0.1, deadline - time.monotonic()))
    return "" if is_there() else "; ".join(map(str, scheduler.statuses(shape.name))) or "no status"


class Logs:
    """What containers have printed, by task."""

    def __init__(self, rig: Rig, scheduler: Scheduler) -> None:
        self._pods = rig.agent.sandbox(scheduler.framework_id, "mixed") / "pods"
        accepted = [each for each in rig.journal("mixed", scheduler) if each["code"] == "pod.accepted"]
        self._ids = {each["name"]: each["pod"] for each in accepted}

    def printed(self, task: str, container: str) -> facts.Printed:
        """Once it is whole: a container may have been started a moment ago."""
        path: Path = self._pods / self._ids.get(task, "none") / f"{container}.stdout"

        def look() -> facts.Printed | None:
            found = facts.Printed(path.read_text(errors="replace") if path.exists() else "")
            return found if found.whole else None

        return wait_for(look, 5) or facts.Printed(path.read_text(errors="replace") if path.exists() else "")


def _outcome(shape: Shape, pod: dict[str, Any], problem: str, logs: Logs) -> Outcome:
    results = [(RUN, not problem)]
    if not problem:
        for field in ("initContainers", "containers"):
            for container in pod["spec"].get(field, []):
                results += facts.checks(pod, container, logs.printed(shape.name, container["name"]))
    wrong, right = ([name for name, is_so in results if is_so == wanted] for wanted in (False, True))
    return Outcome(shape.name, shape.source, tuple(wrong), tuple(right), problem)


def table(outcomes: Sequence[Outcome], took_s: float) -> str:
    """How many shapes run as with Kubernetes, and how often each fact was looked at and was so."""
    good = sum(not each.wrong for each in outcomes)
    right = Counter(name for each in outcomes for name in each.right)
    wrong = Counter(name for each in outcomes for name in each.wrong)
    lines = [f"{good} of {len(outcomes)} shapes run as with Kubernetes, in {took_s:.0f} s"]
    lines += [f"{right[name]:5} of {right[name] + wrong[name]:5}  {name}" for name in sorted(right | wrong)]
    return "\n".join(lines)
