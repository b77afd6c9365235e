"""The ledger's files: whole after a kill at any byte, bounded, and the same when they are read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import Failure
from executor.lending.accounts import Accounts, Entry, Kind
from executor.lending.amount import Amount
from executor.lending.ledger import FILE, Ledger, history, older_than
from executor.names import ExecutorId, FrameworkId, Role, TaskId


def entry(kind: Kind, name: str, at_s: float) -> Entry:
    return Entry(
        kind, at_s, (FrameworkId("f"), TaskId(name)), ExecutorId("e"), Role("batch"), Amount(1000, 32), reason="why"
    )


def written(directory: Path, count: int, max_bytes: int = 1 << 20) -> Accounts:
    """So many loans, of which each third one is returned."""
    ledger = Ledger(directory, max_bytes)
    accounts = ledger.open()
    for number in range(count):
        kinds = [Kind.BORROWED, Kind.ASKED, Kind.RETURNED] if number % 3 == 0 else [Kind.BORROWED]
        new = [entry(kind, f"t{number}", float(number)) for kind in kinds]
        assert all(accounts.apply(each) for each in new)
        ledger.append(new, accounts)
    return accounts


def test_a_kill_at_any_byte_leaves_a_ledger_that_goes_on(tmp_path: Path) -> None:
    written(tmp_path, 4)
    whole = (tmp_path / FILE).read_bytes()
    for length in range(len(whole) + 1):
        (tmp_path / FILE).write_bytes(whole[:length])
        ledger = Ledger(tmp_path)
        accounts = ledger.open()
        lines = whole[:length].count(b"\n")
        assert (tmp_path / FILE).read_bytes().count(b"\n") == lines
        new = entry(Kind.BORROWED, "next", 99.0)
        accounts.apply(new)
        ledger.append([new], accounts)
        assert Ledger(tmp_path).open() == accounts


def test_it_is_bounded_and_adds_up_over_a_new_file(tmp_path: Path) -> None:
    accounts = written(tmp_path, 300, max_bytes=8192)
    again = Ledger(tmp_path).open()
    assert (again.open, again.totals) == (accounts.open, accounts.totals)
    assert older_than(tmp_path / FILE).exists()
    assert len(history(tmp_path).closed) > len(again.closed)


def test_a_disk_that_refuses_loses_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    accounts = ledger.open()
    (tmp_path / FILE).mkdir()
    new = entry(Kind.BORROWED, "a", 1.0)
    accounts.apply(new)
    with pytest.raises(Failure, match="cannot be used"):
        ledger.append([new], accounts)
    (tmp_path / FILE).rmdir()
    ledger.append([], accounts)
    assert Ledger(tmp_path).open() == accounts


def test_a_disk_without_room_for_a_new_file_counts_no_loan_twice(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, max_bytes=1000)
    accounts = ledger.open()
    (tmp_path / f".{FILE}.new").mkdir()
    refused = 0
    for number in range(30):
        for kind in (Kind.BORROWED, Kind.RETURNED):
            new = entry(kind, f"t{number}", float(number))
            accounts.apply(new)
            try:
                ledger.append([new], accounts)
            except Failure:
                refused += 1
    assert refused
    assert Ledger(tmp_path).open() == accounts
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 60


@pytest.mark.parametrize("at", ["NaN", "Infinity", "1e300", "-1e14", "1e12"])
def test_a_time_that_is_none_is_left_out(tmp_path: Path, at: str) -> None:
    (tmp_path / FILE).write_text(
        f'{{"entry":"borrowed","at":{at},"framework":"f","task":"t","executor":"e","role":"r","cpus":1,"mem_bytes":0}}\n'
    )
    assert Ledger(tmp_path).open() == Accounts()


@pytest.mark.parametrize("cpu_s", ["NaN", "Infinity", "-1"])
def test_a_sum_that_is_none_is_left_out(tmp_path: Path, cpu_s: str) -> None:
    (tmp_path / FILE).write_text(f'{{"entry":"totals","at":0,"role":"r","loans":1,"asked":1,"cpu_s":{cpu_s}}}\n')
    assert Ledger(tmp_path).open() == Accounts()


def test_lines_of_no_entry_are_left_out(tmp_path: Path) -> None:
    accounts = written(tmp_path, 2)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b"\xff\n[1]\n{}\n" + b"[" * 100_000 + b"\n")
    assert Ledger(tmp_path).open() == accounts
