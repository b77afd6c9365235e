"""The test command counts truly: whatever way a test or a suite ends, it is in the sums once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from preparation.newer import PARTS
from tests.support import newer, runner, suites
from tests.support.outcome import Outcome, of_lines, of_targets
from tests.support.runner import fault, parse, selection
from tests.support.sources import ROOT
from tests.support.stoppable import Ended, run
from tests.support.suites import Suite

CASES = """
import pytest

@pytest.fixture
def bad_setup():
    raise ValueError

@pytest.fixture
def bad_teardown():
    yield
    raise ValueError

def test_passes(): pass
def test_fails(): assert False
def test_bad_setup(bad_setup): pass
def test_bad_teardown(bad_teardown): pass
def test_bad_twice(bad_teardown): assert False
def test_skips(): pytest.skip("no\\nreason")

@pytest.mark.xfail(reason="known", strict=True)
def test_expected(): assert False

@pytest.mark.xfail(reason="known", strict=True)
def test_unexpected(): pass
"""


def recorded(directory: Path, *arguments: str) -> tuple[int, Outcome]:
    report = directory / "report"
    report.touch()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.report", "-c", os.devnull, *arguments]
    env = os.environ | {"MPE_TEST_REPORT": str(report), "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    code = subprocess.run(command, cwd=directory, env=env, capture_output=True, check=False).returncode
    return code, of_lines(report.read_text().splitlines(keepends=True))


FORKED = ("-p", "tests.support.forked", "--processes=2")


@pytest.mark.parametrize("processes", [[], FORKED], ids=["one", "two"])
def test_every_way_to_end_is_counted_once(tmp_path: Path, processes: list[str]) -> None:
    (tmp_path / "test_cases.py").write_text(CASES)
    code, outcome = recorded(tmp_path, "test_cases.py", *processes)
    assert (code, str(outcome)) == (1, "1 passed, 5 failed, 2 skipped")
    assert set(outcome.notes) == {
        "failed: test_cases.py::test_fails: assert False",
        "failed: test_cases.py::test_bad_setup: in its setup: ValueError",
        "failed: test_cases.py::test_bad_teardown: in its teardown: ValueError",
        "failed: test_cases.py::test_bad_twice: assert False",
        "skipped: test_cases.py::test_skips: no",
        "skipped: test_cases.py::test_expected: expected failure: known",
        "failed: test_cases.py::test_unexpected: [XPASS(strict)] known",
    }
    assert len(outcome.notes) == 7


DEADLY = """
import os, signal

def test_before(tmp_path): (tmp_path / "file").touch()
def test_dies(): os.kill(os.getpid(), signal.SIGKILL)
def test_after(): pass
"""


def test_a_process_that_dies_fails_its_test_and_none_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "test_deadly.py").write_text(DEADLY)
    (tmp_path / "test_other.py").write_text("def test_other(tmp_path): assert not list(tmp_path.iterdir())\n")
    code, outcome = recorded(tmp_path, "test_deadly.py", "test_other.py", *FORKED)
    assert (code, str(outcome)) == (1, "2 passed, 2 failed, 0 skipped")
    assert outcome.notes == [
        "failed: test_deadly.py::test_dies: its process ended with status -9",
        "failed: test_deadly.py::test_after: was not run: its process had ended",
    ]


@pytest.mark.parametrize("processes", [[], FORKED], ids=["one", "two"])
def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path, processes: list[str]) -> None:
    (tmp_path / "test_broken.py").write_text("import no_such_module")
    code, outcome = recorded(tmp_path, "test_broken.py", *processes)
    fault(Suite("x", ()), Ended(code), outcome)
    assert (code, str(outcome)) == (2, "0 passed, 2 failed, 0 skipped")


@pytest.mark.parametrize(
    ("ended", "failed_before", "failed_after"),
    [
        (Ended(0), 0, 0),
        (Ended(1), 2, 2),
        (Ended(1), 0, 1),  # it says that something failed, but nobody knows what
        (Ended(5), 0, 0),  # no test matched; the sums tell
        (Ended(4), 0, 1),
        (Ended(-9), 1, 2),
        (Ended(0, "the budget of time is used up"), 0, 1),
    ],
)
def test_the_end_of_a_suite(ended: Ended, failed_before: int, failed_after: int) -> None:
    outcome = Outcome(passed=3, failed=failed_before)
    fault(Suite("x", ()), ended, outcome)
    assert (outcome.passed, outcome.failed) == (3, failed_after)


UNSTEADY = """
import os
from pathlib import Path

def test_first_time():
    assert os.environ["MPE_TEST_MINUTES"] == "2.0"
    mark = Path({mark!r})
    seen, _ = mark.exists(), mark.touch()
    assert seen, "the first time"

def test_never(): assert False
def test_good(): pass
"""


@pytest.mark.parametrize(
    ("named", "sums"), [(False, "2 passed, 1 failed, 0 skipped"), (True, "1 passed, 2 failed, 0 skipped")]
)
def test_a_failed_test_of_a_whole_run_runs_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool, sums: str
) -> None:
    """The real pytest runs; only the sandbox around it is left out, since it needs root."""

    def without_sandbox(_: Suite, command: list[str], variables: dict[str, str], deadline_s: float) -> Ended:
        env = os.environ | variables | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return Ended(subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=False).returncode)

    monkeypatch.setattr(runner, "run_in", without_sandbox)
    (tmp_path / "test_cases.py").write_text(UNSTEADY.format(mark=str(tmp_path / "mark")))
    options = replace(parse(["unit"]), named=named)
    outcome = Outcome()
    monkeypatch.setattr(Suite, "present", lambda suite: ["test_cases.py"])
    options = replace(options, suites=(Suite("x", ("x",), minutes=2.0),))
    runner.run_suites(options, tmp_path, time.monotonic() + 60, outcome, [])
    assert str(outcome) == sums
    unsteady = [note for note in outcome.notes if note.startswith("unsteady")]
    again = "unsteady: test_cases.py::test_first_time: failed, and passed when it ran once more: "
    assert unsteady == ([] if named else [f"{again}AssertionError: the first time"])
    assert "failed: test_cases.py::test_never: assert False" in outcome.notes


def test_suites_beside_others_are_counted_and_end_with_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    total = Outcome()
    with runner.Beside([Suite("no-such-suite", ())], tmp_path, time.monotonic() + 60, total, sys.stdout):
        pass
    assert "there is no suite no-such-suite" in capsys.readouterr().out
    assert total.notes == ["failed: no-such-suite: it ended without counts"]
    again, began_s = Outcome(), time.monotonic()
    with (  # noqa: PT012 the interrupt comes while it runs
        pytest.raises(KeyboardInterrupt),
        runner.Beside([Suite("unit", ())], tmp_path, time.monotonic() + 60, again, sys.stdout),
    ):
        while "=== unit" not in (tmp_path / "beside.out").read_text():
            time.sleep(0.05)
        raise KeyboardInterrupt
    assert time.monotonic() - began_s < 100
    assert again.failed >= 1 and "interrupted" in " ".join(again.notes)


def test_a_line_that_was_cut_off_does_not_count() -> None:
    line = json.dumps({"test": "a", "outcome": "passed", "reason": ""})
    assert str(of_lines([f"{line}\n", line[:20]])) == "1 passed, 0 failed, 0 skipped"


@pytest.mark.parametrize(("outcome", "ok"), [(Outcome(1), True), (Outcome(1, 1), False), (Outcome(0, 0, 3), False)])
def test_only_what_ran_and_passed_is_good(outcome: Outcome, ok: bool) -> None:
    assert outcome.ok == ok


TARGETS = json.dumps(
    {"targets": {"a": {"value": 1, "target": 2, "met": True}, "b": {"value": 3, "target": 2, "met": False}}}
)


@pytest.mark.parametrize(
    ("judged", "sums"), [(True, "1 passed, 1 failed, 0 skipped"), (False, "1 passed, 0 failed, 1 skipped")]
)
def test_targets_are_tests(judged: bool, sums: str) -> None:
    assert str(of_targets(TARGETS, judged=judged)) == sums


def test_a_target_that_cannot_be_judged_is_skipped_with_its_reason() -> None:
    text = json.dumps({"targets": {"launch": {"value": None, "target": 1, "met": None, "reason": "noise"}}})
    outcome = of_targets(text, judged=True)
    assert (str(outcome), outcome.notes) == ("0 passed, 0 failed, 1 skipped", ["skipped: bench::launch: noise"])


@pytest.mark.parametrize("text", ["", "Traceback", "[]", '{"targets": 1}', "{}"])
def test_benchmarks_without_targets_have_failed(text: str) -> None:
    assert of_targets(text, judged=False).failed == 1


@pytest.mark.parametrize("arguments", [["nonsense"], ["unit", "--json"], ["--quick"], ["--release", "bookworm"]])
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)


def test_pytest_gets_what_follows_the_dashes() -> None:
    options = parse(["unit", "--", "-k", "--json"])
    assert [suite.name for suite in options.suites] == ["unit"]
    assert options.pytest == ("-k", "--json")


def test_paths_choose_from_the_suite_that_they_are_of() -> None:
    suites = {suite.name: suite for suite in parse(["unit", "integration"]).suites}
    arguments = ["tests/mesos/test_driver.py::test_x", "-k", "y", "tests/unit/pod"]
    assert selection(suites["integration"], arguments) == (["tests/mesos/test_driver.py::test_x"], ["-k", "y"])
    assert selection(suites["unit"], arguments) == (["tests/unit/pod"], ["-k", "y"])
    assert selection(suites["unit"], ["tests/mesos"]) == ([], [])
    assert selection(suites["unit"], ["-x"]) == (["tests/unit"], ["-x"])


def test_newer_programs_are_those_that_can_be_prepared() -> None:
    assert {kind: tuple(versions) for kind, versions in PARTS.items()} == newer.OPTIONS
    assert parse(["unit", "--containerd", "2.1"]).newer == (("containerd", "2.1"),)
    both = parse(["unit", "--runtime", "crun", "--cni", "1.9"]).newer
    assert both == (("cni", "1.9"), ("runtime", "crun"))


def test_peers_of_the_benchmarks_are_prepared_for_a_measurement_only() -> None:
    suite = suites.known()["bench"]
    assert suite.sets(measured=False) == []
    assert suite.sets(measured=True) == ["bench", "integration"]


def test_the_machine_has_one_of_two_releases() -> None:
    assert [parse(["vm", *option]).release for option in ((), ("--release", "bookworm"))] == ["trixie", "bookworm"]


def test_without_a_name_the_suites_that_fit_run() -> None:
    assert "unit" in [suite.name for suite in parse([]).suites]


def test_a_suite_that_takes_too_long_is_interrupted() -> None:
    script = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(7)"
    ended = run([sys.executable, "-c", script], env=os.environ, deadline_s=time.monotonic() + 0.5)
    assert ended.code == 7
    assert "budget" in ended.why


def test_an_interrupt_comes_once() -> None:
    """Although what it started passes on to it what it gets itself, as the private node does."""
    script = """
import os, signal, subprocess, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
child = subprocess.Popen([sys.executable, "-c", f"import os, signal, time; signal.signal(signal.SIGINT,"
    f" lambda *_: os.kill({os.getpid()}, signal.SIGINT)); print(flush=True); time.sleep(30)"], stdout=subprocess.PIPE)
child.stdout.readline()
while not seen: time.sleep(0.05)
time.sleep(0.5)
child.kill()
raise SystemExit(len(seen))
"""
    assert run([sys.executable, "-c", script], env=os.environ, deadline_s=time.monotonic() + 1.0).code == 1


def test_a_suite_without_time_is_not_started() -> None:
    assert run(["/no/such/program"], env={}, deadline_s=time.monotonic() - 1).why
