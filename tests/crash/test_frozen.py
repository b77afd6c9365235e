"""The agent freezes the container of a dead executor to kill it (cgroup v1). A process that waits for storage cannot be
frozen. If the agent gives up or dies then, all processes stay frozen, and no signal ends them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from tests.crash.launching import owner_files
from tests.crash.remains import remains
from tests.support.incidents import INCIDENTS, STORAGE, Stage
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

POLICY = f'{{level = "baseline", host_paths = ["{STORAGE}"]}}'


def test_gc_thaws_what_an_agent_left_frozen() -> None:
    config = {"REVOCATION_STUCK_AFTER_S": "1", "POLICY_DEFAULT": POLICY}
    with Rig(config=config) as rig, rig.scheduler(name="frozen") as scheduler:
        there = remains(rig)
        with Stage(rig, scheduler, "dies") as stage:
            bystander = stage.running("bystander", revocable=True)
            INCIDENTS["stuck"].begin(stage)
            (owner,) = owner_files(rig)
            document = json.loads(owner.read_text())
            state = Path("/sys/fs/cgroup/freezer", document["cgroup_root"].lstrip("/"), "freezer.state")
            os.kill(document["pid"], signal.SIGKILL)
            assert wait_for(lambda: True if state.read_text().strip() == "FREEZING" else None, 20)
            rig.agent.kill()
        assert wait_for(lambda: True if _state(state) in ("FROZEN", "") else None, 20)  # the storage answers now
        # the executor's own watcher may be at it: `gc` leaves that to it
        assert wait_for(lambda: None if rig.command("gc", check=False) and owner_files(rig) else True, 20)
        assert remains(rig) == there
        rig.agent.start()
        scheduler.wait_status(bystander, TERMINAL, 60)


def _state(path: Path) -> str:
    """Empty if the group is gone."""
    with contextlib.suppress(FileNotFoundError, OSError):
        return path.read_text().strip()
    return ""
