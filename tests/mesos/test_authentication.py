"""A master that authenticates frameworks, and an agent that authenticates operators, over HTTP.

tests/lending/test_authentication.py has the lender on such an agent. Tokens of executors cannot be had here, for this
build of Mesos has no OpenSSL that makes them: tests/unit/mesos/test_driver.py has the executor's side.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.mesos.messages import scalar
from tests.support.rig import IMAGE, OPTIONS, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(120)]

PRINCIPAL, SECRET = "eng", "0123456789abcdef"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one"},
    "spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "app", "image": IMAGE, "command": ["sh", "-c", "echo $((6 * 7)); exit 7"]}],
    },
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The master lets its operators in without a credential, for the tests ask it."""
    directory = tmp_path_factory.mktemp("mesos")
    credentials = directory / "credentials.json"
    credentials.write_text(json.dumps({"credentials": [{"principal": PRINCIPAL, "secret": SECRET}]}))
    frameworks = {
        "MESOS_AUTHENTICATE_HTTP_FRAMEWORKS": "true",
        "MESOS_HTTP_FRAMEWORK_AUTHENTICATORS": "basic",
        "MESOS_CREDENTIALS": str(credentials),
    }
    agent = {
        "MESOS_AUTHENTICATE_HTTP_READONLY": "true",
        "MESOS_AUTHENTICATE_HTTP_READWRITE": "true",
        "MESOS_HTTP_CREDENTIALS": str(credentials),
        "MESOS_CREDENTIALS": str(credentials),  # the process of the agent has a master too, which nobody asks
    }
    with Rig(replace(OPTIONS, extra=agent), master_flags=frameworks) as node:
        yield node


def run(rig: Rig, directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    info = directory / "executor.json"
    resources = [scalar("cpus", 0.1), scalar("mem", 128), scalar("disk", 32)]
    info.write_text(json.dumps(rig.executor("run", resources=resources)))
    line = [*rig.program, "run", "-", "--master", rig.cluster.endpoint, "--executor-info", str(info), *options]
    environment = {**os.environ, **rig.environment()}
    return subprocess.run(
        line, env=environment, input=json.dumps(POD), capture_output=True, text=True, check=False, timeout=60
    )


def as_principal(directory: Path, secret: str) -> list[str]:
    file = directory / "secret"
    file.write_text(f"{secret}\n")
    return ["--principal", PRINCIPAL, "--secret-file", str(file)]


def test_run_with_a_principal_has_output_and_exit_code(rig: Rig, tmp_path: Path) -> None:
    """It also reads the files of an agent that wants a credential."""
    done = run(rig, tmp_path, *as_principal(tmp_path, SECRET))
    assert (done.returncode, done.stdout) == (7, "42\n"), done.stderr
    assert not any(rig.wait_clean().values())


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_without_the_right_secret_one_line_says_what_is_missing(rig: Rig, tmp_path: Path, secret: str) -> None:
    done = run(rig, tmp_path, *(as_principal(tmp_path, secret) if secret else ()))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "SUBSCRIBE was answered with HTTP 401" in line and "--principal and --secret-file" in line
