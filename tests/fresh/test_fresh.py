"""The two commands on a Debian that has nothing but Python, in the order in which a newcomer would meet them.

With MPE_TEST_ALL_RELEASES also on Debian 13, with its Python, containerd and runc; the kernel and its cgroups are those
of this machine. tests/run vm has the kernel of Debian 13, systemd and cgroup v2.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.fresh import SUITE, FreshRoot
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.timeout(1800)]

# Enough of the real parts to see that what was installed works: containerd and runc, cgroups, CNI plugins, Mesos.
SHORT = (
    *("tests/integration/containerd", "tests/integration/cgroups", "tests/integration/cni"),
    *("tests/mesos/test_executor.py", "tests/mesos/test_pods.py", "tests/mesos/test_driver.py"),
)
SHORT_S = 900.0


ALL = "MPE_TEST_ALL_RELEASES"
NEEDS_ALL = pytest.mark.skipif(not os.environ.get(ALL), reason=f"takes minutes more: set {ALL}=1")


@pytest.fixture(scope="module", params=[SUITE, pytest.param("trixie", marks=NEEDS_ALL)])
def root(request: pytest.FixtureRequest) -> Iterator[FreshRoot]:
    with FreshRoot(request.param) as made:
        yield made


def succeeded(result: subprocess.CompletedProcess[str]) -> str:
    """What it printed, which is also what a failure of this test shows."""
    assert result.returncode == 0, f"exit code {result.returncode}:\n{result.stdout[-8000:]}"
    return result.stdout


def last_line(output: str) -> str:
    return output.rstrip("\n").rpartition("\n")[2]


def test_there_is_nothing_but_python(root: FreshRoot) -> None:
    result = root.run("sh", "-c", "command -v pip containerd runc g++ sudo git", timeout_s=30)
    assert (result.returncode != 0, result.stdout) == (True, "")


def test_prepare_from_nothing(root: FreshRoot) -> None:
    output = succeeded(root.run("packaging/prepare", timeout_s=900))
    assert "failed" not in output
    assert (root.path / "srv/mesos-pod-executor/.build/mesos/bin/mesos-node").exists()


def test_prepare_again_has_nothing_to_do(root: FreshRoot) -> None:
    assert succeeded(root.run("packaging/prepare", "--quiet", timeout_s=60)) == ""


def test_no_service_was_started_or_is_kept_from_starting(root: FreshRoot) -> None:
    assert not (root.path / "usr/sbin/policy-rc.d").exists()


def test_the_unit_tests(root: FreshRoot) -> None:
    output = succeeded(root.run("tests/run", "unit", timeout_s=900))
    assert re.fullmatch(r"[1-9]\d* passed, 0 failed, \d+ skipped", last_line(output))


def test_some_of_the_integration_tests(root: FreshRoot) -> None:
    chosen = [path for path in SHORT if (ROOT / path).exists()]
    output = succeeded(root.run("tests/run", "integration", "--", *chosen, timeout_s=SHORT_S))
    assert re.fullmatch(r"[1-9]\d* passed, 0 failed, \d+ skipped", last_line(output))


def test_the_demonstration(root: FreshRoot) -> None:
    shown = json.loads(last_line(succeeded(root.run("packaging/demo", "--json", timeout_s=600))))
    assert shown["mesos_version"] == "1.11.0"
    assert shown["revocable_alive_after"] == 0
    assert shown["regular_before"]
    assert shown["regular_after"] == shown["regular_before"]
    assert not any(shown["leaks"].values())
    lending = shown["lending"]
    assert lending["asked"] == 2 and lending["freed_ms"] < lending["first_instruction_ms"]
    assert lending["regular_after"] == lending["regular_before"] and lending["kept_after"] == lending["kept_before"]
    assert not any(lending["leaks"].values())
