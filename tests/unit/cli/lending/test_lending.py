"""`lending`: what a lender says of itself, and how fast loans came back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.lending import rules
from executor.lending.accounts import Entry, Kind, document
from executor.lending.amount import Amount
from executor.lending.files import alone
from executor.lending.ledger import FILE
from executor.names import ExecutorId, FrameworkId, Role, TaskId
from tests.support.schema import faults
from tests.unit.cli.conftest import Run

NOTHING = {"cpus": 0.0, "mem_bytes": 0}
NOW: dict[str, Any] = {
    "agent": "", "provider": "", "subscribed": False, "master": False, "causes": {}, "offer": NOTHING,
    "borrowed": NOTHING, "owners": [], "shares": [], "loans": [], "totals": [],
}  # fmt: skip


@pytest.fixture
def lending(tmp_path: Path) -> Path:
    """The directory of a lender, which the configuration names."""
    (tmp_path / "config.toml").write_text(f'[node]\nstate_dir = "{tmp_path / "state"}"\n')
    (tmp_path / "state/lending").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    return tmp_path / "state/lending"


def entries(task: str, reason: str, took_s: float) -> list[Entry]:
    key = FrameworkId("f"), TaskId(task)
    return [
        Entry(Kind.BORROWED, 100.0, key, ExecutorId("e"), Role("batch"), Amount(500, 64)),
        Entry(Kind.ASKED, 200.0, key, reason=reason),
        Entry(Kind.RETURNED, 200.0 + took_s, key),
    ]


def test_returns_by_rule_are_counted_apart(run: Run, lending: Path, tmp_path: Path) -> None:
    """A rule asks a pod back that is still being launched: no owner waits for it."""
    demands = [entries(f"d{number}", "role spark needs its resources", 0.25) for number in range(3)]
    broken = [entries("q", rules.over_quota("batch"), 9.0), entries("b", rules.may_not_borrow("batch"), 5.0)]
    lines = [json.dumps(document(entry)) for each in (*demands, *broken) for entry in each]
    (lending / FILE).write_text("".join(f"{line}\n" for line in lines))
    config = str(tmp_path / "config.toml")
    found = run("--config", config, "lending", "history", "--json").json
    assert faults("lending-history", found) == []
    assert (found["took"]["count"], found["took"]["max_ms"]) == (3, 250.0)
    assert (found["took_by_rule"]["count"], found["took_by_rule"]["max_ms"]) == (2, 9000.0)
    shown = [line.split() for line in run("--config", config, "lending", "history").out.splitlines()]
    assert ["returns", "on", "demand", "3"] in shown and ["returns", "by", "rule", "2"] in shown


@pytest.mark.parametrize(
    ("causes", "provider", "master"),
    [
        ({"agent": "10.0.0.1:5050: is a master, and no agent"}, "is a master", "is a master"),
        ({"master": "10.0.0.1:5050: does not answer", "resource provider": "HTTP 403"}, "HTTP 403", "does not answer"),
        ({}, "nothing is offered", "the offer does not grow"),
    ],
)
def test_why_nothing_is_offered(
    run: Run, lending: Path, tmp_path: Path, causes: dict[str, str], provider: str, master: str
) -> None:
    now = {**NOW, "causes": causes}
    assert faults("lending", now) == []
    (tmp_path / "run/lending.json").write_text(json.dumps(now))
    with alone(lending):
        lines = run("--config", str(tmp_path / "config.toml"), "lending").out.splitlines()
    assert "NOT SUBSCRIBED: nothing is offered" in lines[1] and provider in lines[1]
    assert "NOT REACHED: the offer does not grow" in lines[2] and master in lines[2]
