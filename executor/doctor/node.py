"""The node itself: clock, disks, directories, and what dead executors left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from executor.config import Config
from executor.doctor.finding import Finding, failed, passed, skipped, warned
from executor.errors import reason
from executor.node.claims import SOCKET_SUFFIX
from executor.node.inventory import Inventory

FREE_FAIL_BYTES, FREE_WARN_BYTES = 64 << 20, 1 << 30
FREE_WARN_SHARE = 0.05
_SOCKET_PATH_MAX = 107
_CONTAINER_ID_CHARS = 36
NAMES_SHOWN = 3
_STA_UNSYNC = 0x40


def check(config: Config, work_dir: str) -> list[Finding]:
    """`work_dir` is the agent's, empty if it is not known."""
    node = config.node
    places = {"state_dir": node.state_dir, "run_dir": node.run_dir, **({"work_dir": work_dir} if work_dir else {})}
    found = [_clock(), _synchronised(), _socket(node.run_dir)]
    found += [_writable(name, Path(path)) for name, path in places.items() if name != "work_dir"]
    return found + [_space(name, Path(path)) for name, path in places.items()]


def left_overs(inventory: Inventory) -> list[Finding]:
    """What is left of dead executors, of those of which nothing is proven, and of shims without a record. Pure."""
    found = [_unknown(inventory)] if inventory.unknown else []
    found += [_lost_shims(inventory)] if inventory.lost_shims else []
    found += [_dead(inventory)] if inventory.dead else []
    return found or [passed("node.left_overs", f"none of dead executors; {len(inventory.living)} live")]


def _unknown(inventory: Inventory) -> Finding:
    names = ", ".join(f"{container} ({why})" for container, why in sorted(inventory.unknown.items())[:NAMES_SHOWN])
    text = f"{len(inventory.unknown)} executors left something, and nothing proves them dead: {names}"
    return warned("node.left_overs", text, "look for each; mesos-pod-executor gc --assume-dead ID")


def _lost_shims(inventory: Inventory) -> Finding:
    pids = ", ".join(str(shim.pid) for shim in inventory.lost_shims)
    text = f"shims of containers without a record: processes {pids}"
    return warned("node.left_overs", text, "if nothing needs them, kill these processes")


def _dead(inventory: Inventory) -> Finding:
    counts = ", ".join(f"{count} {kind}" for kind, count in inventory.counts().items()) or "their owner files only"
    names = ", ".join(sorted(inventory.dead)[:NAMES_SHOWN]) + (", ..." if len(inventory.dead) > NAMES_SHOWN else "")
    text = f"{len(inventory.dead)} dead executors ({names}) left {counts}"
    return warned("node.left_overs", text, "mesos-pod-executor gc")


def _clock() -> Finding:
    """A clock that is behind the program's own files is wrong: certificates and time-outs of whole systems break."""
    written_s = Path(__file__).stat().st_mtime
    return judge_clock(time.time(), written_s)


def judge_clock(now_s: float, written_s: float) -> Finding:
    """Pure. `written_s`: when this program was installed."""
    if now_s + 86400 < written_s:
        behind = (written_s - now_s) / 86400
        return failed("node.clock", f"the clock is {behind:.0f} days behind this program's own files", "set the clock")
    return passed("node.clock", "the clock is not behind")


def _synchronised() -> Finding:
    """adjtimex(2), reading only."""
    buffer = ctypes.create_string_buffer(512)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(buffer) < 0:
        return skipped("node.clock_synchronised", os.strerror(ctypes.get_errno()))
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    if status & _STA_UNSYNC:
        return warned("node.clock_synchronised", "the kernel's clock is not synchronised", "run chrony or timesyncd")
    return passed("node.clock_synchronised", "the kernel's clock is synchronised")


def _socket(run_dir: str) -> Finding:
    length = len(run_dir) + 1 + _CONTAINER_ID_CHARS + len(SOCKET_SUFFIX)
    if length > _SOCKET_PATH_MAX:
        return failed("node.run_dir_length", f"control sockets below {run_dir} have too long a path", "[node] run_dir")
    return passed("node.run_dir_length", "control sockets have room for their path")


def _writable(name: str, directory: Path) -> Finding:
    place = _existing(directory)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return failed(f"node.{name}", f"{place} cannot be written: {reason(error)}", f"correct it, or [node] {name}")
    return passed(f"node.{name}", f"{directory} can be written")


def _space(name: str, directory: Path) -> Finding:
    place = _existing(directory)
    try:
        about = os.statvfs(place)
    except OSError as error:
        return failed(f"node.{name}_space", f"{place}: {reason(error)}", "look at the disk")
    return judge_space(name, str(place), about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize)


def judge_space(name: str, place: str, free_bytes: int, size_bytes: int) -> Finding:
    """Pure."""
    text = f"{place} has {free_bytes >> 20} of {size_bytes >> 20} MiB free"
    if free_bytes < FREE_FAIL_BYTES:
        return failed(f"node.{name}_space", text, "free some")
    if free_bytes < FREE_WARN_BYTES and free_bytes < size_bytes * FREE_WARN_SHARE:
        return warned(f"node.{name}_space", text, "free some")
    return passed(f"node.{name}_space", text)


def _existing(directory: Path) -> Path:
    """Itself, or what it would be made in."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory


def ephemeral_ports() -> Mapping[str, str]:
    """The kernel's own words about which local ports it gives out."""
    names = ("ip_local_port_range", "ip_local_reserved_ports")
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = Path(f"/proc/sys/net/ipv4/{name}").read_text()
    return found
