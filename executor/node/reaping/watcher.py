"""The process that outlives an executor and starts the reaper for it.

Why there is one: an executor that is killed while it launches leaves runc processes behind which make cgroups again
after the Mesos agent has listed those that it destroys. The agent then waits for its whole time-out (60 s) before it
tells the framework of the tasks' ends, unless those cgroups are removed. Another executor does that, where there is
one; gc's timer comes too late; a systemd path unit needs systemd and knows one run_dir only.

Where the agent ends no pods, as with its posix launcher, they would live on until a reaper has started and has heard
from containerd. There the process ends them first, by one write to `cgroup.kill`.

It is a shell that waits for the end of a pipe (1.7 MB of memory, 0.24 MB of it its own), and becomes `gc` only after a
death. It must outlive what the agent does to the executor. The linux launcher ends everything in the Mesos container,
so it is put in the root cgroup; the posix launcher ends the processes below the executor and their sessions, so its
parent ends at once. With the agent's namespaces/pid isolator it dies with the executor, and other executors and gc's
timer are left.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from executor.config.values import variable
from executor.log import get_logger

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from executor.config import Config
    from executor.names import MesosContainerId
    from executor.node.claims import Claim

log = get_logger(__name__)

SCRIPT = """
exec 3<&0
read -r begin
{
    kill=$1
    shift
    read -r end <&3 && exit
    { echo 1 >"$kill"; } 2>/dev/null
    exec "$@" 3<&-
} &
"""
_BEGIN, _END = b"begin\n", b"end\n"
BEGIN_S = 5.0
"""How long the first shell may take to start the second one."""
WAIT_S = 60
"""For another process that holds the dead executor's lock: it reaps, or only looks, and may fail."""


def start(
    config: Config, container: MesosContainerId, claim: Claim, stack: AsyncExitStack, *, kill_file: Path | None
) -> None:
    """Until `stack` ends, or this process. Without it gc comes later, so a failure is logged and no more. `kill_file`:
    what ends the pods when it is written; None: the agent ends them.
    """
    with ExitStack() as made:
        reading, writing = os.pipe()
        made.callback(os.close, reading)
        command = [*_program(), "gc", "--only", container, "--wait", str(WAIT_S)]
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT, "mesos-pod-executor-watcher", str(kill_file or ""), *command],
                stdin=reading,
                env=_environment(os.environ, config),
                start_new_session=True,
            )
            _leave_container(process.pid, container)
            os.write(writing, _BEGIN)
            process.wait(BEGIN_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            _write(writing, _BEGIN + _END)  # every shell of it ends, and kills no pod of an executor that lives
            os.close(writing)
            log.warning("no watcher could be started", code="executor.no_watcher", error=str(error))
            return
    stack.callback(_end, writing, claim)


def _end(writing: int, claim: Claim) -> None:
    """After a clean end nothing is to be reaped."""
    if claim.kept:
        return  # the pipe ends with this process
    _write(writing, _END)
    os.close(writing)


def _write(writing: int, lines: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(writing, lines)


def _leave_container(pid: int, container: MesosContainerId) -> None:
    """Into the root group of each hierarchy in which the process is in the Mesos container."""
    from cgroups import CgroupError, Hierarchies, Membership
    from cgroups.files import Directory

    hierarchies = Hierarchies.discover()
    for name, path in Membership.of(pid).paths.items():
        point = hierarchies.v1.get(name) if name else hierarchies.unified
        if point is None or container not in path.split("/"):
            continue
        try:
            with Directory.open(point) as root:
                root.write("cgroup.procs", str(pid))
        except CgroupError as error:
            log.warning("the watcher ends with the executor", code="executor.no_watcher", error=str(error))


def _program() -> list[str]:
    """How this process was started, without its arguments."""
    return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]


def _environment(environ: Mapping[str, str], config: Config) -> dict[str, str]:
    """Without what Mesos set; the configuration in force, as far as a reaper needs it. Pure."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("MESOS_", "LIBPROCESS_"))}
    values = {
        ("containerd", "address"): config.containerd.address,
        ("containerd", "namespace"): config.containerd.namespace,
        ("cgroups", "root"): config.cgroups.root,
        ("node", "run_dir"): config.node.run_dir,
        ("node", "state_dir"): config.node.state_dir,
        ("dns", "hosts_dir"): config.dns.hosts_dir,
        ("cni", "config_dir"): config.cni.config_dir,
        ("cni", "plugin_dirs"): ",".join(config.cni.plugin_dirs),
        ("cni", "timeout_s"): str(config.cni.timeout_s),
    }
    return kept | {variable(*key): value for key, value in values.items() if value}
