"""The deb on newer releases of Debian, whose Python is another one: installed, used, upgraded, purged."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from executor import __version__
from tests.packages.conftest import NEXT_VERSION, Builds
from tests.packages.roots import DebianRoot
from tests.packages.test_deb import IN_USE, OPT, POD, apt_install, shared, trees

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]

ALL = "MPE_TEST_ALL_RELEASES"
NEEDS_ALL = pytest.mark.skipif(not os.environ.get(ALL), reason=f"takes minutes more: set {ALL}=1")
RELEASES = ["trixie", pytest.param("forky", marks=NEEDS_ALL)]
"""Of Debian after 12: 13, and the one after it."""
TAG = "import sys; print(sys.implementation.cache_tag)"


@pytest.fixture(scope="module", params=RELEASES)
def root(request: pytest.FixtureRequest) -> Iterator[DebianRoot]:
    with DebianRoot(request.param) as made:
        yield made


def test_from_installation_to_purge(root: DebianRoot, builds: Builds) -> None:
    before = root.files()
    apt_install(root, builds.here.deb)
    tag = root.run("/usr/lib/mesos-pod-executor/python", "-c", TAG).strip()
    assert tag != "cpython-311"
    (old,) = trees(root)
    compiled = list((root.path / OPT.lstrip("/") / "running").rglob("*.pyc"))
    assert len(compiled) > 500 and all(path.name.endswith(f".{tag}.pyc") for path in compiled)
    assert root.run("mesos-pod-executor", "version") == f"mesos-pod-executor {__version__}\n"
    assert json.loads(root.run("mesos-pod-executor", "check-config", "--json"))["log"]["level"] == "info"
    assert json.loads(root.run("sh", "-c", "mesos-pod-executor doctor --json; true"))["checks"]
    command = root.command("mesos-pod-executor", "validate", "--json", "-")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            root.run("sh", "-c", IN_USE, "sh", f"{OPT}/running/{old}")
            root.run("dpkg", "--install", f"/tmp/packages/{builds.later.deb.name}", binds=shared(builds.later.deb))
            assert NEXT_VERSION in root.run("mesos-pod-executor", "version") and len(trees(root)) == 2
            answer, _ = running.communicate(json.dumps(POD), timeout=60)
        finally:
            running.kill()
    assert (running.returncode, json.loads(answer)["ok"]) == (0, True), answer
    root.run("dpkg", "--purge", "mesos-pod-executor")
    assert sorted(name for name in root.files() - before if "mesos" in name) == []
