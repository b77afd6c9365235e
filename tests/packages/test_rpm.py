"""The rpm, by dnf into a root of its own: installed, used, upgraded, erased without a trace.

The root is a Debian, for the programs that scriptlets and the package call; what rpm knows of it is one package of
stand-ins for the dependencies. So this says nothing about an Enterprise Linux userland beyond names of packages.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from executor import __version__
from tests.packages.conftest import NEXT_VERSION
from tests.packages.roots import DebianRoot

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

# What an operator wrote is never removed.
KEPT = {"etc/mesos-pod-executor", "etc/mesos-pod-executor/config.toml.rpmsave"}
# Directories that other packages own on the systems that have rpm; and mount's own.
OF_OTHERS = {
    "etc/dnf", "etc/dnf/vars", "run/mount", "usr/share/fish", "usr/share/fish/vendor_completions.d",
    "usr/share/licenses", "usr/share/zsh", "usr/share/zsh/site-functions",
}  # fmt: skip


@pytest.fixture
def dnf(root: DebianRoot, repository: Path) -> Dnf:
    return Dnf(root, repository)


class Dnf:
    def __init__(self, root: DebianRoot, repository: Path) -> None:
        self.root = root
        self.repository = repository

    def __call__(self, *arguments: str) -> str:
        """Raises AssertionError with all that it printed if it failed, or if a scriptlet did."""
        options = [f"--installroot={self.root.path}", "--releasever=9", "--assumeyes", "--nogpgcheck"]
        options += [f"--repofrompath=site,{self.repository}", "--repo=site", "--setopt=reposdir=/nowhere"]
        ran = subprocess.run(
            ["dnf", *options, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        assert (ran.returncode, "scriptlet failed" in ran.stdout) == (0, False), ran.stdout
        return ran.stdout


def test_from_the_repository_to_nothing(dnf: Dnf) -> None:
    root = dnf.root
    dnf("install", "system")
    before = root.files()
    dnf("install", f"mesos-pod-executor-{__version__}")
    assert root.run("mesos-pod-executor", "version") == f"mesos-pod-executor {__version__}\n"
    assert json.loads(root.run("mesos-pod-executor", "check-config", "--json"))["log"]["level"] == "info"
    assert "mesos-pod-executor-ps" in root.run("man", "mesos-pod-executor")
    verified = subprocess.run(
        ["rpm", "--root", str(root.path), "--verify", "mesos-pod-executor"], capture_output=True, text=True, check=False
    )
    assert (verified.stdout, verified.returncode) == ("", 0)
    configuration = root.path / "etc/mesos-pod-executor/config.toml"
    configuration.write_text(configuration.read_text().replace('#level = "info"', 'level = "debug"'))
    dnf("upgrade", "mesos-pod-executor")
    assert NEXT_VERSION in root.run("mesos-pod-executor", "version")
    assert json.loads(root.run("mesos-pod-executor", "check-config", "--json"))["log"]["level"] == "debug"
    (tree,) = (root.path / "opt/mesos-pod-executor/running").iterdir()
    assert tree.name.startswith(NEXT_VERSION)
    (root.path / "var/lib/mesos-pod-executor/cni").mkdir(parents=True)
    dnf("remove", "mesos-pod-executor")
    left = root.files() - before
    assert {name for name in left if "mesos" in name} == KEPT
    assert {name for name in left - KEPT if not (root.path / name).is_dir()} == set()
    assert left - KEPT - OF_OTHERS == set()
    assert before <= root.files()


def test_a_missing_dependency_is_told(dnf: Dnf) -> None:
    dnf("remove", "system")
    with pytest.raises(AssertionError, match=r"python\(abi\) >= 3\.11"):
        dnf("install", "--exclude=system", "mesos-pod-executor")
