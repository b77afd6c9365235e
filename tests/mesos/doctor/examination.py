"""What doctor finds on a node, and what of it is not the machine's own."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.support.rig import Rig

HOST = frozenset(
    {
        "kernel.cap_sys_resource", "kernel.pid_max", "kernel.inotify_instances", "node.clock_synchronised",
        "node.oom_daemon", "agent.executor_shutdown_grace_period", "containerd.containerd_holes",
        "containerd.runc_holes", "containerd.runc_masks",
    }
)  # fmt: skip
"""What may be amiss on the machine that tests run on."""
Check = dict[str, str]


def examine(rig: Rig, *arguments: str, within: str = "", **config: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of doctor; `within` is a shell command run before it, in mounts of its own."""
    variables = {f"MESOS_POD_EXECUTOR_{name}": value for name, value in config.items()}
    environment = {**os.environ, **rig.environment(), **variables}
    line = [*rig.program, "doctor", "--json", *arguments]
    if within:
        line = ["unshare", "--mount", "sh", "-ec", f'{within}\nexec "$@"', "sh", *line]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def complaints(document: dict[str, Any]) -> dict[str, Check]:
    """What is neither in order nor the machine's own."""
    bad = [check for check in document["checks"] if check["verdict"] in ("warn", "fail")]
    assert all(check["hint"] for check in bad), "a complaint says what to do"
    bad.sort(key=lambda check: check["verdict"] == "fail")
    found: dict[str, Check] = {}
    for check in bad:
        if (name := check["check"]) not in HOST:  # of several findings of one check, the worst, and every word
            before = found[name]["message"] if name in found else ""
            found[name] = check | {"message": f"{before}\n{check['message']}"}
    return found
