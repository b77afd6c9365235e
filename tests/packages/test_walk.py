"""A node's life with the package: installed, examined, used by the real Mesos, looked at, removed without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor import __version__
from tests.packages.conftest import Packages
from tests.packages.roots import DebianRoot
from tests.packages.test_rpm import KEPT, OF_OTHERS
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(300)]

PYTHON = str(ROOT / ".build/venv/bin/python")
INSTALL = {
    "deb": "apt-get --quiet install --yes /tmp/packages/*.deb",
    # Debian's rpm has to be told that it is meant; the dependencies are those of the stand-in.
    "rpm": f"cd /tmp/packages && rpm --install --force-debian system-*.rpm mesos-pod-executor-{__version__}-*.rpm",
}
REMOVE = {
    "deb": "dpkg --purge mesos-pod-executor",
    "rpm": "rpm --erase --force-debian mesos-pod-executor",
}
RUNNING = [('class="regular"', 1.0), ('class="revocable"', 1.0)]


@pytest.mark.parametrize("kind", INSTALL)
def test_from_installation_to_removal(root: DebianRoot, packages: Packages, repository: Path, kind: str) -> None:
    """The checkout is there for Mesos and for the one who walks; the executor and the commands are the package's."""
    walk = [PYTHON, "-m", "tests.packages.walk", INSTALL[kind], REMOVE[kind]]
    node = [PYTHON, "-m", "tests.support.node", "--", *walk]
    binds = {ROOT: str(ROOT), packages.directory if kind == "deb" else repository: "/tmp/packages"}
    ran = root.run("sh", "-c", 'cd "$0" && exec "$@"', str(ROOT), *node, binds=binds, timeout_s=240)
    told = json.loads(ran.rstrip("\n").rpartition("\n")[2])
    assert [check for check, verdict in told["doctor"].items() if verdict == "fail"] == [], told["doctor"]
    assert told["demo"] == [], ran
    assert told["logs"] == "as installed\n"
    assert told["codes"].count("pod.running") == told["log"] == 2
    assert [(key.partition("{")[2].split(",")[0], value) for key, value in told["pods"].items()] == RUNNING
    assert told["left_by_the_dead"] > 0
    assert told["removal"] == ""
    if kind == "rpm":
        told["left"]["files"] = sorted(set(told["left"]["files"]) - KEPT - OF_OTHERS)
    left = {what: names for what, names in told["left"].items() if names}
    assert left == {}, json.dumps(left, indent=1)
    assert {what: names for what, names in told["missing"].items() if names} == {}
