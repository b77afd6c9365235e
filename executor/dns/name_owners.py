"""Which file carries a name that several pods or tasks claim. Pure.

dnsmasq keeps one record for a name and an address, of the first file that brought it, and drops it with that file,
even if another one has it too (src/cache.c, add_hosts_entry). Tasks on the node's own network share its address, so
two of one name would lose theirs when the first ends. So every pair is carried by one file only, and handed to the
next claimant when that one goes.

A name belongs to the owner (a Mesos role) of its first claimant, until the last claimant of that owner has gone. The
claims of other owners wait until then. An unknown owner, "", shares every name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from executor.dns.names import Pair

K = TypeVar("K")


class NameTable(Generic[K]):
    """Claims of pairs by keys (pods, tasks). Every change returns whose files must be written, in that order: what a
    file gives up must be gone before the next one brings it.
    """

    def __init__(self) -> None:
        self._claims: dict[K, tuple[Pair, ...]] = {}
        self._owners: dict[K, str] = {}
        self._claimants: dict[Pair, dict[K, None]] = {}
        self._names: dict[str, dict[K, None]] = {}
        self._holders: dict[str, str] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._claims

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[K]:
        return iter(tuple(self._claims))

    def put(self, key: K, pairs: tuple[Pair, ...], owner: str = "") -> list[K]:
        """`key`, which belongs to `owner`, claims these pairs and no others. Nothing changes if it did so already."""
        if self._claims.get(key) == pairs and self._owners[key] == owner:
            return []
        return [key, *self._change(key, pairs, owner)]

    def drop(self, key: K) -> list[K]:
        """`key` claims nothing; its own file is to be removed before those returned are written."""
        return self._change(key, None, "") if key in self._claims else []

    def carried(self, key: K) -> tuple[Pair, ...]:
        """The pairs that stand in the file of `key`."""
        return tuple(pair for pair in self._claims.get(key, ()) if self._carrier(pair) == key)

    def refused(self, key: K) -> dict[str, str]:
        """The names that `key` claims and does not get, and the owner that each belongs to."""
        names = {name for _, name in self._claims.get(key, ())}
        return {name: self._holders[name] for name in sorted(names) if not self._shares(key, name)}

    def _change(self, key: K, pairs: tuple[Pair, ...] | None, owner: str) -> list[K]:
        given_up = self.carried(key)
        before = self._claims.pop(key, ())
        names_before = {name for _, name in before}
        self._remove(key, set(before) - set(pairs or ()))
        self._owners.pop(key, None)
        if pairs is not None:
            self._add(key, pairs, owner)
        turned = [name for name in sorted(names_before) if self._settle(name)]
        next_claimants = dict.fromkeys(each for name in turned for each in self._names[name])
        next_claimants |= dict.fromkeys(each for pair in given_up if (each := self._carrier(pair)) is not None)
        return [each for each in next_claimants if each != key]

    def _add(self, key: K, pairs: tuple[Pair, ...], owner: str) -> None:
        self._claims[key], self._owners[key] = pairs, owner
        for pair in pairs:
            self._claimants.setdefault(pair, {})[key] = None
            self._names.setdefault(pair[1], {})[key] = None
            self._holders[pair[1]] = self._holders.get(pair[1]) or owner

    def _remove(self, key: K, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            del self._claimants[pair][key]
            if not self._claimants[pair]:
                del self._claimants[pair]
            self._names[pair[1]].pop(key, None)  # _add puts it back for another pair of the name

    def _settle(self, name: str) -> bool:
        """Whether the name has another owner now."""
        claimants = self._names[name]
        if not claimants:
            del self._names[name], self._holders[name]
            return False
        holder = self._holders[name]
        if not holder or any(self._owners[each] == holder for each in claimants):  # mostly the first one already
            return False
        self._holders[name] = next((owner for each in claimants if (owner := self._owners[each])), "")
        return True

    def _shares(self, key: K, name: str) -> bool:
        return self._owners[key] in ("", self._holders[name])

    def _carrier(self, pair: Pair) -> K | None:
        return next((key for key in self._claimants.get(pair, ()) if self._shares(key, pair[1])), None)
