"""Steps that run once per state of their inputs, and how their commands run, are logged and reported.

A step's stamp holds the digest of its inputs; it is removed, with the stamps of the steps that come after it, before
the step runs, and written after it succeeded. So a step that was interrupted, by whatever, starts again.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / ".build"
LOGS = BUILD / "log"
STAMPS = BUILD / "stamps"
TAIL_LINES = 25
SOURCE_DATE_EPOCH = "1577836800"  # 2020-01-01: what is built carries this instead of the time of day

# These would turn a private venv or an unattended installation into something else.
_UNWANTED = {
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
}


class StepFailed(Exception):
    """`command` failed; `output` is what it printed; `hint`, where it is not the step's own, is what to do."""

    def __init__(self, command: Sequence[str], output: str, hint: str = "") -> None:
        self.output = output
        self.hint = hint
        super().__init__(shlex.join(command))


class Runner:
    """Runs one step's commands; their output goes to a log file, of which a failure shows the end."""

    def __init__(self, log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def __call__(self, *command: str | Path, attempts: int = 1) -> None:
        """Raise StepFailed when the command failed `attempts` times (more than 1 for what uses the network)."""
        argv = [str(part) for part in command]
        for attempt in range(attempts):
            time.sleep(3 * attempt)
            output = self._run(argv)
            if output is None:
                return
        raise StepFailed(argv, output or "")

    def _run(self, argv: Sequence[str]) -> str | None:
        start = self.log.stat().st_size
        with self.log.open("a") as log:
            print(f"$ {shlex.join(argv)}", file=log, flush=True)
            code = subprocess.call(
                argv, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        if code == 0:
            return None
        with self.log.open(errors="replace") as log:
            log.seek(start)
            return f"{log.read().rstrip()}\n(exit code {code})"


def environment() -> dict[str, str]:
    """The caller's (proxies and registries are named in it), made fit for unattended and repeatable work."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    kept |= {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH}
    return kept | {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


@dataclass(frozen=True)
class Step:
    """`run` makes `outputs`, and makes them again whenever `inputs` (files, directories, plain texts) change.

    `after` names an earlier step; whenever that runs, this one does too. `hint` tells what to do about a failure.
    """

    name: str
    inputs: Callable[[], Sequence[Path | str]]
    outputs: tuple[Path, ...]
    run: Callable[[Runner], None]
    hint: str
    after: str = ""


class Report:
    """One line a step, on standard error: standard output is left to the caller."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def line(self, name: str, what: str, began_s: float) -> None:
        if not self.quiet or what != "up to date":
            took_s = time.monotonic() - began_s
            print(f"prepare: {name:<12} {what:<16} {took_s:6.2f} s", file=sys.stderr, flush=True)

    def failure(self, name: str, error: StepFailed, hint: str) -> None:
        tail = [f"    {line}" for line in error.output.rstrip().splitlines()[-TAIL_LINES:]]
        closing = [f"What to do: {error.hint or hint}", f"The whole output: {LOGS / name}.log"]
        print("\n".join([f"prepare: {name} failed: {error}", *tail, *closing]), file=sys.stderr, flush=True)


def attempt(name: str, hint: str, run: Callable[[Runner], None], report: Report) -> None:
    """Run a step, or report what failed and exit with 1."""
    try:
        run(Runner(LOGS / f"{name}.log"))
    except StepFailed as error:
        report.failure(name, error, hint)
        raise SystemExit(1) from None


def ensure(steps: Sequence[Step], report: Report, stamps: Path = STAMPS) -> None:
    """Run those steps whose inputs changed since they last succeeded, or whose outputs are gone."""
    stamps.mkdir(parents=True, exist_ok=True)
    for step in steps:
        began_s = time.monotonic()
        stamp = stamps / step.name
        state = digest(step.inputs())
        current = stamp.exists() and stamp.read_text() == state and all(path.exists() for path in step.outputs)
        if not current:
            for other in steps:
                if step.name in (other.name, other.after):
                    (stamps / other.name).unlink(missing_ok=True)
            attempt(step.name, step.hint, step.run, report)
            stamp.write_text(state)
        report.line(step.name, "up to date" if current else "done", began_s)


def digest(inputs: Sequence[Path | str]) -> str:
    """One digest of texts and of files' names and contents; a directory counts with every source file below it."""
    total = hashlib.sha256()
    for name, content in _contents(inputs):
        total.update(f" {len(name)} {name} {len(content)} ".encode() + content)
    return total.hexdigest()


def _contents(inputs: Sequence[Path | str]) -> Iterator[tuple[str, bytes]]:
    for item in inputs:
        if isinstance(item, str):
            yield item, b""
            continue
        for path in sorted(item.rglob("*")) if item.is_dir() else [item]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield os.path.relpath(path, ROOT), path.read_bytes()
