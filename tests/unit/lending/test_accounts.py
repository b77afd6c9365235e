"""The ledger's entries: each loan is opened once and returned once, whatever is written again."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from executor.lending.accounts import Accounts, Entry, Kind, added_up, document, parse
from executor.lending.amount import Amount
from executor.names import ExecutorId, FrameworkId, Role, TaskId

KEYS = st.builds(lambda name: (FrameworkId("f"), TaskId(name)), st.sampled_from("abc"))
ENTRIES = st.lists(
    st.builds(
        lambda kind, key, cpus, role: (kind, key, cpus, role),
        st.sampled_from([Kind.BORROWED, Kind.ASKED, Kind.RETURNED]),
        KEYS,
        st.integers(0, 4000),
        st.sampled_from([Role("batch"), Role("dev")]),
    ),
    max_size=40,
).map(
    lambda drawn: [
        Entry(kind, float(number), key, ExecutorId("e"), role, Amount(cpus, 64), "why")
        for number, (kind, key, cpus, role) in enumerate(drawn)
    ]
)


@given(ENTRIES)
def test_each_loan_is_returned_once(entries: list[Entry]) -> None:
    accounts = Accounts()
    changed = [entry for entry in entries if accounts.apply(entry)]
    for key in {entry.key for entry in changed}:
        kinds = [entry.kind for entry in changed if entry.key == key and entry.kind is not Kind.ASKED]
        assert kinds == [Kind.BORROWED, Kind.RETURNED] * (len(kinds) // 2) + [Kind.BORROWED] * (len(kinds) % 2)
    returned = sum(entry.kind is Kind.RETURNED for entry in changed)
    assert returned == len(accounts.closed) == sum(totals.loans for totals in accounts.totals.values())


@given(ENTRIES, st.data())
def test_what_is_written_again_after_a_crash_changes_nothing(entries: list[Entry], data: st.DataObject) -> None:
    accounts = Accounts()
    lines = [entry for entry in entries if accounts.apply(entry)]
    last = lines[-1:] * data.draw(st.integers(1, 3))
    assert added_up([*lines, *last]) == accounts


@given(ENTRIES)
def test_a_new_file_adds_up_to_the_same(entries: list[Entry]) -> None:
    accounts = added_up(entries)
    again = added_up(accounts.opening())
    assert (again.open, again.totals) == (accounts.open, accounts.totals)


@given(ENTRIES)
def test_an_entry_survives_its_line(entries: list[Entry]) -> None:
    whole = added_up(entries)
    lines = [json.dumps(document(entry)) for entry in entries]
    read = added_up(found for line in lines if (found := parse(json.loads(line))))
    assert read == whole


def test_lines_of_no_entry_are_skipped() -> None:
    for line in ({}, {"entry": "other", "at": 1}, {"entry": "asked", "at": "x"}, {"entry": "borrowed", "at": 1}):
        assert parse(line) is None
    assert parse({"entry": "borrowed", "at": 1e400, "framework": "f", "task": "t"}) is None


def test_a_loan_tells_how_fast_it_came_back() -> None:
    key = FrameworkId("f"), TaskId("t")
    accounts = added_up(
        [
            Entry(Kind.BORROWED, 100.0, key, ExecutorId("e"), Role("batch"), Amount(2000, 64)),
            Entry(Kind.ASKED, 160.0, key, reason="role spark needs it"),
            Entry(Kind.RETURNED, 160.25, key),
        ]
    )
    (loan,) = accounts.closed
    assert (loan.took_ms, loan.reason) == (250.0, "role spark needs it")
    assert accounts.totals[Role("batch")].cpu_s == 120.5
    assert accounts.totals[Role("batch")].asked == 1
