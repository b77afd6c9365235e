"""Plugins that fail, hang or die at every step, before or after they have done their work: nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.cni import Cni, NetworkRequest, PortMapping, netns
from executor.errors import NetworkFailure
from tests.integration.cni.faults import EVERY, MODES, Fault, Faults
from tests.integration.cni.lab import REAL_PLUGINS, Lab

pytestmark = pytest.mark.root
WEB = NetworkRequest("podnet", port_mappings=(PortMapping(18080, 80),))


def runtime(lab: Lab, fault: Fault, pod: str = "pod-one") -> tuple[Cni, Faults]:
    """One with a fault in one run of a plugin."""
    faults = Faults(lab.directory / "shims")
    faults.plant(fault, pod)
    return lab.runtime(faults.plugins, timeout_s=3.0 if fault.mode.startswith("hangs") else 30.0), faults


def of(command: str) -> list[Any]:
    """Those that leave nothing done are all alike to the runtime, so one of them is enough here."""
    modes = set(MODES) - {"dies before", "hangs before"}
    chosen = [fault for fault in EVERY if fault.command == command and fault.mode in modes]
    return [pytest.param(fault, id=f"{fault.plugin} {fault.mode}") for fault in chosen]


@pytest.mark.parametrize("fault", of("ADD"))
async def test_add(lab: Lab, fault: Fault) -> None:
    cni, faults = runtime(lab, fault)
    with pytest.raises(NetworkFailure, match="podnet") as caught:
        await lab.up("pod-one", WEB, cni=cni)
    assert faults.happened(fault, "pod-one")
    assert "could not be undone" not in str(caught.value)
    await netns.destroy(lab.pin("pod-one"))
    assert lab.clean(), lab.retries()


@pytest.mark.parametrize("fault", of("DEL"))
async def test_del(lab: Lab, fault: Fault) -> None:
    cni, faults = runtime(lab, fault)
    await lab.up("pod-one", WEB, cni=cni)
    with pytest.raises(NetworkFailure, match="podnet"):
        await lab.down("pod-one", cni)
    assert faults.happened(fault, "pod-one")
    assert netns.exists(lab.pin("pod-one"))  # still there for the next try
    await lab.down("pod-one", cni)
    assert lab.clean(), lab.retries()


async def test_one_pods_hung_plugin_does_not_hold_up_others(lab: Lab) -> None:
    fault = Fault("bridge", "ADD", "hangs after")
    hung, faults = runtime(lab, fault, "pod-hung")
    task = asyncio.create_task(lab.up("pod-hung", WEB, cni=hung))
    while not faults.happened(fault, "pod-hung"):  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.01)
    await lab.up("pod-one", cni=hung)
    assert not task.done()
    with pytest.raises(NetworkFailure, match="did not end within"):
        await task
    await lab.down("pod-one", hung)
    await netns.destroy(lab.pin("pod-hung"))
    assert lab.clean(), lab.retries()


async def test_hung_dels_hold_nobody_up(lab: Lab) -> None:
    """Eight pods are released at a time, of which four hang: these end at their limit, the others at once."""
    pods = [f"pod-{number}" for number in range(8)]
    ports = {pod: PortMapping(18300 + number, 80) for number, pod in enumerate(pods)}
    faults = Faults(lab.directory / "shims")
    cni = lab.runtime(faults.plugins)
    await asyncio.gather(*(lab.up(pod, replace(WEB, port_mappings=(ports[pod],)), cni=cni) for pod in pods))
    for pod in pods[:4]:
        faults.plant(Fault("bridge", "DEL", "hangs before"), pod)
    took_s: dict[str, float] = {}
    began_s = time.monotonic()

    async def release(pod: str) -> None:
        with contextlib.suppress(NetworkFailure):
            await cni.detach(pod, lab.pin(pod), limit_s=8.0)
        took_s[pod] = time.monotonic() - began_s

    await asyncio.gather(*map(release, pods))
    assert max(took_s[pod] for pod in pods[4:]) < min(took_s[pod] for pod in pods[:4]), took_s
    assert max(took_s.values()) < 16, took_s
    assert set(lab.addresses().values()) == set(pods[:4])
    await asyncio.gather(*(lab.down(pod, cni) for pod in pods))
    assert lab.clean(), lab.retries()


async def test_cancelling_an_attach_leaves_nothing(lab: Lab) -> None:
    for delay_s in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05):
        task = asyncio.create_task(lab.up("pod-one", WEB))
        await asyncio.sleep(delay_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await lab.down("pod-one")
        assert lab.clean(), (delay_s, lab.retries())


CRASHING = """
import asyncio, sys
from pathlib import Path
from executor.cni import Cni, NetworkRequest, PortMapping, netns
config_dir, plugins, state_dir, pins = map(Path, sys.argv[1:])
cni = Cni(config_dir, [plugins], state_dir, 30)
async def pod(number):
    pin = pins / f"pod-{number}"
    await netns.ensure(pin)
    print("begun", flush=True)
    ports = (PortMapping(18100 + number, 80),)
    await cni.attach(f"pod-{number}", pin, [NetworkRequest("podnet", port_mappings=ports)])
    await cni.detach(f"pod-{number}", pin)
async def main():
    await asyncio.gather(*(pod(number) for number in range(6)))
asyncio.run(main())
"""


async def test_a_killed_executor_is_cleaned_up_by_the_next(lab: Lab) -> None:
    """SIGKILL at any moment; the plugins that were started live on for a moment, as they do in life."""
    chance = random.Random(7)
    found = 0
    for _ in range(8):
        await asyncio.to_thread(crash, lab, chance.uniform(0.0, 0.5))
        successor = lab.runtime()
        found += len(successor.attachments())
        await asyncio.gather(*(lab.down(pin.name, successor) for pin in netns.pinned(lab.pins)))
        assert lab.clean(), lab.retries()
    assert found > 0


def crash(lab: Lab, after_s: float) -> None:
    arguments = [str(lab.config_dir), str(REAL_PLUGINS), str(lab.state_dir), str(lab.pins)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", CRASHING, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline()
        time.sleep(after_s)
        victim.send_signal(signal.SIGKILL)
    while any(map(is_plugin, Path("/proc").iterdir())):
        time.sleep(0.02)


def is_plugin(process: Path) -> bool:
    try:
        return process.name.isdigit() and (process / "exe").readlink().parent == REAL_PLUGINS
    except OSError:
        return False
