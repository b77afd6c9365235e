"""Every reader of foreign input, for a part of the time that the suite has; a finding fails with what replays it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fuzz.limits import within
from tests.fuzz.targets import TARGETS

KEPT = ROOT / ".build/fuzz/inputs"
"""Findings, and the corpora that grow from run to run."""
SHOWN = 4000

pytestmark = pytest.mark.timeout(0)


@pytest.fixture(scope="session")
def codes(seconds: float, request: pytest.FixtureRequest) -> dict[str, int]:
    """The exit code of each target's process; 0: nothing was found."""
    if request.config.getoption("--replay") is not None:
        pytest.skip("one input is read again")
    KEPT.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.process", "--seconds", f"{seconds:.1f}", "--directory", str(KEPT)]
    env = {**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{ROOT / 'packaging'}"}
    ended = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return {name: int(code) for name, code in map(str.split, ended.stdout.splitlines())}


@pytest.mark.parametrize("target", TARGETS)
def test_reader(target: str, codes: dict[str, int]) -> None:
    if codes[target] == 0:
        return
    text = (KEPT / f"{target}.log").read_text(errors="replace")
    traceback = text.partition("=== Uncaught Python exception: ===")[2] or text
    replay = "\n".join(f"    tests/run fuzz -- --replay {path}" for path in newest(target))
    pytest.fail(f"{target} ended with {codes[target]}\n{traceback[-SHOWN:]}\nto read it again:\n{replay}")


def newest(target: str) -> list[Path]:
    """Its last finding: libFuzzer names it by what has happened."""
    found = [path for kind in ("crash", "timeout", "oom") for path in KEPT.glob(f"{target}-{kind}-*")]
    return sorted(found, key=lambda path: path.stat().st_mtime)[-1:]


def test_replay(request: pytest.FixtureRequest) -> None:
    """Without instrumentation, so that a debugger sees what runs in production."""
    file: Path | None = request.config.getoption("--replay")
    if file is None:
        pytest.skip("no input was named")
    names = [name for name in TARGETS if file.name.startswith(f"{name}-") or file.parent.name == name]
    assert names, f"{file} is no finding: its name begins with its target, one of {', '.join(TARGETS)}"
    for name in names:
        within(TARGETS[name].read, file.read_bytes())
