"""The guest's root directory, kernel and disk, made from Debian's packages and the locked venv.

They are in the user's cache directory, since they outlast a checkout, under a digest of all that they are made from.
Those that nobody used for a month go.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import fresh
from tests.support.sources import ROOT

GUEST = Path(__file__).parent / "guest"
DEBIAN = ROOT / "packaging/requirements"
VENV_INPUTS = ("pyproject.toml", "packaging/requirements/runtime.txt", "packaging/requirements/dev.txt")
SYSTEM = (
    "crun",
    "dbus",
    "kmod",
    "linux-image-cloud-amd64",
    "nftables",
    "python3",
    "systemd",
    "systemd-oomd",
    "systemd-sysv",
    "udev",
)
NOT_NEEDED = ("g++", "binutils")
"""What only building Mesos needs, which the host has done."""
KEPT_S = 30 * 86400.0
DISK_BYTES = 4 << 30

LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("containerd.service", "man-db.timer", "systemd-networkd-wait-online.service", "systemd-binfmt.service"),
    *("getty.target", "systemd-logind.service", "ldconfig.service", "systemd-journal-catalog-update.service"),
)
FILES = {
    "etc/hostname": "machine\n",
    "etc/hosts": "127.0.0.1 localhost machine\n",
    "etc/fstab": f"/dev/vda / ext4 rw,noatime 0 0\n/dev/vdb {fresh.CHECKOUT} ext4 rw,noatime 0 0\n",
    "etc/modules-load.d/pods.conf": "br_netfilter\noverlay\n",
}
SMALL_INITRD = (
    'mkdir -p "$1/etc/initramfs-tools/conf.d" && echo MODULES=list >"$1/etc/initramfs-tools/conf.d/list" && '
    'printf "virtio_pci\nvirtio_blk\next4\n" >"$1/etc/initramfs-tools/modules"'
)
"""A hook of mmdebstrap: Debian's own initrd has what this machine's disk needs, and is unpacked in a second."""

# The first steps of packaging/prepare, with the guest's Python.
MAKE_VENV = """
import sys
sys.path.insert(0, "packaging")
from preparation.engine import Report, ensure
from preparation.steps import STEPS
ensure([step for step in STEPS if step.name in ("venv", "http-parser", "project")], Report(quiet=False))
"""

# Arguments: root, checkout, its place, command. In a mount namespace of its own, with /proc and /dev.
INSIDE = """
set -e
root=$1 checkout=$2 place=$3; shift 3
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
[ -z "$checkout" ] || mount --bind "$checkout" "$root$place"
exec chroot "$root" env --chdir="$place" "$@"
"""


class ImageError(Exception):
    """A part of the machine could not be made; the message ends with what the command printed."""


@dataclass(frozen=True)
class Image:
    """`root` is what is on the disk."""

    directory: Path

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def disk(self) -> Path:
        return self.directory / "disk.img"

    @property
    def kernel(self) -> Path:
        return self._boot("vmlinuz")

    @property
    def initrd(self) -> Path:
        return self._boot("initrd.img")

    def _boot(self, name: str) -> Path:
        (found,) = (self.root / "boot").glob(f"{name}-*")
        return found


def store() -> Path:
    """Where images are."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "mesos-pod-executor/machines"


def ensure(release: str) -> Image:
    """The image of this release of Debian, made if need be (two minutes). Raises ImageError."""
    top = store()
    top.mkdir(parents=True, exist_ok=True)
    result = top / f"{release}-{key(release)}"
    with (top / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            with scratch(top) as made:
                _make(Image(made), release)
                made.rename(result)
        os.utime(result)
        for old in top.glob("*-*"):
            if old.stat().st_mtime < time.time() - KEPT_S:
                fresh.remove(old)
    return Image(result)


@contextlib.contextmanager
def scratch(top: Path) -> Iterator[Path]:
    """A new directory that is removed unless it was renamed."""
    made = Path(tempfile.mkdtemp(dir=top, prefix="making-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        if made.exists():
            fresh.remove(made)


def packages() -> list[str]:
    """Debian's packages in the guest."""
    base = (line.partition("#")[0].split() for line in (DEBIAN / "debian-base.txt").read_text().splitlines())
    return sorted({*SYSTEM, *(name for names in base for name in names)} - set(NOT_NEEDED))


def key(release: str) -> str:
    """A digest of all that an image is made from."""
    total = hashlib.sha256()
    trees = [path for top in (GUEST, ROOT / "packaging/http-parser") for path in sorted(top.rglob("*"))]
    for path in (Path(__file__), *trees, *(ROOT / name for name in VENV_INPUTS)):
        if path.is_file() and "__pycache__" not in path.parts:
            total.update(path.read_bytes() + b"\0")
    total.update("\0".join([release, *packages(), *fresh.sources(release)]).encode())
    return total.hexdigest()[:12]


def _make(image: Image, release: str) -> None:
    _install(image.root, release)
    _settle(image.root)
    _make_venv(image.root)
    format_disk(image.root, image.disk, DISK_BYTES)


def _install(root: Path, release: str) -> None:
    settings = root.with_name("apt.conf")
    settings.write_text(fresh.apt_settings())
    options = [f"--aptopt={settings}", *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT)]
    command = ["mmdebstrap", "--quiet", "--variant=apt", "--mode=root", "--format=directory", *options]
    command.append(f"--essential-hook={SMALL_INITRD}")
    run([*command, f"--include={','.join(packages())}", release, str(root), *fresh.sources(release)])


def _settle(root: Path) -> None:
    for name, text in FILES.items():
        (root / name).write_text(text)
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    shutil.copyfile(GUEST / "mesos-test.service", root / "etc/systemd/system/mesos-test.service")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / "mesos-test.service").symlink_to("/etc/systemd/system/mesos-test.service")
    shutil.copyfile(GUEST / "mesos-test", root / "usr/local/sbin/mesos-test")
    (root / "usr/local/sbin/mesos-test").chmod(0o755)


def _make_venv(root: Path) -> None:
    """At the place where the checkout's disk has a link to it; so its programs name the path of the link."""
    fresh.connect(root)
    fresh.copy_checkout(root)
    inside(root, "/usr/bin/python3", "-c", MAKE_VENV)
    checkout = root / fresh.CHECKOUT.lstrip("/")
    (checkout / ".build/venv").rename(venv(root))
    shutil.rmtree(checkout)
    shutil.rmtree(root / "root/.cache", ignore_errors=True)
    checkout.mkdir()


def venv(root: Path) -> Path:
    return root / "opt/venv"


def inside(root: Path, *command: str, checkout: Path | None = None) -> None:
    """Run a command in the checkout's place in the root; `checkout` is seen there. Raises ImageError."""
    unshare = ["unshare", "--mount", "--propagation", "private"]
    run([*unshare, "sh", "-c", INSIDE, "sh", str(root), str(checkout or ""), fresh.CHECKOUT, *command])


def format_disk(directory: Path, disk: Path, size_bytes: int) -> None:
    """A sparse ext4 image of what is in the directory, made without a mount."""
    with disk.open("wb") as file:
        file.truncate(size_bytes)
    features = ["-O", "^has_journal", "-E", "lazy_itable_init=1"]
    run(["mke2fs", "-q", "-t", "ext4", *features, "-d", str(directory), str(disk)])


def run(command: list[str]) -> None:
    """Raises ImageError with the output."""
    done = subprocess.run(
        command,
        env=fresh.environment(),
        check=False,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise ImageError(f"{command} exited with {done.returncode}:\n{done.stdout[-6000:]}")
