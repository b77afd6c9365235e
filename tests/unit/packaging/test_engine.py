"""packaging/prepare's steps: when they run, when they do not, and what a failure leaves and says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from preparation import debian, engine
from preparation.engine import Report, Runner, Step, StepFailed
from tests.support.sources import ROOT


class Workshop:
    """Two steps, the second of which depends on the first; `ran` names those that ran."""

    def __init__(self, directory: Path) -> None:
        self.stamps = directory / "stamps"
        self.source = directory / "source"
        self.source.write_text("one")
        self.product = directory / "product"
        self.ran: list[str] = []
        self.broken = ""

    def ensure(self) -> list[str]:
        self.ran = []
        first = Step("first", self.inputs, (self.product,), self.make("first"), "correct it")
        second = Step("second", lambda: ("fixed",), (), self.make("second"), "correct it", after="first")
        other = Step("other", lambda: ("fixed",), (), self.make("other"), "correct it")
        engine.ensure((first, second, other), Report(quiet=True), self.stamps)
        return self.ran

    def inputs(self) -> Sequence[Path | str]:
        return (self.source, "text")

    def make(self, name: str) -> Callable[[Runner], None]:
        def run(_: Runner) -> None:
            self.ran.append(name)
            self.product.touch()
            if name == self.broken:
                raise StepFailed(["false"], "no luck")

        return run


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    assert made.ensure() == ["first", "second", "other"]
    return made


def test_nothing_runs_twice(shop: Workshop) -> None:
    assert shop.ensure() == []


def test_a_changed_input_runs_the_step_and_what_comes_after_it(shop: Workshop) -> None:
    shop.source.write_text("two")
    assert shop.ensure() == ["first", "second"]
    assert shop.ensure() == []


def test_a_lost_output_runs_the_step_and_what_comes_after_it(shop: Workshop) -> None:
    shop.product.unlink()
    assert shop.ensure() == ["first", "second"]


@pytest.mark.parametrize("broken", ["first", "second"])
def test_after_a_failure_it_goes_on_from_there(shop: Workshop, broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    shop.product.unlink()
    shop.broken = broken
    with pytest.raises(SystemExit):
        shop.ensure()
    told = capsys.readouterr().err
    assert all(part in told for part in (f"{broken} failed: false", "no luck", "What to do: correct it"))
    shop.broken = ""
    assert shop.ensure() == (["first", "second"] if broken == "first" else ["second"])


def test_a_directory_counts_with_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    before = engine.digest([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_text("cached")
    assert engine.digest([tmp_path]) == before
    (tmp_path / "a").rename(tmp_path / "b")
    assert engine.digest([tmp_path]) != before


def test_a_failed_command_shows_its_own_output_only(tmp_path: Path) -> None:
    run = Runner(tmp_path / "log")
    run("echo", "before")
    with pytest.raises(StepFailed) as caught:
        run("sh", "-c", "echo of this one; exit 3")
    assert str(caught.value) == "sh -c 'echo of this one; exit 3'"
    assert caught.value.output.splitlines()[1:] == ["of this one", "(exit code 3)"]


def test_packages_that_dpkg_does_not_have_are_missing() -> None:
    assert debian.missing_packages(["dpkg", "mesos-no-such-package"]) == ["mesos-no-such-package"]


def test_every_set_of_packages_can_be_read() -> None:
    for name in debian.sets():
        assert debian.wanted_packages([name])


def test_an_unknown_set_is_refused() -> None:
    command = [str(ROOT / "packaging/prepare"), "--with", "nonsense"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "fresh" in refused.stderr
