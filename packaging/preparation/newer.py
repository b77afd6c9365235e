"""What `--with containerd-VERSION`, `cni-VERSION` and `runtime-NAME` make: programs of a newer Debian, unpacked.

They run on Debian 12 beside its own, and nothing is installed. `tests/run SUITE` runs against them with --containerd,
--cni and --runtime.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from preparation.engine import BUILD, Runner, Step, StepFailed

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Part:
    """A Debian package, the release that has it, and which of its programs are taken from which directory."""

    package: str
    release: str
    source: str
    programs: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    """Packages of the libraries that the programs are bound to, where the host's are too old, libc6 among them."""


_CONTAINERD = ("usr/bin", ("containerd", "containerd-shim-runc-v2", "ctr"))
_CNI_PLUGINS = (
    *("bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback"),
    *("macvlan", "portmap", "ptp", "sbr", "static", "tap", "tuning", "vlan", "vrf"),
)
PARTS = {
    "containerd": {
        "1.7": Part("containerd", "trixie", *_CONTAINERD),
        "2.1": Part("containerd", "forky", *_CONTAINERD),
    },
    "cni": {"1.9": Part("containernetworking-plugins", "forky", "usr/lib/cni", _CNI_PLUGINS)},
    "runtime": {
        "runc-1.3": Part("runc", "forky", "usr/sbin", ("runc",), ("libc6", "libseccomp2")),
        "crun": Part(
            "crun", "trixie", "usr/bin", ("crun",), ("libc6", "libcap2", "libseccomp2", "libsystemd0", "libyajl2")
        ),
    },
}
"""By kind and version."""


def directory(kind: str, version: str) -> Path:
    """Where its programs are."""
    return BUILD / kind / version / "bin"


def install(kind: str, version: str) -> Callable[[Runner], None]:
    """Download Debian's package and unpack the programs."""

    def run(runner: Runner) -> None:
        top, part = directory(kind, version).parent, PARTS[kind][version]
        shutil.rmtree(top, ignore_errors=True)
        for name in ("lists/partial", "cache/archives/partial", "unpacked", "bin"):
            (top / name).mkdir(parents=True)
        (top / "sources.list").write_text(f"deb [signed-by={KEYRING}] {archive()} {part.release} main\n")
        options = {
            "Dir::Etc::sourcelist": top / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": top / "lists",
            "Dir::Cache": top / "cache",
            "APT::Sandbox::User": "root",
            # The list of a release in preparation is valid for a week, and a mirror may be older.
            "Acquire::Check-Valid-Until": "false",
        }
        apt = ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
        runner(*apt, "update", attempts=3)
        wanted = [f"{name}/{part.release}" for name in (part.package, *part.libraries)]
        runner("env", "--chdir", top, *apt, "download", *wanted, attempts=3)
        for package in top.glob("*.deb"):
            runner("dpkg-deb", "-x", package, top / "unpacked")
        for name in part.programs:
            shutil.move(top / "unpacked" / part.source / name, top / "bin" / name)
        if part.libraries:
            bind(runner, top, [top / "bin" / name for name in part.programs])
        for name in ("lists", "cache", "unpacked"):
            shutil.rmtree(top / name)

    return run


def bind(runner: Runner, top: Path, programs: Sequence[Path]) -> None:
    """The programs find the libraries that are unpacked beside them, and so does what they start of themselves."""
    libraries = top / "lib"
    libraries.mkdir()
    for library in (top / "unpacked").rglob("*.so.*"):
        if library.resolve().parent == library.parent:  # not the links that lead to the loader's usual place
            shutil.move(library, libraries / library.name)
    loader = next(libraries.glob("ld-linux-*.so.*"))
    for program in programs:
        runner("patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, program)


def archive() -> str:
    """The address of the Debian archive that this machine uses, for the packages of another release."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL) $(CODENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split() for line in listed.stdout.splitlines()]
    found = [words[0] for words in lines if words[1:3] == ["Debian", "Debian"] and "-" not in words[3]]
    if not found:
        raise StepFailed(["apt-get", "indextargets"], f"no archive of Debian among apt's sources\n{listed.stderr}")
    return found[0]


STEPS = {
    f"{kind}-{version}": (
        Step(
            f"{kind}-{version}",
            lambda: (Path(__file__),),
            tuple(directory(kind, version) / name for name in part.programs),
            install(kind, version),
            f"it downloads the package {part.package} of Debian {part.release}; is the archive of packages reachable?",
        ),
    )
    for kind, versions in PARTS.items()
    for version, part in versions.items()
}
