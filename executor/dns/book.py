"""Which file carries a name that several pods or tasks claim for one address. Pure.

dnsmasq keeps one record for a name and an address, of the first file that brought it, and drops it with that file,
even if another one has it too (src/cache.c, add_hosts_entry). Tasks on the node's own network share its address, so
two of one name would lose theirs when the first ends. Hence every pair is carried by one file only, and handed to the
next claimant when that one goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from executor.dns.names import Pair

K = TypeVar("K")


class Book(Generic[K]):
    """Claims of pairs by keys (pods, tasks). Every change returns whose files must be written, in that order: what a
    file gives up must be gone before the next one brings it.
    """

    def __init__(self) -> None:
        self._claims: dict[K, tuple[Pair, ...]] = {}
        self._claimants: dict[Pair, dict[K, None]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._claims

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[K]:
        return iter(tuple(self._claims))

    def put(self, key: K, pairs: tuple[Pair, ...]) -> list[K]:
        """`key` claims these pairs and no others. Nothing changes if it did so already."""
        before = self._claims.get(key)
        if before == pairs:
            return []
        heirs = self._release(key, set(before or ()) - set(pairs))
        self._claims[key] = pairs
        for pair in pairs:
            self._claimants.setdefault(pair, {})[key] = None
        return [key, *heirs]

    def drop(self, key: K) -> list[K]:
        """`key` claims nothing; its own file is to be removed before those returned are written."""
        return self._release(key, self._claims.pop(key, ()))

    def carried(self, key: K) -> tuple[Pair, ...]:
        """The pairs that stand in the file of `key`."""
        return tuple(pair for pair in self._claims.get(key, ()) if next(iter(self._claimants[pair])) == key)

    def _release(self, key: K, pairs: Iterable[Pair]) -> list[K]:
        heirs: dict[K, None] = {}
        for pair in pairs:
            claimants = self._claimants[pair]
            carried = next(iter(claimants)) == key
            del claimants[key]
            if not claimants:
                del self._claimants[pair]
            elif carried:
                heirs[next(iter(claimants))] = None
        return list(heirs)
