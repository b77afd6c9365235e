"""Debian roots to install packages into: everything that the packages depend on is there, nothing of this project.

The tarball that roots are unpacked from is made once (.build/packages): a fresh Debian in which apt installed the deb's
dependencies, whose names it takes from packaging/nfpm.yaml, and what the tests need besides.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from tests.support import fresh
from tests.support.sources import ROOT

STORE = ROOT / ".build/packages"

# man, systemd, rpm and shells to look at what is installed, as a node has them; python3-apt for Ansible; the rest is
# for the demonstration.
BESIDES = ("man-db", "systemd", "busybox-static", "iproute2", "iptables", "procps", "python3-apt", "rpm", "zsh", "fish")

# What takes long to unpack and nobody looks at.
LEFT_OUT = (
    "var/lib/apt/lists", "var/cache/apt", "root/.cache", "usr/share/doc/*", "usr/share/man/??", "usr/share/man/??_*",
    "usr/bin/ctr", "usr/bin/containerd-shim", "usr/bin/containerd-shim-runc-v1", "usr/lib/cni/dhcp",
)  # fmt: skip

# Arguments: root, number of binds, source and target of each, command. pivot_root, since runc pivots too.
ENTER = """
set -e
root=$1 binds=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
while [ "$binds" -gt 0 ]; do
    [ -e "$root$2" ] || mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    shift 2; binds=$((binds - 1))
done
cd "$root"
pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt; cd /; exec "$@"' sh "$@"
"""

# No service starts in a root, and no byte has to be safe on a disk before the next one is written.
INSTALL = """
set -e
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe-io
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive apt-get -q install --yes --no-install-recommends "$@"
rm -rf /usr/share/locale /usr/share/doc/*/changelog*
"""


class DebianRoot:
    """Context manager. What one command leaves in the root's files the next one finds; processes end with it."""

    def __init__(self, release: str = fresh.SUITE) -> None:
        self.release = release

    def __enter__(self) -> Self:
        STORE.mkdir(parents=True, exist_ok=True)
        for old in STORE.glob("root-*"):
            if not Path("/proc", old.name.split("-")[1]).exists():
                fresh.remove(old)
        self.path = Path(tempfile.mkdtemp(prefix=f"root-{os.getpid()}-", dir=STORE))
        self.path.chmod(0o755)
        try:
            subprocess.run(["tar", "-xf", tarball(self.release), "-C", self.path], check=True)
        except BaseException:
            fresh.remove(self.path)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fresh.remove(self.path)

    def command(self, *command: str, binds: Mapping[Path, str] | None = None) -> list[str]:
        """What runs a command as root in mount and process namespaces of its own; `binds` are seen at their targets."""
        pairs = [str(part) for pair in (binds or {}).items() for part in pair]
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        return [*unshare, "sh", "-c", ENTER, "sh", str(self.path), str(len(pairs) // 2), *pairs, *command]

    def run(self, *command: str, binds: Mapping[Path, str] | None = None, timeout_s: float = 120) -> str:
        """What it printed, errors included. Raises AssertionError if it failed."""
        result = self.attempt(*command, binds=binds, timeout_s=timeout_s)
        assert result.returncode == 0, f"{command} exited with {result.returncode}:\n{result.stdout[-8000:]}"
        return result.stdout

    def attempt(
        self, *command: str, binds: Mapping[Path, str] | None = None, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command, binds=binds),
            env=environment(),
            timeout=timeout_s,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def files(self) -> set[str]:
        """Everything that is there, but for logs and the package managers' own records."""
        own = {"proc", "sys", "dev", "tmp", "mnt", "var/log", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/lib/rpm"}
        found = {str(path.relative_to(self.path)) for path in self.path.rglob("*")}
        return {name for name in found if not any(name == one or name.startswith(f"{one}/") for one in own)}


def environment() -> dict[str, str]:
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "MANWIDTH": "100",
    }


def dependencies() -> list[str]:
    """The names of the Debian packages that the deb depends on."""
    description = yaml.safe_load((ROOT / "packaging/nfpm.yaml").read_text())
    return sorted({line.split()[0] for line in description["overrides"]["deb"]["depends"]})


def tarball(release: str = fresh.SUITE) -> str:
    """Made unless there is one for the same packages and the same fresh Debian."""
    fresh.STORE.mkdir(parents=True, exist_ok=True)
    wanted = [*dependencies(), *BESIDES]
    base = fresh.tarball(release)
    result = (
        STORE / f"{base.stem}-{hashlib.sha256(' '.join([*wanted, *LEFT_OUT, INSTALL]).encode()).hexdigest()[:12]}.tar"
    )
    if not result.exists():
        with fresh.FreshRoot(release) as root:
            _succeed(root.run("apt-get", "-q", "update", timeout_s=300))
            _succeed(root.run("sh", "-c", INSTALL, "sh", *wanted, timeout_s=600))
            _pack(root.path, result)
        for old in set(STORE.glob(f"{release}-*.tar")) - {result}:
            old.unlink()
    return str(result)


def _pack(path: Path, result: Path) -> None:
    with tempfile.TemporaryDirectory(dir=STORE, prefix="making-") as scratch:
        made = Path(scratch, "root.tar")
        excludes = [f"--exclude=./{name}" for name in (fresh.CHECKOUT.lstrip("/"), *LEFT_OUT)]
        subprocess.run(["tar", "-cf", made, "-C", path, *excludes, "."], check=True)
        made.rename(result)


def _succeed(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stdout[-8000:]
