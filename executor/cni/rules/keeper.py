"""Port and masquerade rules that a firewall's reload erases are noticed and put back.

The rules of an attachment are read once after it was made. When the kernel reports that rules were removed (or, where
it does not report, every POLL_S), all are compared with what is there. portmap's own ADD, which may be repeated, puts
back what portmap makes; a masquerade, whose plugin cannot be run again without making a second interface, is fed back
to iptables line by line. Rules in nftables are nft_keeper.py's. Rules of an attachment with port mappings, which has
none when rules were removed, may have been erased before they were read: then portmap's ADD is repeated once. Nothing
runs while no attachment has rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from executor import exhausted
from executor.cni.plugins import chain
from executor.cni.plugins.limit import FIRST_RELEASE_S
from executor.cni.plugins.plugin import Plugins
from executor.cni.records.cache import Record
from executor.cni.rules import lines, sweep
from executor.cni.rules.events import RuleEvents
from executor.cni.rules.lines import Key
from executor.cni.rules.nft_keeper import NftKeeper
from executor.cni.rules.sweep import PORTMAP
from executor.log import get_logger

log = get_logger(__name__)

SETTLE_S: Final = 0.5
"""From the first removal until it is looked: a reload removes many rules, and may put its own back."""
PAUSE_S: Final = 2.0
"""Between two looks, each of which reads all rules of the node."""
POLL_S: Final = 30.0
AT_A_TIME: Final = 4
"""The number of portmap's ADD, some 50 ms each."""
_UNSEEN: Final = "port mappings, of which no rule was seen"
Known = dict[str, dict[Key, tuple[str, ...]]]
"""By program (iptables, ip6tables)."""


class RuleKeeper:
    """`lock` gives a container's lock, under which its attachments are made and undone."""

    def __init__(self, plugins: Plugins, lock: Callable[[str], asyncio.Lock], timeout_s: float) -> None:
        self._plugins = plugins
        self._lock = lock
        self._timeout_s = timeout_s
        self._watched: dict[Key, Record] = {}
        self._known: Known = {family: {} for family in sweep.FAMILIES}
        self._common: dict[str, frozenset[str]] = dict.fromkeys(sweep.FAMILIES, frozenset())
        self._nft = NftKeeper(lock, timeout_s)
        self._fresh = asyncio.Event()
        self._again = False
        """Whether the last look did not come to its end."""
        self._lost: dict[Key, tuple[str, ...]] = {}
        """What could not be put back, as it was logged."""
        self._repeated = set[Key]()
        """Attachments without a known rule whose ADD was repeated."""

    def watch(self, record: Record) -> None:
        """The attachment was made: its rules are read soon, and kept from then on."""
        if sweep.made_by(record.document):
            self._watched[sweep.key_of(record)] = record
            self._fresh.set()

    def lost(self, container_id: str) -> tuple[str, ...]:
        """The rules of its attachments that were erased and cannot be put back."""
        return tuple(line for key, gone in self._lost.items() if key.container_id == container_id for line in gone)

    def forget(self, container_id: str) -> None:
        """Before its attachments are undone, under its lock."""
        for key in [key for key in self._watched if key.container_id == container_id]:
            del self._watched[key]
            self._lost.pop(key, None)
            self._repeated.discard(key)
            self._forget_rules(key)

    def _forget_rules(self, key: Key) -> None:
        for known in self._known.values():
            known.pop(key, None)
        self._nft.forget(key)

    async def run(self) -> None:
        """Until it is cancelled. A failure is logged, and ends nothing else."""
        await self._fresh.wait()
        events = await _opened()
        try:
            while True:
                if not self._watched:
                    await self._fresh.wait()
                removed = await self._cause(events)
                await asyncio.sleep(SETTLE_S)
                await self._look_and_tell(removed=removed)
                await asyncio.sleep(PAUSE_S)
        finally:
            if events is not None:
                events.close()

    async def _look_and_tell(self, *, removed: bool) -> None:
        self._again = True
        try:
            await self.look()
            if removed:
                await self._repeat_unseen()
            self._again = False
        except OSError as error:
            log.warning("cannot read the node's rules", code="network.rules_unread", error=str(error))
        except Exception as error:  # a defect here must not end the executor
            if exhausted.tell(log, error) is None:
                log.exception("defect while looking at rules", code="executor.defect")

    async def _cause(self, events: RuleEvents | None) -> bool:
        """Waits until there is a reason to look; whether rules were removed, or may have been."""
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._fresh.wait())]
        if events is not None:
            waits.append(asyncio.create_task(events.removal()))
        try:
            timeout_s = POLL_S if events is None or self._lost or self._again else None
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            return not self._fresh.is_set() if events is None else events.take()
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def look(self) -> None:
        """Learn what is new, and put back what is missing. Raises OSError."""
        self._fresh.clear()
        for family in sweep.FAMILIES:
            watched = [key for key, record in self._watched.items() if _has_family(record, family)]
            saved = await sweep.saved(family, self._timeout_s) if watched else None
            if saved is not None:
                missing = self._compare(family, saved, watched)
                if missing:
                    await self._put_back(family, missing)
        await self._nft.look(self._watched, self._tell)

    async def _repeat_unseen(self) -> None:
        """portmap's ADD for attachments with port mappings of which no rule was ever seen, once for each."""
        unseen = [
            key
            for key, record in self._watched.items()
            if record.capability_args.get("portMappings")
            and key not in self._repeated
            and not any(known.get(key) for known in self._known.values())
            and not self._nft.knows(key)
        ]
        for key in unseen:
            self._repeated.add(key)
            said = await self._repeat(key)
            self._forget_rules(key)
            await self.look()
            seen = [line for known in self._known.values() for line in known.get(key, ())]
            if lines := (*seen, *self._nft.lines(key)):
                self._tell(key, lines, (), "")
            elif said:
                self._tell(key, (_UNSEEN,), (_UNSEEN,), said)

    def _compare(self, family: str, saved: str, watched: list[Key]) -> dict[Key, tuple[str, ...]]:
        """The rules that each attachment lacks; those that all need count for each that maps ports."""
        known = self._known[family]
        missing = lines.lost({key: known[key] for key in watched if key in known}, saved)
        fresh = [key for key in watched if key not in known]
        known |= lines.owned(saved, fresh)
        there = lines.common(saved)
        gone = tuple(sorted(self._common[family] - there))
        self._common[family] |= there
        if gone:
            mapping = [key for key in watched if any(lines.is_port_mapping(line, key) for line in known[key])]
            missing = {key: (*missing.get(key, ()), *gone) for key in mapping} | {
                key: lines for key, lines in missing.items() if key not in mapping
            }
        return missing

    async def _put_back(self, family: str, missing: dict[Key, tuple[str, ...]]) -> None:
        said: dict[Key, list[str]] = {key: [] for key in missing}
        few = asyncio.Semaphore(AT_A_TIME)

        async def repeat(key: Key) -> None:
            async with few:
                said[key].append(await self._repeat(key))

        ported = [key for key, lines in missing.items() if any(_is_of_ports(line, key) for line in lines)]
        await asyncio.gather(*map(repeat, ported))
        saved = await sweep.saved(family, self._timeout_s) or ""
        for key in missing:
            async with self._lock(key.container_id):
                known = self._known[family].get(key)
                texts = lines.restorations(saved, key, known) if known and key in self._watched else ()
                said[key] += [await sweep.restore(family, text, self._timeout_s) for text in texts]
        saved = await sweep.saved(family, self._timeout_s) or ""
        still = self._compare(family, saved, [key for key in missing if key in self._known[family]])
        for key, absent in missing.items():
            if key in self._watched:
                self._tell(key, absent, still.get(key, ()), "; ".join(filter(None, said[key])))

    async def _repeat(self, key: Key) -> str:
        """portmap's ADD; what went wrong, in words."""
        async with self._lock(key.container_id):
            record = self._watched.get(key)
            kinds = [plugin["type"] for plugin in record.document["plugins"]] if record is not None else []
            if record is None or PORTMAP not in kinds:
                return ""
            error = await chain.repeat(self._plugins, record, kinds.index(PORTMAP), FIRST_RELEASE_S)
            return "" if error is None else f"{PORTMAP}: {error}"

    def _tell(self, key: Key, missing: tuple[str, ...], still: tuple[str, ...], said: str) -> None:
        if not still:
            self._lost.pop(key, None)
            log.warning(
                "rules of a pod were erased and are put back",
                code="network.rules_restored",
                pod=key.container_id,
                network=key.network,
                count=len(missing),
                text=missing[0],
            )
        elif self._lost.get(key) != still:
            self._lost[key] = still
            log.warning(
                "rules of a pod were erased and cannot be put back",
                code="network.rules_lost",
                pod=key.container_id,
                network=key.network,
                count=len(still),
                text=still[0],
                error=said,
            )


def _is_of_ports(line: str, key: Key) -> bool:
    return lines.is_port_mapping(line, key) or line in lines.common(line)


async def _opened() -> RuleEvents | None:
    """None where the kernel does not report the rules: iptables' legacy variant has none of nf_tables."""
    try:
        return None if await sweep.is_legacy() else RuleEvents()
    except (OSError, RuntimeError):  # nor where no program can be started now
        return None


def _has_family(record: Record, family: str) -> bool:
    ips = [str(each.get("address") or "") for each in (record.result or {}).get("ips") or ()]
    ips += [str(((record.result or {}).get(key) or {}).get("ip") or "") for key in ("ip4", "ip6")]
    return any((":" in ip) == (family == "ip6tables") for ip in ips if ip)
