"""Names that several claim for one address: never lost while anybody claims them, by dnsmasq's own rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.dns.name_owners import NameTable
from executor.dns.names import Pair

KEYS = st.sampled_from("abcd")
PAIRS = st.lists(st.sampled_from([("10.0.0.1", name) for name in ("x", "y", "z")]), unique=True).map(tuple)
STEPS = st.lists(st.tuples(KEYS, st.none() | PAIRS))


class Dnsmasq:
    """Its rule for hosts files (src/cache.c, add_hosts_entry): a record belongs to the first file that brought it."""

    def __init__(self) -> None:
        self.records: dict[Pair, str] = {}

    def remove(self, file: str) -> None:
        self.records = {pair: owner for pair, owner in self.records.items() if owner != file}

    def read(self, file: str, pairs: tuple[Pair, ...]) -> None:
        self.remove(file)
        for pair in pairs:
            self.records.setdefault(pair, file)


@given(STEPS)
def test_what_is_claimed_is_answered_after_every_step(steps: list[tuple[str, tuple[Pair, ...] | None]]) -> None:
    book: NameTable[str] = NameTable()
    server = Dnsmasq()
    claimed: dict[str, tuple[Pair, ...]] = {}
    for key, pairs in steps:
        if pairs is None:
            claimed.pop(key, None)
            server.remove(key)
            changed = book.drop(key)
        else:
            claimed[key] = pairs
            changed = book.put(key, pairs)
        for each in changed:
            server.read(each, book.carried(each))
        assert set(server.records) == {pair for each in claimed.values() for pair in each}
        assert set(book) == set(claimed)
        assert len(book) == len(claimed)


def test_nothing_changes_when_nothing_is_new() -> None:
    book: NameTable[str] = NameTable()
    assert book.put("a", (("10.0.0.1", "x"),)) == ["a"]
    assert book.put("a", (("10.0.0.1", "x"),)) == []
    assert book.put("b", (("10.0.0.1", "x"),)) == ["b"]
    assert book.carried("b") == ()
    assert book.drop("nobody") == []
    assert book.drop("a") == ["b"]
    assert book.carried("b") == (("10.0.0.1", "x"),)


OWNERS = {"a": "eng", "b": "eng", "c": "ops", "d": "ops"}
MIXED = st.lists(
    st.sampled_from([(ip, name) for ip in ("10.0.0.1", "10.0.0.2") for name in ("x", "y")]), unique=True
).map(tuple)


@given(st.lists(st.tuples(KEYS, st.none() | MIXED)))
def test_a_name_belongs_to_its_first_owner(steps: list[tuple[str, tuple[Pair, ...] | None]]) -> None:
    """The server answers what the owner of each name claims, whatever the others claim, and theirs once it has gone."""
    book: NameTable[str] = NameTable()
    server = Dnsmasq()
    claimed: dict[str, tuple[Pair, ...]] = {}
    owner: dict[str, str] = {}
    for key, pairs in steps:
        if pairs is None:
            claimed.pop(key, None)
            server.remove(key)
            changed = book.drop(key)
        else:
            claimed[key] = pairs
            changed = book.put(key, pairs, OWNERS[key])
        for each in changed:
            server.read(each, book.carried(each))
        claimants = {
            name: [each for each, had in claimed.items() if any(name == known for _, known in had)] for name in "xy"
        }
        for name, keys in claimants.items():
            living = {OWNERS[each] for each in keys}
            if owner.get(name) not in living:
                assert len(living) < 2, "one step brings one owner"
                owner[name] = living.pop() if living else ""
        expected = {pair for each, had in claimed.items() for pair in had if OWNERS[each] == owner[pair[1]]}
        assert set(server.records) == expected
        for each, had in claimed.items():
            assert set(book.refused(each)) == {name for _, name in had if owner[name] != OWNERS[each]}


def test_an_unknown_owner_shares_until_it_is_known() -> None:
    pair = (("10.0.0.1", "x"),)
    book: NameTable[str] = NameTable()
    book.put("old", pair)
    book.put("new", (("10.0.0.2", "x"),), "eng")
    assert book.carried("old") == pair and book.refused("new") == {}
    assert book.put("old", pair, "ops") == ["old"]
    assert book.carried("old") == () and book.refused("old") == {"x": "eng"}
    assert book.drop("new") == ["old"]
    assert book.carried("old") == pair
