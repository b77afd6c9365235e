"""What `--with containerd-VERSION` makes: that containerd from a newer Debian, in a directory of its own.

The binaries run on Debian 12 beside its runc: Go links them without libraries that are newer. Nothing is installed.
`tests/run SUITE --containerd VERSION` runs a suite against them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from preparation.engine import BUILD, Runner, Step, StepFailed

RELEASES = {"1.7": "trixie", "2.1": "forky"}
"""Versions of containerd, and the release of Debian that has each."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")


def directory(version: str) -> Path:
    """Where its programs are."""
    return BUILD / "containerd" / version / "bin"


def install(version: str) -> Callable[[Runner], None]:
    """Download Debian's package and unpack the programs."""

    def run(runner: Runner) -> None:
        top, release = directory(version).parent, RELEASES[version]
        shutil.rmtree(top, ignore_errors=True)
        for name in ("lists/partial", "cache/archives/partial", "unpacked", "bin"):
            (top / name).mkdir(parents=True)
        (top / "sources.list").write_text(f"deb [signed-by={KEYRING}] {archive()} {release} main\n")
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
        runner("env", "--chdir", top, *apt, "download", f"containerd/{release}", attempts=3)
        runner("dpkg-deb", "-x", next(top.glob("containerd_*.deb")), top / "unpacked")
        for name in PROGRAMS:
            shutil.move(top / "unpacked/usr/bin" / name, top / "bin" / name)
        for name in ("lists", "cache", "unpacked"):
            shutil.rmtree(top / name)

    return run


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
    f"containerd-{version}": (
        Step(
            f"containerd-{version}",
            lambda: (Path(__file__),),
            tuple(directory(version) / name for name in PROGRAMS),
            install(version),
            f"it downloads the package containerd of Debian {release}; is the archive of packages reachable?",
        ),
    )
    for version, release in RELEASES.items()
}
