"""tests/run [SUITE]... [--containerd VERSION] [--cni VERSION] [--runtime NAME] [OPTION...] [-- PYTEST-ARGUMENT...]

Prepares the checkout (packaging/prepare), runs the suites with pytest in its venv, and ends with one line
`N passed, N failed, N skipped`, the sums over the suites, whatever happens. The exit code is 0 if nothing failed and
something passed. Without a SUITE: all that fit into CI, within a budget of time (MPE_TEST_BUDGET_S seconds); up to five
failed tests of a suite run once more at the end, and one that passes then is named as "unsteady". Paths below tests/
among the arguments for pytest choose from the suites that they are of.

All but the suite `unit` need root, and most run in network, mount and process namespaces of their own, which end with
whatever was started in them. --containerd, --cni (the network plugins) and --runtime (in the place of runc, by the same
name) run the suites with programs of a newer Debian, which `packaging/prepare --with containerd-VERSION` and the like
download. --release is the Debian of the machine of the suite vm. --minutes is for fuzz and soak, which take as long as
one wants. --quick and --json are for bench, and for lending, where they run the proof with a real Spark in the place of
the tests; with --json standard output is the line of JSON and everything else goes to standard error. Standard library
only: this part runs before the venv exists.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from tests.support import newer, suites
from tests.support.outcome import Outcome, of_lines, of_targets
from tests.support.stoppable import Ended, run, stop
from tests.support.suites import ROOT, Suite

PYTHON = ROOT / ".build/venv/bin/python"
BUDGET_S = 4500.0  # of the 90 minutes that the project's continuous integration has
ADDRESS_SPACE_BYTES = 8 << 30  # of a process outside of a sandbox: one that runs away does not take the machine along
MACHINE_TIMEOUT_S = 900  # of a test on an emulated machine
RERUN_AT_MOST = 5  # failed tests of a suite; more of them are no matter of a busy machine
NO_TESTS = 5  # pytest's exit codes: 0 all passed, 1 some failed, 5 none found
REPORTED = (0, 1, NO_TESTS)
MACHINES = ("trixie", "bookworm")
OUTCOME = "MPE_TEST_OUTCOME"
"""A variable that names a file for the counts, which one run of this program gives another."""


@dataclass(frozen=True)
class Options:
    """What the command line said. `named`: the suites were; `pytest`: arguments handed on."""

    suites: tuple[Suite, ...]
    named: bool
    quick: bool
    json: bool
    pytest: tuple[str, ...]
    newer: tuple[tuple[str, str], ...] = ()
    """Kinds of programs, and the version of each; those that are not named are the installed ones."""
    minutes: float | None = None
    """For the suites that take any time; None: each one's default."""
    release: str = MACHINES[0]
    """Of Debian, on the machine of the suite vm."""

    def measures(self, suite: Suite) -> bool:
        """Whether the suite's program runs, in the place of its tests."""
        return suite.name == suites.BENCH or (self.named and bool(suite.program) and (self.quick or self.json))

    @property
    def out(self) -> TextIO:
        return sys.stderr if self.json else sys.stdout


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    total, results = Outcome(), list[str]()
    try:
        run_all(options, total, results)
    except KeyboardInterrupt:
        total.count("tests/run", "failed", "interrupted")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        close(options, total, results)
    return 0 if total.ok else 1


def close(options: Options, total: Outcome, results: Sequence[str]) -> None:
    for note in sorted(total.notes, key=severity):
        print(note, file=options.out)
    if total.passed + total.failed == 0:
        print("no test ran", file=options.out)
    print(total, file=options.out, flush=True)
    if outcome := os.environ.get(OUTCOME):
        Path(outcome).write_text(json.dumps(asdict(total)))
    if options.json:
        print(*results, sep="\n", flush=True)


def severity(note: str) -> int:
    """The failures are the last lines, so that a log that is cut at its front still has them."""
    return ("skipped", "unsteady", "failed").index(note.partition(":")[0])


def parse(arguments: Sequence[str]) -> Options:
    known = suites.known()
    cut = list(arguments).index("--") if "--" in arguments else len(arguments)
    usage, _, description = (__doc__ or "").partition("\n\n")
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="tests/run", usage=usage, description=description, formatter_class=form)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="bench, lending: fewer rounds")
    parser.add_argument("--json", action="store_true", help="bench, lending: end with one line of JSON")
    for kind, versions in newer.OPTIONS.items():
        parser.add_argument(f"--{kind}", default="", choices=versions, help="of a newer Debian: %(choices)s")
    parser.add_argument("--release", choices=MACHINES, help=f"vm: Debian of the machine: %(choices)s ({MACHINES[0]})")
    parser.add_argument("--minutes", type=float, help="fuzz, soak: how long each of them runs")
    found = parser.parse_args(arguments[:cut])
    if unknown := [name for name in found.suites if name not in known]:
        parser.error(f"there is no suite {', '.join(unknown)}; there are {', '.join(known)}")
    measuring = [name for name, suite in known.items() if suite.program]
    if (found.quick or found.json) and not (len(found.suites) == 1 and found.suites[0] in measuring):
        parser.error(f"--quick and --json go with one of the suites {', '.join(measuring)} alone")
    if found.release and not any(known[name].machine for name in found.suites):
        parser.error("--release goes with the suite vm")
    if found.minutes is not None and not any(known[name].minutes for name in found.suites):
        parser.error("--minutes goes with a suite that takes as long as one wants: fuzz, soak")
    chosen = tuple(known[name] for name in dict.fromkeys(found.suites)) or tuple(suites.default())
    chosen_programs = tuple((kind, version) for kind in newer.OPTIONS if (version := getattr(found, kind)))
    own = (found.quick or not found.suites, found.json, tuple(arguments[cut + 1 :]), chosen_programs, found.minutes)
    return Options(chosen, bool(found.suites), *own, release=found.release or MACHINES[0])


def run_all(options: Options, total: Outcome, results: list[str]) -> None:
    """Prepare, then each suite; `total` and `results` (the benchmarks' JSON) hold at any time what is known so far."""
    if os.geteuid() != 0 and any(suite.name != "unit" for suite in options.suites):
        total.count("tests/run", "failed", "every suite but unit needs root")
        return
    deadline_s = time.monotonic() + float(os.environ.get("MPE_TEST_BUDGET_S", BUDGET_S))
    with tempfile.TemporaryDirectory(prefix="mpe-tests-") as scratch:
        chosen = [suite.sets(measured=options.named and options.measures(suite)) for suite in options.suites]
        sets = [f"--with={name}" for names in chosen for name in names]
        sets += [f"--with={kind}-{version}" for kind, version in options.newer]
        prepared = run([str(ROOT / "packaging/prepare"), "--quiet", *sets], env=os.environ, deadline_s=deadline_s)
        if prepared.code != 0:
            total.count("packaging/prepare", "failed", prepared.why or "see above")
            return
        newer.place(options.newer, Path(scratch))
        run_suites(options, Path(scratch), deadline_s, total, results)


def run_suites(options: Options, scratch: Path, deadline_s: float, total: Outcome, results: list[str]) -> None:
    """One after the other; in a whole run some of them at the same time, and failed tests once more at the end."""
    beside = [suite for suite in options.suites if suite.beside and not options.named]
    failed = dict[Suite, list[str]]()
    for suite in options.suites:
        if suite in beside:
            continue
        if suite.name == suites.INTEGRATION and beside:
            with Beside(beside, scratch, deadline_s, total, options.out):
                failed[suite] = run_suite(suite, options, scratch, deadline_s, total, results)
        else:
            failed[suite] = run_suite(suite, options, scratch, deadline_s, total, results)
    if not options.named:
        for suite in beside:
            failed[suite] = [test for test in total.failures if selection(suite, [test])[0]]
        for suite, tests in failed.items():
            rerun(suite, tests, options, scratch, deadline_s, total)


class Beside:
    """Suites in a process of their own, which prints when it has ended; its outcome is a part of `total` then."""

    def __init__(
        self, suites_beside: Sequence[Suite], scratch: Path, deadline_s: float, total: Outcome, out: TextIO
    ) -> None:
        self._names = [suite.name for suite in suites_beside]
        self._output, self._outcome = scratch / "beside.out", scratch / "beside.json"
        self._deadline_s, self._total, self._out = deadline_s, total, out

    def __enter__(self) -> None:
        command = [sys.executable, str(ROOT / "tests/run"), *self._names]
        env = os.environ | {OUTCOME: str(self._outcome)}
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
            )

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._process.wait(timeout=max(0.0, self._deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._total.count(" ".join(self._names), "failed", "the budget of time is used up")
        finally:
            if self._process.poll() is None:
                stop(self._process)
            print(self._output.read_text(errors="replace"), end="", file=self._out, flush=True)
            if self._outcome.exists():
                self._total.add(Outcome(**json.loads(self._outcome.read_text())))
            else:
                self._total.count(" ".join(self._names), "failed", "it ended without counts")


def run_suite(
    suite: Suite, options: Options, scratch: Path, deadline_s: float, total: Outcome, results: list[str]
) -> list[str]:
    """The names of its failed tests."""
    print(f"=== {suite.name}", file=options.out, flush=True)
    began_s = time.monotonic()
    own = Outcome()
    try:
        if options.measures(suite):
            bench(suite, options, scratch, deadline_s, own, results)
        else:
            pytest(suite, options, scratch, deadline_s, own)
    finally:
        total.add(own)
        print(f"=== {suite.name}: {own} in {time.monotonic() - began_s:.1f} s", file=options.out, flush=True)
    return list(own.failures)


def pytest(suite: Suite, options: Options, scratch: Path, deadline_s: float, own: Outcome) -> None:
    paths, arguments = selection(suite, options.pytest)
    if not paths:
        return
    report = scratch / f"{suite.name}.jsonl"
    report.touch()
    command = [str(PYTHON), "-m", "pytest", "--no-header", "-p", "tests.support.report", *paths]
    taken = {path for other in options.suites if other is not suite for path in other.present()}
    command += [f"--ignore={path}" for path in suite.shared if path in taken]
    if suite.machine:
        command += ["-o", f"timeout={MACHINE_TIMEOUT_S}", "-p", "no:cacheprovider"]
    if suite.parallel and paths == suite.present():
        command += suites.workers()
    try:
        env = {"MPE_TEST_REPORT": str(report), **suite.variables(options.minutes)}
        env |= {"MPE_TEST_RELEASE": options.release} if suite.machine else {}
        ended = run_in(suite, [*command, *arguments], env, deadline_s)
    finally:
        own.add(of_lines(report.read_text().splitlines(keepends=True)))
    fault(suite, ended, own)


def rerun(
    suite: Suite, failed: Sequence[str], options: Options, scratch: Path, deadline_s: float, total: Outcome
) -> None:
    """Run the failed tests of a whole run once more at its end, each in a sandbox of its own.

    Tests have limits of time, and a machine that others use too exceeds one of them now and then. A test that fails
    twice has failed. One that passes the second time counts as passed, and a line at the end names it. A suite that was
    named is not run again: who looks for a fault sees each failure.
    """
    again = [test for test in failed if "::" in test]
    if len(again) > RERUN_AT_MOST or len(again) != len(failed):
        return
    for number, test in enumerate(again):
        print(f"=== {suite.name}: {test} once more", file=options.out, flush=True)
        report = scratch / f"{suite.name}-again-{number}.jsonl"
        report.touch()
        command = [str(PYTHON), "-m", "pytest", "--no-header", "-p", "tests.support.report", test]
        env = {"MPE_TEST_REPORT": str(report), **suite.variables(options.minutes)}
        ended = run_in(suite, command, env, deadline_s)
        second = of_lines(report.read_text().splitlines(keepends=True))
        if ended.code == 0 and not ended.why and second.ok:
            total.passed_again(test)


def selection(suite: Suite, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths that the suite is to run, and the other arguments for pytest. A path is run by the suites it is of."""
    named = [argument for argument in arguments if argument.startswith("tests/")]
    rest = [argument for argument in arguments if argument not in named]
    if not named:
        return suite.present(), rest
    own = [Path(path) for path in suite.present()]
    return [each for each in named if any(Path(each.split("::")[0]).is_relative_to(path) for path in own)], rest


def fault(suite: Suite, ended: Ended, own: Outcome) -> None:
    """pytest's own failure, or that it was ended, counts as one more failed test."""
    if ended.why:
        own.count(suite.name, "failed", ended.why)
    elif ended.code not in REPORTED or (ended.code == 1 and own.failed == 0):
        own.count(suite.name, "failed", f"pytest ended with code {ended.code}")


def bench(suite: Suite, options: Options, scratch: Path, deadline_s: float, own: Outcome, results: list[str]) -> None:
    output = scratch / "bench.out"
    command = [str(PYTHON), "-m", suite.program, "--json", *["--quick"] * options.quick]
    command += options.pytest if options.named else ()
    with output.open("w") as stdout:
        ended = run_in(suite, command, {}, deadline_s, stdout=stdout)
    *lines, last = output.read_text().rstrip("\n").split("\n")
    print(*lines, *[last] * (not options.json), sep="\n", file=options.out)
    if ended.code != 0:
        own.count(suite.name, "failed", ended.why or f"it ended with code {ended.code}")
        return
    own.add(of_targets(last, suite.name, judged=options.named))
    results.append(last)


def run_in(
    suite: Suite, command: Sequence[str], variables: dict[str, str], deadline_s: float, stdout: TextIO | None = None
) -> Ended:
    """Run in the suite's sandbox, if it has one. MPE_TEST_PREPARED: what packaging/prepare makes must be there."""
    env = os.environ | variables | {"MPE_TEST_PREPARED": "1", "PYTHONUNBUFFERED": "1"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # pytest would rewrite all tests again in each of its processes
    if suite.machine:
        around = [str(PYTHON), "-m", "tests.support.vm", "--"]
        command = [str(PYTHON.relative_to(ROOT)), *command[1:]]
    elif suite.sandbox:
        around = [str(PYTHON), "-m", "tests.support.node", "--"]
    else:
        around = ["prlimit", f"--as={ADDRESS_SPACE_BYTES}"]
    return run([*around, *command], env=env, deadline_s=deadline_s, stdout=stdout)
