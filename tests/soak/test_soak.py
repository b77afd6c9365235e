"""`tests/run soak --minutes N`: what one executor holds stays flat while pods come and go and its peers fail, every
task has exactly one end, and at rest nothing is left. The table and the plot are in .build/soak/.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.soak import report, statuses
from tests.soak.churn import ANCHOR, EXECUTOR, Churn
from tests.soak.sampling import Sampler
from tests.support import faults_cni, podnet
from tests.support.faults_containerd import ContainerdFaults
from tests.support.images import ImageSpec
from tests.support.registry import Registry
from tests.support.rig import NETWORK, OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(0)]

KEPT = ROOT / ".build/soak/out"
SAMPLE_S = 5.0
REST_S = 150.0
"""Between two rests."""
STEP_S = 0.35
"""Between two things that the framework does."""
TRENDS_FROM_MIN = 15.0
"""A shorter run has a table of its warming up; what it leaves at rest, and each task's end, is judged in any run."""
REREGISTRATION_S = 15.0
"""The most that an agent takes. It kills an executor that comes back later, and this machine has other work beside."""
SETTLED_S = 60.0
"""A release that failed is tried again for a while."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry"), tls=False) as found:
        for number in range(3):
            found.push(f"app{number}", "1", ImageSpec("unused", files={"own": os.urandom(1 << 18)}))
        yield found


class PortsRig(Rig):
    def _write_network(self) -> None:
        """The network of any rig, with the ports of the node and the firewall's rules that lead to its pods."""
        self.cni_config.mkdir()
        bridge = podnet.bridge(NETWORK, self.directory / "ipam") | {"ipMasq": True}
        header = {"cniVersion": "0.4.0", "name": bridge.pop("name")}
        del bridge["cniVersion"]
        ports = {"type": "portmap", "capabilities": {"portMappings": True}}
        (self.cni_config / "10-podnet.conflist").write_text(json.dumps({**header, "plugins": [bridge, ports]}))


@pytest.fixture(scope="module")
def rig(registry: Registry) -> Iterator[Rig]:
    options = replace(OPTIONS, executor_reregistration_timeout_s=REREGISTRATION_S)
    with PortsRig(options, config={"IMAGES_PLAIN_HTTP": registry.host, "PRESSURE_ENABLED": "true"}) as node:
        yield node


def test_flat(rig: Rig, registry: Registry, tmp_path: Path) -> None:
    minutes = float(os.environ.get("MPE_TEST_MINUTES", "3"))
    cni = faults_cni.make(tmp_path / "cni")
    with ContainerdFaults(rig.containerd.address, Path("/run/soak-faults")) as containerd:
        with rig.scheduler() as scheduler:
            plugins = str(cni.directory / "plugins")
            executor = rig.executor(
                EXECUTOR, config={"CONTAINERD_ADDRESS": containerd.address, "CNI_PLUGIN_DIRS": plugins}
            )
            images = tuple(f"{registry.host}/app{number}:1" for number in range(3))
            churn = Churn(rig, scheduler, executor, images=images, faults=(containerd, cni))
            churn.begin()
            sampler = Sampler(rig, rig.agent.sandbox(scheduler.framework_id, EXECUTOR))
            try:
                unended = run(churn, sampler, 60 * minutes)
                judged = report.trends(sampler.busy)
                told = statuses.faults(scheduler.statuses(), churn.launched())
                told = [fault for fault in told if not fault.startswith(f"{ANCHOR}:")]
            finally:
                judged = report.trends(sampler.busy)
                keep_evidence(rig, sampler)
                text = summary(churn, sampler, report.table(sampler.busy, sampler.rest, judged), minutes)
                report.write(KEPT, sampler.busy, sampler.rest, churn.did, text)
                print(f"\n{text}\n{KEPT}")
            assert max(sampler.busy.values["firewall rules"]) > 0, "no pod had a port of the node"
            assert not unended, f"these tasks do not end: {unended}"
            assert not told, told
            assert not (leaks := report.leaks(sampler.rest)), [*leaks, *sampler.new_cgroups()]
            grown = [each for each in judged if each.grows]
            assert minutes < TRENDS_FROM_MIN or not grown, grown
            assert scheduler.states(ANCHOR)[-1] == "TASK_RUNNING"
        assert not any((left := rig.wait_clean(60)).values()), left  # its executor needs the proxy until then


def run(churn: Churn, sampler: Sampler, seconds: float) -> list[str]:
    """Churn with samples; a rest every REST_S, the first one before anything. Returns the tasks that do not end."""
    begun_s = time.monotonic()
    rest(churn, sampler, begun_s)
    churn.go_on()
    sampled_s = rested_s = time.monotonic()
    while (now_s := time.monotonic()) - begun_s < seconds:
        churn.step()
        time.sleep(STEP_S)
        if now_s - sampled_s >= SAMPLE_S:
            sampled_s = now_s
            sampler.sample(now_s - begun_s, at_rest=False)
        if now_s - rested_s >= min(REST_S, seconds / 2):
            if unended := rest(churn, sampler, begun_s):
                return unended
            churn.go_on()
            rested_s = time.monotonic()
    return rest(churn, sampler, begun_s)


def rest(churn: Churn, sampler: Sampler, begun_s: float) -> list[str]:
    """A sample once nothing is left that was not there the first time, or SETTLED_S after the last task's end."""
    if unended := churn.quiet():
        return unended
    first = {name: values[0] for name, values in sampler.rest.values.items()}

    def settled() -> bool | None:
        found = sampler.look()
        return True if all(found[name] <= first.get(name, found[name]) for name in report.EXACT) else None

    wait_for(settled, SETTLED_S, 1.0)
    sampler.sample(time.monotonic() - begun_s, at_rest=True)
    return []


def keep_evidence(rig: Rig, sampler: Sampler) -> None:
    """The log and the journal of the executor, and the logs of its peers, for one who asks why."""
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    for file in (*sampler.sandbox.glob("std*"), *sampler.sandbox.glob("journal*"), rig.containerd.log):
        shutil.copy(file, KEPT / f"{file.parent.name[:8]}-{file.name}")
    for log in rig.cluster.directory.glob("agent*/log"):
        shutil.copy(log, KEPT / "agent.log")


def summary(churn: Churn, sampler: Sampler, table: str, minutes: float) -> str:
    did = ", ".join(f"{name} {count}" for name, count in sorted(churn.did.items()))
    cpu = sampler.busy.values.get("executor CPU", [0.0])
    return f"{minutes:g} minutes: {did}; CPU of the executor {cpu[-1] - cpu[0]:.0f} s\n\n{table}"
