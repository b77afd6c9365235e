"""What of the node's kernel a container may be given: its devices, SELinux, limits on huge pages."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from executor.oci.place import Device, GrantedDevice
from executor.spec.model import ContainerSpec, PodSpec

_OWN: Final = frozenset({"pts", "shm", "fd", "mqueue", "console", ".udev", ".lxc", ".lxd-mounts"})
"""A container has its own of these, as containerd's WithHostDevices leaves them out."""
_HUGE_PAGES: Final = Path("/sys/kernel/mm/hugepages")
_STANDARD: Final = frozenset({"null", "zero", "full", "random", "urandom", "tty", "ptmx"})
"""runc makes these itself."""


def devices(root: Path = Path("/dev")) -> tuple[Device, ...]:
    """Every character and block device below the directory; one that goes away meanwhile is left out."""
    return tuple(sorted(_found(root), key=lambda device: device.path))


def _found(directory: Path) -> Iterator[Device]:
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return
    for entry in entries:
        if entry.name in _OWN | _STANDARD or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _found(Path(entry.path))
        elif (device := _device(entry.path)) is not None:
            yield device


def granted(spec: PodSpec, container: ContainerSpec) -> tuple[GrantedDevice, ...]:
    """The devices that the container has mounted because its role's policy lists them. A device node that stands in
    another directory is none: a pod that may write there could have made it.
    """
    allowed = {each.name: each.path for each in spec.host_paths if each.beneath and each.path.startswith("/dev/")}
    found = []
    for mount in container.mounts:
        path = allowed.get(mount.volume, "")
        if path and not mount.sub_path and (device := _device(path)) is not None:
            found.append(GrantedDevice(device, read_only=mount.read_only))
    return tuple(found)


def _device(path: str) -> Device | None:
    """None: it is gone, or no device."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b" if stat.S_ISBLK(found.st_mode) else ""
    if not kind:
        return None
    major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
    return Device(path, kind, major, minor, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def limited_huge_pages(v1: Mapping[str, Path], unified: Path | None, pages: Path = _HUGE_PAGES) -> tuple[int, ...]:
    """The sizes of huge pages, in bytes, that runc can limit: v1's controller hugetlb, or that of cgroup2 alone."""
    if "hugetlb" not in v1 and (v1 or unified is None or "hugetlb" not in _controllers(unified)):
        return ()
    try:
        names = [entry.name for entry in os.scandir(pages)]
    except OSError:
        return ()
    sizes = (name.removeprefix("hugepages-").removesuffix("kB") for name in names)
    return tuple(sorted(int(size) << 10 for size in sizes if size.isdecimal()))


def _controllers(unified: Path) -> list[str]:
    try:
        return (unified / "cgroup.controllers").read_text().split()
    except OSError:
        return []


def has_selinux() -> bool:
    """Whether the kernel has SELinux on."""
    return Path("/sys/fs/selinux/enforce").exists()
