"""Process 1 of a private node: sets it up, runs the command, reaps what it leaves. Its end is the end of all inside."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.support import cgroupdirs
from tests.support.node import CGROUPS, INSTALLED_PLUGINS, PLUGINS, UNIFIED, V1, syscalls
from tests.support.node.record import Node

_LAYERS = tuple(f".var-lib/{name}" for name in ("lower", "upper", "work"))
SI_KERNEL = 0x80
"""A signal that a terminal sent: the whole foreground process group has got it already."""


def run(
    node: Node,
    command: Sequence[str],
    status: int,
    forwarded: Collection[signal.Signals],
    mask: Collection[int],
) -> None:
    """Never returns. Writes the command's wait status, in decimal, to the file descriptor `status`."""
    syscalls.die_with_parent()
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
    _mount(node.directory / "run")
    syscalls.loopback_up()
    environment = os.environ | {
        "MPE_TEST_NAMESPACE": "1",
        "MPE_TEST_CGROUP": node.cgroup,
        "MPE_TEST_TMP": str(node.tmp),
        "TMPDIR": str(node.tmp),
    }
    child = os.posix_spawnp(command[0], list(command), environment, setsigmask=mask)
    os.write(status, str(_wait(child, forwarded)).encode())
    cgroupdirs.thaw(cgroupdirs.below(node.cgroup))  # a frozen process would hold up the end of the namespace
    os._exit(0)


def _wait(child: int, forwarded: Collection[signal.Signals]) -> int:
    while True:
        information = signal.sigwaitinfo({*forwarded, signal.SIGCHLD})
        if information.si_signo != signal.SIGCHLD:
            if information.si_code != SI_KERNEL:
                os.kill(child, information.si_signo)
            continue
        while (reaped := _reap()) is not None:
            if reaped[0] == child:
                return reaped[1]


def _reap() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _mount(staging: Path) -> None:
    syscalls.mount("", "/", "", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("proc", "/proc", "proc")
    names = Path("/etc/resolv.conf").resolve()
    text = names.read_bytes() if names.is_relative_to("/run") and names.is_file() else None
    _empty_run_with_overlaid_state(staging)
    if text is not None:  # systemd-resolved keeps the file there
        names.parent.mkdir(parents=True, exist_ok=True)
        names.write_bytes(text)
    if Path("/dev/shm").is_dir():
        syscalls.mount("tmpfs", "/dev/shm", "tmpfs", data="mode=1777")
    if os.environ.get(V1) and (CGROUPS / UNIFIED).is_mount():
        _hide_cgroup2(staging.with_name("cgroups"))
    if plugins := os.environ.get(PLUGINS):
        syscalls.mount(plugins, INSTALLED_PLUGINS, "", flags=syscalls.MS_BIND)


def _empty_run_with_overlaid_state(staging: Path) -> None:
    """/run as after a boot; /var/lib with a writable layer in memory, so that nothing of the host has to be made.

    The layer below is always the host's own /var/lib, kept at hand for nodes inside this one: the kernel stacks no
    more than two overlays.
    """
    staging.mkdir()
    syscalls.mount("tmpfs", str(staging), "tmpfs", data="mode=755")
    for name in (*_LAYERS, "lock", "netns"):
        (staging / name).mkdir(parents=True)
    lower, upper, work = (Path("/run", name) for name in _LAYERS)
    syscalls.mount(str(lower if lower.is_dir() else "/var/lib"), str(staging / _LAYERS[0]), "", flags=syscalls.MS_BIND)
    syscalls.mount(str(staging), "/run", "", flags=syscalls.MS_MOVE)
    shutil.copymode("/var/lib", upper)
    syscalls.mount("overlay", "/var/lib", "overlay", data=f"lowerdir={lower},upperdir={upper},workdir={work}")


def _hide_cgroup2(staging: Path) -> None:
    """In this mount namespace only. Its directory goes too: crun on v1 takes each directory there for a hierarchy."""
    staging.mkdir()
    syscalls.mount("tmpfs", str(staging), "tmpfs", data="mode=755")
    for each in CGROUPS.iterdir():
        if each.is_symlink():
            (staging / each.name).symlink_to(each.readlink())
        elif each.name != UNIFIED:
            (staging / each.name).mkdir()
            syscalls.mount(str(each), str(staging / each.name), "", flags=syscalls.MS_BIND)
    syscalls.detach(str(CGROUPS))
    syscalls.mount(str(staging), str(CGROUPS), "", flags=syscalls.MS_MOVE)
