"""The main job with the executor from the installed package, on a Debian with its dependencies and a real Mesos."""

from __future__ import annotations

import json

import pytest

from tests.packages.conftest import Packages
from tests.packages.roots import DebianRoot
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(300)]

PYTHON = str(ROOT / ".build/venv/bin/python")
PROGRAM = "/usr/bin/mesos-pod-executor"


def test_the_demonstration_runs_the_installed_program(root: DebianRoot, packages: Packages) -> None:
    """The checkout is there for Mesos and for the one who tells the story; the executor comes from the package."""
    binds = {ROOT: str(ROOT), packages.deb.parent: "/tmp/packages"}
    root.run("apt-get", "install", "--yes", f"/tmp/packages/{packages.deb.name}", binds=binds)
    story = [PYTHON, "-m", "tests.support.demo", "--json", "--program", PROGRAM]
    node = [PYTHON, "-m", "tests.support.node", "--", *story]
    told = root.run("sh", "-c", 'cd "$0" && exec "$@"', str(ROOT), *node, binds=binds, timeout_s=240)
    shown = json.loads(told.rstrip("\n").rpartition("\n")[2])
    assert shown["pods"] == {"regular": 3, "revocable": 5}
    assert shown["regular_before"] == shown["regular_after"] != []
    assert shown["revocable_alive_after"] == 0
    assert not any(shown["leaks"].values())
