"""The steps after Debian's packages, in order: the venv, the project in it, containerd's stubs, Mesos."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from preparation.engine import BUILD, ROOT, Runner, Step, StepFailed

VENV = BUILD / "venv"
PYTHON = VENV / "bin/python"
API = ROOT / "executor/containerd/api"
MESOS = BUILD / "mesos"
RUNTIME = ROOT / "packaging/requirements/runtime.txt"
DEV = ROOT / "packaging/requirements/dev.txt"
HTTP_PARSER = ROOT / "packaging/http-parser"
MINIMUM = (3, 11)


def interpreter() -> str:
    """Debian's own python3 where it is new enough, since the packages for agents use it; else this one."""
    for candidate in ("/usr/bin/python3", sys.executable):
        check = [candidate, "-c", f"import sys; sys.exit(sys.version_info < {MINIMUM})"]
        if Path(candidate).exists() and subprocess.call(check) == 0:
            return candidate
    found = f"{sys.executable} is Python {sys.version.split()[0]}"
    raise StepFailed(["python3", "--version"], found, "install Python 3.11 or later and run this with it")


def venv_inputs() -> Sequence[Path | str]:
    """The venv's place counts, since its scripts name it, and the interpreter, since it links to it."""
    binary = Path(interpreter()).resolve()
    return (str(VENV), str(binary), f"{binary.stat().st_size} bytes", RUNTIME, DEV)


def make_venv(run: Runner) -> None:
    """From nothing, so that it holds what the lock says and nothing else.

    pymesos is published as source only; the locked setuptools builds it, so that nothing unlocked takes part.
    """
    shutil.rmtree(VENV, ignore_errors=True)
    run(interpreter(), "-m", "venv", VENV)
    locked = ("--require-hashes", "--only-binary=:all:")
    pip(run, *locked, "--requirement", DEV, attempts=2)
    source = ("--no-binary=pymesos", "--no-build-isolation", "--use-pep517")
    pip(run, *locked, *source, "--requirement", RUNTIME, attempts=2)


def install_http_parser(run: Runner) -> None:
    pip(run, "--no-build-isolation", "--no-index", "--force-reinstall", HTTP_PARSER)


def install_project(run: Runner) -> None:
    pip(run, "--no-build-isolation", "--no-index", "--editable", ROOT)
    run(PYTHON, "-m", "pip", "check")


def pip(run: Runner, *arguments: str | Path, attempts: int = 1) -> None:
    run(PYTHON, "-m", "pip", "install", "--no-deps", *arguments, attempts=attempts)


def generate_stubs(run: Runner) -> None:
    run(PYTHON, ROOT / "packaging/generate_stubs.py", "--output", API, attempts=2)


def build_mesos(run: Runner) -> None:
    run(PYTHON, "-m", "tests.support.mesos.build", "--output", MESOS, attempts=2)


REACHABLE = "Is the package registry reachable, and do pip's configuration or the proxy settings name it?"

STEPS = (
    Step("venv", venv_inputs, (PYTHON,), make_venv, f"{REACHABLE} After a changed dependency: packaging/lock"),
    Step(
        "http-parser",
        lambda: (HTTP_PARSER,),
        (),
        install_http_parser,
        "it is built from packaging/http-parser alone; look at what changed there",
        after="venv",
    ),
    Step(
        "project",
        lambda: (ROOT / "pyproject.toml",),
        (VENV / "bin/mesos-pod-executor",),
        install_project,
        "it is built from pyproject.toml; when `pip check` failed, packaging/lock makes the lock agree with it",
        after="venv",
    ),
    Step(
        "stubs",
        lambda: (ROOT / "packaging/generate_stubs.py",),
        (API / "__init__.py",),
        generate_stubs,
        "it downloads a Debian package: does `apt-get update` work?",
        after="venv",
    ),
    Step("mesos", lambda: (ROOT / "tests/support/mesos",), (MESOS / "bin/mesos-node",), build_mesos, REACHABLE),
)
