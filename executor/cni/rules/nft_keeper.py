"""What is known of the attachments' rules in nftables, and what puts back those that are erased.

Both of portmap and of a masquerade are fed back to nft as they were listed, in one step for the kernel. A plugin's ADD
is not repeated: it would add its rules a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from executor.cni.attachment import Json
from executor.cni.records.cache import Record
from executor.cni.rules import nft, nft_objects
from executor.cni.rules.lines import Key
from executor.cni.rules.nft_objects import Chain, Place

Tell = Callable[[Key, tuple[str, ...], tuple[str, ...], str], None]
"""Gets an attachment, the rules that were missing, those that still are, and what went wrong."""


class NftKeeper:
    """`lock` gives a container's lock, under which its attachments are made and undone."""

    def __init__(self, lock: Callable[[str], asyncio.Lock], timeout_s: float) -> None:
        self._lock = lock
        self._timeout_s = timeout_s
        self._known: dict[Key, tuple[Json, ...]] = {}
        self._common: dict[Place, Chain] = {}

    def knows(self, key: Key) -> bool:
        """Whether a rule of the attachment was seen."""
        return bool(self._known.get(key))

    def forget(self, key: Key) -> None:
        """The attachment is being undone, or its rules are to be read again."""
        self._known.pop(key, None)

    def lines(self, key: Key) -> tuple[str, ...]:
        """The rules that were seen, in words."""
        return tuple(map(nft_objects.words, self._known.get(key, ())))

    async def look(self, watched: Mapping[Key, Record], tell: Tell) -> None:
        """Learn what is new, and put back what is missing. `watched` may change meanwhile. Raises OSError."""
        records = {key: record for key, record in watched.items() if nft.may_use(record.document)}
        listed = await nft.listed(self._timeout_s) if records else None
        if listed is None:
            return
        for key, record in records.items():
            if key in watched and key not in self._known:
                self._known[key] = tuple(map(nft_objects.bare, nft_objects.owned(listed, nft.owner_of(record))))
        there = nft_objects.common(listed)
        lacking = [key for key in records if self._missing(key, listed)]
        for key in lacking:
            await self._put_back(key, watched, tell)
        self._common = nft_objects.learnt(self._common, there)

    def _missing(self, key: Key, listed: list[Json]) -> tuple[Json, ...]:
        return nft_objects.missing(self._known.get(key, ()), listed, self._common)

    async def _put_back(self, key: Key, watched: Mapping[Key, Record], tell: Tell) -> None:
        """Under the lock it is looked again: the attachment may have been undone, or repaired with another's."""
        async with self._lock(key.container_id):
            listed = await nft.listed(self._timeout_s) or []
            missing = self._missing(key, listed)
            if key not in watched or not missing:
                return
            said = await nft.apply(nft_objects.restoration(missing, self._common), self._timeout_s)
            still = self._missing(key, await nft.listed(self._timeout_s) or [])
        tell(key, tuple(map(nft_objects.words, missing)), tuple(map(nft_objects.words, still)), said)
