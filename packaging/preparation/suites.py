"""What `--with fuzz`, `soak`, `observability` and `packages` make: Python packages in a directory of their own.

The venv stays as the lock of the project says; the suite finds the directory in PYTHONPATH. The suite
`packages` runs Ansible out of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from preparation.engine import BUILD, ROOT, Runner, Step
from preparation.steps import PYTHON, REACHABLE

MODULES = {"fuzz": "atheris", "soak": "matplotlib", "observability": "opentelemetry"}
"""Suites, and the package that each one imports."""


def directory(suite: str) -> Path:
    """Where its packages are."""
    return BUILD / suite / "packages"


def lock(suite: str) -> Path:
    """What is installed there."""
    return ROOT / f"packaging/requirements/{suite}.txt"


def install(suite: str) -> Callable[[Runner], None]:
    """From the registry, by the lock."""

    def run(runner: Runner) -> None:
        shutil.rmtree(directory(suite), ignore_errors=True)
        locked = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile")
        where = ("--target", directory(suite), "--requirement", lock(suite))
        runner(PYTHON, "-m", "pip", "install", *locked, *where, attempts=2)

    return run


def inputs(suite: str) -> Callable[[], tuple[Path, ...]]:
    return lambda: (lock(suite),)


STEPS = {
    suite: (Step(suite, inputs(suite), (directory(suite) / module,), install(suite), REACHABLE),)
    for suite, module in MODULES.items()
}
STEPS["packages"] = (
    Step("ansible", inputs("ansible"), (directory("ansible") / "ansible",), install("ansible"), REACHABLE),
)
