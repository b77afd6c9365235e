"""A new Debian with nothing but Python, to prove that the project's own files install everything that it needs.

    python -m tests.support.fresh [COMMAND...]     run a command (default: a shell) in a new one, as root

A root directory is unpacked from a tarball that mmdebstrap made once (.build/fresh), the checkout is copied in without
what was built in it, and commands run there in mount and process namespaces of their own; the network is the machine's,
since the package registries have to be reached. How to reach them (apt's sources and proxies, pip's settings,
certificates, name servers) is taken over from this machine, what it keeps of packages is not, except for downloads that
fresh roots themselves made before. Nothing stays but the tarball and those downloads.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.sources import GENERATED, ROOT, all_files

SUITE = "bookworm"
PACKAGES = ("python3", "ca-certificates")
UNRELEASED = "forky"
"""It has no archive of security updates yet."""
SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
STORE = ROOT / ".build/fresh"
CHECKOUT = "/srv/mesos-pod-executor"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# pip's settings that tell how to reach a registry; a path or file: URL is this machine's own store and stays out.
PIP_SETTINGS = {"index-url", "extra-index-url", "trusted-host", "proxy", "cert", "client-cert", "timeout", "retries"}
ENVIRONMENT = {"http_proxy", "https_proxy", "no_proxy", "all_proxy", "ci", "term", "mpe_test_budget_s"}

# Shared downloads: directory below STORE, and where it is in the root.
CACHES = {"pip": "root/.cache/pip", "apt": "var/cache/apt/archives"}

# Arguments: root, store, directory, command. The root is pivoted to, since runc pivots too, which a chroot may refuse.
ENTER = """
set -e
root=$1 store=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 run "$root/run"
mount --bind "$store/pip" "$root/root/.cache/pip"
mount --bind "$store/apt" "$root/var/cache/apt/archives"
cd "$root"
pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt; cd "$0"; exec "$@"' "$@"
"""


class FreshRoot:
    """Context manager; `run` may be called several times and each call finds what the ones before it left."""

    def __init__(self, release: str = SUITE) -> None:
        self.release = release

    def __enter__(self) -> Self:
        for name in CACHES:
            (STORE / name).mkdir(parents=True, exist_ok=True)
        for old in STORE.glob("root-*"):
            if not Path("/proc", old.name.rpartition("-")[2]).exists():
                remove(old)
        self.path = STORE / f"root-{os.getpid()}"
        self.path.mkdir()
        try:
            subprocess.run(["tar", "-xf", str(tarball(self.release)), "-C", str(self.path)], check=True)
            connect(self.path)
            for below in CACHES.values():
                (self.path / below).mkdir(parents=True, exist_ok=True)
            copy_checkout(self.path)
        except BaseException:
            remove(self.path)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove(self.path)

    def run(self, *command: str, timeout_s: float, capture: bool = True) -> subprocess.CompletedProcess[str]:
        """In the checkout; standard error is part of `stdout`. Everything that the command started ends with it."""
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        script = ["sh", "-c", ENTER, "sh", str(self.path), str(STORE), CHECKOUT, *command]
        stdin, output = (subprocess.DEVNULL, subprocess.PIPE) if capture else (None, None)
        return subprocess.run(
            [*unshare, *script],
            env=environment(),
            timeout=timeout_s,
            check=False,
            text=True,
            errors="replace",
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT if capture else None,
        )


def connect(root: Path) -> None:
    """How to reach the registries, as on this machine."""
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copyfile("/etc/hosts", root / "etc/hosts")
    if CERTIFICATES.exists():
        shutil.copyfile(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    lines = [f"{name} = {value}\n" for name, value in pip_settings().items()]
    (root / "etc/pip.conf").write_text("".join(["[global]\n", *lines]))


def copy_checkout(root: Path) -> None:
    """To CHECKOUT, without what was built in it."""
    for source in all_files():
        if GENERATED not in source.parents:
            target = root / CHECKOUT.lstrip("/") / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def environment() -> dict[str, str]:
    """A login's, and what the machine sets about proxies."""
    kept = {name: value for name, value in os.environ.items() if name.lower() in ENVIRONMENT}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", **kept}


def pip_settings() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    settings = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2].removeprefix("default-")
        words = str(ast.literal_eval(value)).split()
        remote = [word for word in words if "cert" in name or not word.startswith(("/", "file:"))]
        if name in PIP_SETTINGS and remote:
            settings[name] = " ".join(remote)
    return settings


def tarball(release: str = SUITE) -> Path:
    """Made by mmdebstrap unless there is one for the same sources and packages."""
    texts = [release, *PACKAGES, apt_settings(), *sources(release)]
    result = STORE / f"{release}-{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()[:12]}.tar"
    if result.exists():
        return result
    with tempfile.TemporaryDirectory(dir=STORE, prefix="making-") as scratch:
        settings = Path(scratch, "apt.conf")
        settings.write_text(apt_settings())
        made = Path(scratch, "root.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={','.join(PACKAGES)}"]
        command += [f"--aptopt={settings}", release, str(made), *sources(release)]
        subprocess.run(command, check=True, env=environment())
        made.rename(result)
    return result


def sources(release: str) -> list[str]:
    """Lines of sources.list: the archives of Debian that this machine uses, for that release. Without any, mmdebstrap
    has a default.
    """
    own = "\n".join(path.read_text() for path in map(Path, SOURCES) if path.exists())
    found = re.findall(r"^(?:URIs:|deb(?: \[[^]]*\])?) (https?://\S*/debian(?:-security)?)/?(?: |$)", own, re.MULTILINE)
    options = [f"signed-by={KEYRING}"] if Path(KEYRING).exists() else []
    if release == UNRELEASED:
        options.append("check-valid-until=no")  # its lists are valid for a week, and a mirror may be older
    start = f"deb [{' '.join(options)}]" if options else "deb"
    lines = []
    for archive in dict.fromkeys(found):
        if not archive.endswith("-security"):
            lines.append(f"{start} {archive} {release} main")
        elif release != UNRELEASED:
            lines.append(f"{start} {archive} {release}-security main")
    return lines


def apt_settings() -> str:
    """How this machine's apt reaches its sources: proxies, retries, checks of dates."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], check=True, capture_output=True, text=True).stdout
    left_out = ("Acquire::IndexTargets", "Acquire::CompressionTypes", "Acquire::Changelogs")
    lines = [line for line in dump.splitlines() if not line.startswith(left_out) and not line.endswith(' "";')]
    return "".join(f"{line}\n" for line in lines)


def remove(path: Path) -> None:
    """Never across a mount, should one have been left there."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if below := [mount for mount in mounted if mount.startswith(str(path))]:
        raise RuntimeError(f"{path} is not removed, since there are mounts in it: {below}")
    subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=True)


def main(command: Sequence[str]) -> int:
    with FreshRoot() as root:
        return root.run(*(command or ("/bin/bash", "-l")), timeout_s=24 * 3600.0, capture=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
