"""nfpm, the tool that writes deb and rpm: installed once from the lock into a directory of the build's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from preparation.engine import BUILD, ROOT, Report, Runner, Step, ensure
from preparation.steps import PYTHON, REACHABLE

LOCK = ROOT / "packaging/requirements/packages.txt"
TOOLS = BUILD / "packages/tools"
NFPM = TOOLS / "bin/nfpm"
FORMATS = ("deb", "rpm")


def install() -> None:
    step = Step("nfpm", lambda: (LOCK,), (NFPM,), _install, f"{REACHABLE} After a changed version: packaging/lock")
    ensure((step,), Report(quiet=True))


def _install(run: Runner) -> None:
    shutil.rmtree(TOOLS, ignore_errors=True)
    locked = ("--no-deps", "--require-hashes", "--only-binary=:all:")
    run(PYTHON, "-m", "pip", "install", *locked, "--target", TOOLS, "--requirement", LOCK, attempts=2)


def package(stage: Path, kind: str, target: Path, values: Mapping[str, str]) -> Path:
    """Write one package into the directory `target`; `values` are for the ${NAME}s of nfpm.yaml."""
    command = [str(NFPM), "package", "--config", "nfpm.yaml", "--packager", kind, "--target", str(target)]
    environment = {"PATH": os.environ["PATH"], "TZ": "UTC", **values}
    before = set(target.iterdir())
    ran = subprocess.run(command, cwd=stage, env=environment, capture_output=True, text=True, check=False)
    made = sorted(set(target.iterdir()) - before)
    if ran.returncode or len(made) != 1:
        raise SystemExit(f"build: nfpm could not make the {kind}:\n{ran.stdout}{ran.stderr}")
    return made[0]
