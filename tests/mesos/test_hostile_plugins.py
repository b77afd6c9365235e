"""CNI plugins that hang, die or print without an end, under a real agent: only their pods fail, and their messages say
why; the event loop and a revocation go on; no process, descriptor or memory is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import psutil
import pytest

from tests.mesos.lagging import PROGRAM, Node
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PLUGIN = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
{does}
"""
HUNG = "did not end within 2 s and was killed"
FLOOD = "head -c 104857600 /dev/zero | tr '\\0' x"
TOO_MUCH = "printed more than 1048576 bytes"
PLUGINS = {
    "hangs": ("sleep 600", HUNG),
    "stops": ("kill -STOP $$; sleep 600", HUNG),
    "hangs-deaf": ("trap '' TERM INT HUP; while :; do sleep 600; done", HUNG),
    "segv": ("kill -SEGV $$; sleep 600", "killed by SIGSEGV"),
    "real-time": ("kill -40 $$; sleep 600", "killed by signal 40"),
    "floods": (FLOOD, TOO_MUCH),
    "floods-stderr": (f"{FLOOD} >&2; exit 1", "exited with status 1"),
    "endless": ("yes & yes >&2 & exec yes", HUNG),
    "endless-daemon": ("setsid sh -c 'yes & sleep 3; kill $!' &", TOO_MUCH),
}
"""What the plugin does at ADD, and words of its pods' end."""
PODS = 4
LOST_MIB = 16


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("plugins")
    config = {"CNI_PLUGIN_DIRS": f"{directory},/usr/lib/cni", "CNI_TIMEOUT_S": "2"}
    with Rig(program=PROGRAM, config=config) as found:
        for name, (does, _) in PLUGINS.items():
            (directory / name).write_text(PLUGIN.format(does=does))
            (directory / name).chmod(0o755)
            document = {"cniVersion": "1.0.0", "name": name, "plugins": [{"type": name}]}
            (found.cni_config / f"{name}.conflist").write_text(json.dumps(document))
        yield found


@pytest.fixture(scope="module")
def node(rig: Rig) -> Iterator[Node]:
    with rig.scheduler(name="plugins") as scheduler:
        yield Node(rig, scheduler)
    assert not any((leaks := rig.wait_clean()).values()), leaks


@pytest.fixture(scope="module")
def executor(rig: Rig, node: Node) -> psutil.Process:
    (owner,) = rig.run_dir.glob("*.owner")
    return psutil.Process(json.loads(owner.read_text())["pid"])


def launch(rig: Rig, scheduler: Scheduler, network: str, names: list[str]) -> None:
    metadata = {"annotations": {"mesos-pod-executor/networks": network}}
    scheduler.launch([rig.pod(name, metadata=metadata) for name in names], rig.executor())


@pytest.mark.parametrize("name", PLUGINS)
def test_plugin(rig: Rig, node: Node, executor: psutil.Process, name: str) -> None:
    def pods(number: int) -> list[str]:
        return [f"{name}-{number}-{n}" for n in range(PODS)]

    def ended(number: int) -> None:
        for pod in pods(number):
            end = node.scheduler.wait_status(pod, ("TASK_FAILED", "TASK_RUNNING"), 60)
            assert (end.state, end.reason) == ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED"), end
            assert PLUGINS[name][1] in end.message and len(end.message) < 4096

    memory, files = executor.memory_info().rss, executor.num_fds()
    children = set(executor.children(recursive=True))
    node.judge(name, lambda number: launch(rig, node.scheduler, name, pods(number)), ended)
    grown_mib = (executor.memory_info().rss - memory) / (1 << 20)
    print(f"{name}: the executor grew by {grown_mib:.1f} MiB")
    assert grown_mib < LOST_MIB
    assert wait_for(lambda: True if executor.num_fds() <= files else None, 10), (executor.num_fds(), files)
    assert wait_for(lambda: True if set(executor.children(recursive=True)) <= children else None, 10)
