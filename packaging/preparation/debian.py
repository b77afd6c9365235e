"""Debian packages: only what is missing is installed, and none of the services among it is started."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from preparation.engine import ROOT, Report, Runner, StepFailed, attempt

LISTS = ROOT / "packaging/requirements"
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = (
    "#!/bin/sh\n# written by packaging/prepare for the time of one installation: no service starts\nexit 101\n"
)


def sets() -> list[str]:
    """The names that `--with` takes: SET for every packaging/requirements/debian-SET.txt."""
    return sorted(path.stem.removeprefix("debian-") for path in LISTS.glob("debian-*.txt"))


def ensure_packages(chosen: Sequence[str], report: Report) -> None:
    """dpkg is asked every time, without a stamp, since a package may have been removed since."""
    began_s = time.monotonic()
    missing = missing_packages(wanted_packages(chosen))
    if missing:
        hint = f"as root: apt-get update && apt-get install {' '.join(missing)}"
        attempt("packages", hint, lambda run: install(run, missing), report)
    report.line("packages", f"{len(missing)} installed" if missing else "up to date", began_s)


def wanted_packages(chosen: Sequence[str]) -> list[str]:
    names: set[str] = set()
    for one in ("base", *chosen):
        for line in (LISTS / f"debian-{one}.txt").read_text().splitlines():
            names.update(line.partition("#")[0].split())
    return sorted(names)


def missing_packages(wanted: Sequence[str]) -> list[str]:
    if not shutil.which("dpkg-query"):
        raise SystemExit(f"prepare: this is not a Debian; install what stands for these there: {' '.join(wanted)}")
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *wanted]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    present = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in present]


def install(run: Runner, names: Sequence[str]) -> None:
    elevate = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if elevate and not shutil.which("sudo"):
        raise StepFailed(["apt-get", "install", *names], "this user is not root, and there is no sudo")
    apt = [*elevate, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3"]
    run(*apt, "update", attempts=3)
    with no_services():
        run(*apt, "install", "--yes", "--no-install-recommends", *names, attempts=2)


@contextlib.contextmanager
def no_services() -> Iterator[None]:
    """Debian's own way to install a daemon without starting it. A policy that is there already stays in place."""
    ours = not POLICY.exists() or POLICY.read_text() == POLICY_TEXT  # left over from a run that was killed
    if not ours or os.geteuid() != 0:
        yield
        return
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
