"""What dnf would install beside the rpm on Enterprise Linux 9 and 10, from what these systems have.

Their packages are stand-ins with the names, versions and provides of the real ones; nothing is installed. Sources:
RHEL 9, Installing and using dynamic programming languages, table 1.1; RHEL 10, Considerations in adopting, chapter 5
(containernetworking-plugins and runc are removed); the spec file of Docker's containerd.io.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.packages.conftest import NFPM, Packages

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]


class Stub(NamedTuple):
    name: str
    version: str
    provides: tuple[str, ...] = ()


def python(version: str, name: str = "") -> Stub:
    return Stub(name or f"python{version}", f"{version}.9", (f"python(abi) = {version}",))


CONTAINERD = Stub("containerd.io", "2.1.5", ("containerd = 2.1.5", "runc = 1.3.3"))
SYSTEM = Stub("system", "1", ("/bin/sh", "libstdc++ = 11", "coreutils = 8.32", "sed = 4.8", "util-linux = 2.37"))
COMMON = (CONTAINERD, SYSTEM, Stub("dnsmasq", "2.85"))
SYSTEMS = {
    "9": (
        *(python("3.9", "python3"), python("3.11"), python("3.12")),
        *(Stub("glibc", "2.34"), Stub("containernetworking-plugins", "1.5.1"), *COMMON),
    ),
    "10": (python("3.12", "python3"), Stub("glibc", "2.39"), *COMMON),
}
"""By release: the system's own Python is `python3`."""


def repository(directory: Path, stubs: tuple[Stub, ...], rpm: Path) -> Path:
    directory.mkdir()
    shutil.copy(rpm, directory)
    for stub in stubs:
        document = {
            "name": stub.name,
            "version": stub.version,
            "provides": list(stub.provides),
            "arch": "noarch",
            "maintainer": "tests",
            "description": "a stand-in",
        }
        (directory / "nfpm.yaml").write_text(yaml.safe_dump(document))
        command = [str(NFPM), "package", "--packager", "rpm"]
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
    subprocess.run(["createrepo_c", "--quiet", str(directory)], check=True)
    return directory


def transaction(root: Path, site: Path, release: str, *options: str) -> set[str]:
    """The names of the packages that dnf would install. Raises AssertionError with its words where it cannot."""
    command = ["dnf", f"--installroot={root}", f"--releasever={release}", "--assumeno", "--nogpgcheck", *options]
    command += [f"--repofrompath=site,{site}", "--repo=site", "--setopt=reposdir=/nowhere"]
    ran = subprocess.run([*command, "install", "mesos-pod-executor"], capture_output=True, text=True, check=False)
    assert "Operation aborted" in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    return set(re.findall(r"^ (\S+) +(?:x86_64|noarch) ", ran.stdout, re.MULTILINE))


@pytest.mark.parametrize("release", SYSTEMS)
def test_dnf_finds_what_the_rpm_needs(release: str, packages: Packages, tmp_path: Path) -> None:
    site = repository(tmp_path / "site", SYSTEMS[release], packages.rpm)
    found = transaction(tmp_path / "root", site, release)
    assert {"mesos-pod-executor", "containerd.io", "dnsmasq", "glibc"} <= found
    pythons = {name for name in found if name.startswith("python")}
    assert pythons and pythons <= ({"python3"} if release == "10" else {"python3.11", "python3.12"})
    assert ("containernetworking-plugins" in found) is (release == "9")


def test_python_3_9_alone_is_too_old(packages: Packages, tmp_path: Path) -> None:
    stubs = tuple(stub for stub in SYSTEMS["9"] if stub.name not in ("python3.11", "python3.12"))
    site = repository(tmp_path / "site", stubs, packages.rpm)
    with pytest.raises(AssertionError, match=r"nothing provides python\(abi\) >= 3\.11"):
        transaction(tmp_path / "root", site, "9")
