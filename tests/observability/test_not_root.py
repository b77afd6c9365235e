"""Commands as a user who is not root: one line says so, and nothing hangs."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Any

import pytest

from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.usefixtures("scheduler")]

FOR_ROOT = (
    ["ps"], ["ps", "-w"], ["inspect", "web"], ["describe", "web"], ["logs", "-f", "web"], ["exec", "web", "--", "true"],
    ["top"], ["stats"], ["events", "-f"], ["why", "web"], ["kill", "web"], ["revoke", "--all"], ["rehearse"],
    ["metrics"], ["serve", "--port", "0"], ["lend"], ["lending", "history"], ["gc", "--dry-run"], ["images"],
)  # fmt: skip
FOR_ALL = (["version"], ["check-config"], ["completion", "bash"], ["executor-info"])
NOBODY = 65534


def test_one_line_says_what_a_user_needs_who_is_not_root(rig: Rig) -> None:
    """All at once, for each one mostly waits for its imports."""
    lends = {"LENDING_OWNERS": "spark", "LENDING_AGENT": rig.agent.endpoint, "LENDING_MASTERS": "127.0.0.1:1"}
    config = rig.run_dir / "for-others.toml"  # others get to no other directory of the node
    config.write_bytes(rig.write_config(**lends).read_bytes())
    config.chmod(0o644)
    who: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {"PATH": os.environ["PATH"], **rig.program_environment, "PYTHONDONTWRITEBYTECODE": "1"}
    start = [*rig.program, "--config", str(config)]
    with contextlib.ExitStack() as stack:
        stack.callback(config.unlink)
        running = [
            (line, stack.enter_context(subprocess.Popen([*start, *line], env=environment, **who, **streams)))
            for line in (*FOR_ROOT, *FOR_ALL)
        ]
        for line, process in running:
            out, err = process.communicate(timeout=60)
            if line in FOR_ALL:
                assert (process.returncode, out != "") == (0, True), (line, err)
            else:
                assert (process.returncode in (1, 5), out, err.count("\n")) == (True, "", 1), (line, out, err)
                assert "Permission denied" in err and "run as root" in err, (line, err)
