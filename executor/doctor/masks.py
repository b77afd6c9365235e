"""Whether runc masks the kernel's files by what a container has put in the place of its /dev/null (CVE-2025-31133).

A distribution's version does not tell, so it is tried, with a scratch container: its /dev/null is a symbolic link, one
file is to be masked, and there is no program to run. A corrected runc refuses the link; another one masks the file, and
then misses the program. Nothing is left of the container, and no process of it ever ran.
Source: github.com/opencontainers/runc, GHSA-9493-h29p-rfm2, libcontainer/rootfs_linux.go (maskPaths).
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from executor.doctor.finding import Finding, passed, skipped, warned

CHECK: Final = "containerd.runc_masks"
TRY_S: Final = 10.0
_PROGRAM: Final = "/no-such-program"
_MASKED: Final = "masked"
_LINK: Final = "elsewhere"
_FIXED: Final = "runc 1.2.8, 1.3.3 or 1.4.0, or a later revision of the distribution's; until then trust every image"


def check(runc: str) -> Finding:
    """`runc` is its path. Only root can try it."""
    if os.geteuid():
        return skipped(CHECK, "only root can try it")
    name = f"mesos-pod-executor-doctor-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as scratch:
        _make_bundle(Path(scratch), name)
        line = [runc, "--root", f"{scratch}/state"]
        try:
            run = [*line, "run", "--bundle", scratch, name]
            done = subprocess.run(
                run,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TRY_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return skipped(CHECK, f"{runc} could not be tried: {error}")
        finally:
            delete = [*line, "delete", "--force", name]
            subprocess.run(delete, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRY_S, check=False)
    return judge(done.stderr)


def judge(text: str) -> Finding:
    """`text` is what runc says of the scratch container. Pure."""
    if _PROGRAM in text:
        message = "runc masks the kernel's files by what a container has at /dev/null (CVE-2025-31133)"
        return warned(CHECK, f"{message}: an image can show, or write, what is masked", _FIXED)
    if "can't mask path" in text:
        return passed(CHECK, "runc masks the kernel's files by the real /dev/null only")
    return skipped(CHECK, f"runc could not make a scratch container: {text.strip()[-200:]}")


def _make_bundle(directory: Path, name: str) -> None:
    root, devices = directory / "rootfs", directory / "dev"
    for made in (root, root / "dev", root / "proc", devices):
        made.mkdir()
    for file in (_MASKED, _LINK):
        (root / file).touch()
    (devices / "null").symlink_to(f"/{_LINK}")
    (directory / "config.json").write_text(json.dumps(_document(devices, name)))


def _document(devices: Path, name: str) -> dict[str, Any]:
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": [_PROGRAM], "cwd": "/"},
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "bind", "source": str(devices), "options": ["bind"]},
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc")],
            "maskedPaths": [f"/{_MASKED}"],
            "cgroupsPath": f"/{name}",
        },
    }
