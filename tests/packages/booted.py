"""A root booted by its own systemd as process 1, with the unified cgroup hierarchy alone, as on a node of today.

It lives in namespaces of its own (mounts, processes, network, host name, cgroups) and sees /sys and /proc/sys
read-only, so that nothing that a booting system sets reaches the kernel of this machine. Its cgroups are below one
directory.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from cgroups import Hierarchies
from tests.packages.roots import DebianRoot, environment

# systemd decides by `container` what is not its business here.
INIT = """
set -e
mount -t tmpfs -o mode=755 run /run
mkdir /tmp/dev  # of its own: a booting system makes links in it
mount -t tmpfs -o mode=755 dev /tmp/dev
for node in null zero full random urandom tty; do
    touch /tmp/dev/$node
    mount --bind /dev/$node /tmp/dev/$node
done
ln -s /proc/self/fd /tmp/dev/fd
mount --move /tmp/dev /dev
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
umount -l /sys
mount -t sysfs -o ro sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i container=private PATH="$PATH" /lib/systemd/systemd --log-target=null --show-status=0
"""
PROBE = """
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /tmp/probe/script
StandardOutput=file:/tmp/probe/output
StandardError=file:/tmp/probe/output
ExecStopPost=/bin/systemctl exit
[Install]
WantedBy=multi-user.target
"""
ENTER_CGROUP = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


def boot(root: DebianRoot, script: str, packages: Path, scratch: Path, *, timeout_s: float = 90) -> str:
    """Boot, run the script (as root, `packages` at /tmp/packages) when the system is up, power off; what it printed."""
    (scratch / "script").write_text(script)
    (scratch / "output").write_text("")
    _install_probe(root)
    cgroup = _own_cgroup()
    command = root.command("sh", "-c", INIT, binds={packages: "/tmp/packages", scratch: "/tmp/probe"})
    unshare = ["unshare", "--cgroup", "--uts", "--ipc", "--net"]
    line = ["sh", "-c", ENTER_CGROUP, str(cgroup), *unshare, *command]
    try:
        subprocess.run(line, env=environment(), stdin=subprocess.DEVNULL, check=False, timeout=timeout_s)
        return (scratch / "output").read_text()
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"still up after {timeout_s} s:\n{(scratch / 'output').read_text()}") from error
    finally:
        _remove(cgroup)


def _install_probe(root: DebianRoot) -> None:
    """And let services start, which the root's policy forbids otherwise. /tmp is what the root was entered with."""
    units = root.path / "etc/systemd/system"
    (units / "probe.service").write_text(PROBE)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "probe.service").symlink_to("../probe.service")
    (units / "tmp.mount").symlink_to("/dev/null")
    (root.path / "usr/sbin/policy-rc.d").unlink()


def _own_cgroup() -> Path:
    unified = Hierarchies.discover().unified
    assert unified is not None
    path = unified / f"mpe-booted-{os.getpid()}"
    path.mkdir()
    return path


def _remove(cgroup: Path, timeout_s: float = 10) -> None:
    """When the last process is gone, which follows the end of the process namespace within moments."""
    deadline = time.monotonic() + timeout_s
    while "populated 1" in (cgroup / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    for path in sorted((cgroup, *(each for each in cgroup.rglob("*") if each.is_dir())), reverse=True):
        path.rmdir()
