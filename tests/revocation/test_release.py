"""What cannot be removed at once: a network plugin that fails is tried again while the executor lives, and what is left
at its end is another executor's to release.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import events, regular, run
from tests.support.rig import NETWORK, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PLUGIN = """#!/bin/sh
if [ "$CNI_COMMAND" = DEL ] && [ -e {order} ]; then
    [ "$(cat {order})" = hang ] && exec sleep 600
    echo '{{"cniVersion": "0.2.0", "code": 999, "msg": "out of order"}}'
    exit 1
fi
exec /usr/lib/cni/bridge
"""
"""The real plugin, but for a DEL while it is out of order."""


class Plugin:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._order = directory / "order"
        path = directory / "flaky"
        path.write_text(PLUGIN.format(order=self._order))
        path.chmod(0o755)

    def breaks(self, how: str) -> None:
        self._order.write_text(how)

    def works(self) -> None:
        self._order.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    return Plugin(tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def rig(plugin: Plugin) -> Iterator[Rig]:
    with Rig(config={"CNI_PLUGIN_DIRS": f"{plugin.directory},/usr/lib/cni"}) as node:
        path = node.cni_config / "10-podnet.conf"
        bridge = json.loads(path.read_text()) | {"type": "flaky"}
        path.unlink()
        chain = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
        document = {"cniVersion": "0.3.1", "name": NETWORK, "plugins": chain}
        path.with_suffix(".conflist").write_text(json.dumps(document))
        yield node


def leaked_pods(rig: Rig) -> float:
    """As the executor's metrics count them."""
    (value,) = re.findall(r"^mesos_pod_executor_pods_leaked\{.*\} (\S+)$", rig.command("metrics").stdout, re.MULTILINE)
    return float(value)


def test_what_a_plugin_could_not_release_is_released_while_the_executor_lives(
    rig: Rig, scheduler: Scheduler, plugin: Plugin
) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    before = regular(rig)
    plugin.breaks("fail")
    receipt = rig.json("revoke", "--all")
    assert receipt["state"] == "done", "what was borrowed is free, whatever becomes of the address"
    scheduler.wait_status("batch", "TASK_GONE", 30)
    assert wait_for(lambda: events(rig, "pod.leaked") or None, 20)
    assert wait_for(lambda: True if leaked_pods(rig) == 1 else None, 20)
    assert rig.leaks()["ips"] == 2
    plugin.works()
    released = wait_for(lambda: events(rig, "pod.released") or None, 30)
    assert released and released[0]["task"] == "batch"
    left = rig.leaks()
    assert left["ips"] == left["netns"] == left["containers"] == left["snapshots"] == 1
    assert regular(rig) == before and leaked_pods(rig) == 0
    assert "pod.released" in [event["code"] for event in rig.json("why", "batch")["events"]]


def test_a_port_is_free_when_mesos_hears_so(rig: Rig, scheduler: Scheduler, plugin: Plugin) -> None:
    """It offers the port again on the last status: that waits as long as the port is held."""
    port = {"ports": [{"containerPort": 80, "hostPort": 31000}]}  # the first one that is offered
    run(rig, scheduler, rig.pod("web"), rig.pod("server", revocable=True, ports=1, container=port))
    plugin.breaks("fail")
    assert rig.json("revoke", "--all")["state"] == "done"
    assert wait_for(lambda: events(rig, "pod.leaked") or None, 20)
    time.sleep(0.5)
    assert set(scheduler.states("server")).isdisjoint(TERMINAL)
    plugin.works()
    scheduler.wait_status("server", "TASK_GONE", 30)
    assert rig.leaks()["ips"] == 1


@pytest.mark.parametrize("how", ["fail", "hang"])
def test_what_is_left_at_an_executors_end_is_released_by_another_one(rig: Rig, plugin: Plugin, how: str) -> None:
    """With `hang` the grace runs out while the pod is torn down, with `fail` it does not."""
    with rig.scheduler(name="two") as scheduler:
        agent = scheduler.launch([rig.pod("stays")], rig.executor("other"))
        scheduler.wait_status("stays", "TASK_RUNNING", 30)
        scheduler.launch([rig.pod("goes"), rig.pod("goes-too", revocable=True)], rig.executor("ends"))
        for task in ("goes", "goes-too"):
            scheduler.wait_status(task, "TASK_RUNNING", 30)
        before = regular(rig)
        ending = rig.run_dir / f"{rig.agent.container_id(scheduler.framework_id, 'ends')}.owner"
        plugin.breaks(how)
        scheduler.shutdown_executor(agent, "ends")
        for task in ("goes", "goes-too"):
            scheduler.wait_status(task, ("TASK_KILLED", "TASK_FAILED"), 30)
        assert wait_for(lambda: ending_event(rig, scheduler) or None, 20) == "something is left"
        assert ending.exists(), "it says that something is left"
        plugin.works()
        assert wait_for(lambda: True if not ending.exists() else None, 60), "the other one has not released it"
        assert rig.leaks()["ips"] == 1
        assert regular(rig) == {"stays": before["stays"]}
    assert not any((leaks := rig.wait_clean()).values()), leaks


def ending_event(rig: Rig, scheduler: Scheduler) -> str:
    codes = {event["code"]: event for event in rig.journal("ends", scheduler)}
    return str(codes.get("executor.stopped", {}).get("outcome", ""))
