"""The packages of this checkout, those of a copy of it elsewhere, and those of a next version; built once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from executor import __version__
from tests.packages.roots import DebianRoot, tarball
from tests.support.sources import ROOT, all_files

NEXT_VERSION = "99.0.0"
HOMEPAGE, PUBLISHER = "https://pods.example.org", "Operations <operations@example.org>"
"""Of the next version."""
NFPM = ROOT / ".build/packages/tools/bin/nfpm"


@dataclass(frozen=True)
class Packages:
    """What one build made."""

    directory: Path

    @property
    def deb(self) -> Path:
        return self._one("*.deb")

    @property
    def rpm(self) -> Path:
        return self._one("*.rpm")

    def _one(self, pattern: str) -> Path:
        (found,) = self.directory.glob(pattern)
        return found


@dataclass(frozen=True)
class Builds:
    """`here` as a user builds it; `again` the same sources elsewhere, with another umask and hash seed, later; `later`
    the next version.
    """

    here: Packages
    again: Packages
    later: Packages


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """All at once, and the roots' tarball beside them: compressing takes most of the time, on one core each. The copies
    are made before the first build, should somebody be at work on the checkout.
    """
    directory = tmp_path_factory.mktemp("builds")
    again, later = copy_checkout(directory / "again"), copy_checkout(directory / "later")
    module = later / "executor/__init__.py"
    module.write_text(module.read_text().replace(__version__, NEXT_VERSION))
    description = later / "packaging/nfpm.yaml"
    description.write_text(description.read_text().replace("compression: gzip", "compression: none"))  # saves seconds
    here = directory / "here"
    first = [str(ROOT / "packaging/build"), "--output", str(here)]
    with (
        subprocess.Popen(first, stdout=subprocess.DEVNULL) as one,
        start_build(again, umask=0o077, PYTHONHASHSEED="42") as two,
        start_build(later, "--homepage", HOMEPAGE, "--maintainer", PUBLISHER) as three,
    ):
        tarball()
        assert [one.wait(), two.wait(), three.wait()] == [0, 0, 0]
    return Builds(Packages(here), Packages(again / "dist"), Packages(later / "dist"))


@pytest.fixture(scope="session")
def repository(builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a site would have one: both versions, and whatever the system has."""
    directory = tmp_path_factory.mktemp("repository")
    for packages in (builds.here, builds.later):
        shutil.copy(packages.rpm, directory)
    depends = yaml.safe_load((ROOT / "packaging/nfpm.yaml").read_text())["overrides"]["rpm"]["depends"]
    stand_in = {
        "name": "system",
        "arch": "noarch",
        "version": "1",
        "maintainer": "tests",
        "description": "stand-ins",
        "provides": ["/bin/sh", *(re.sub(r" >= (.*)", r" = \1", line) for line in depends)],
    }
    (directory / "nfpm.yaml").write_text(yaml.safe_dump(stand_in))
    command = [str(NFPM), "package", "--packager", "rpm"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    subprocess.run(["createrepo_c", "--quiet", str(directory)], check=True)
    return directory


@pytest.fixture(scope="session")
def packages(builds: Builds) -> Packages:
    return builds.here


def copy_checkout(target: Path) -> Path:
    """The copy shares .build, and with it the venv."""
    for source in all_files():
        path = target / source.relative_to(ROOT)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    (target / ".build").symlink_to(ROOT / ".build")
    return target


def start_build(checkout: Path, *options: str, umask: int = 0o022, **variables: str) -> subprocess.Popen[bytes]:
    """What packaging/build starts, without the preparation, which would begin anew for a checkout in another place."""
    path = f"{checkout / 'packaging'}:{checkout}"  # before the venv's own pointer to the real checkout
    command = [str(ROOT / ".build/venv/bin/python"), "-m", "assembly", "--output", "dist", *options]
    environment = {**os.environ, **variables, "PYTHONPATH": path}
    return subprocess.Popen(command, cwd=checkout, env=environment, umask=umask, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def root() -> Iterator[DebianRoot]:
    with DebianRoot() as made:
        yield made
