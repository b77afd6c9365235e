"""Attaching pods to networks, and undoing it: the order of things, retries, ownership.

Invariants: all networks of a pod or none; one operation at a time for a pod, any number for different pods; a record
before the first plugin, DEL after every ADD that failed, DEL only of what has a record; ids begin with `pod-`, so
that nothing here can be taken for the Mesos agent's. Shared networks are never garbage collected: CNI's GC would end
the attachments of Mesos tasks.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from executor.cni import netns as namespace
from executor.cni.attachment import Attachment, NetworkRequest
from executor.cni.config import version
from executor.cni.config.capability import capability_args, check_request, cni_args
from executor.cni.config.catalog import Catalog
from executor.cni.config.conflist import MESOS_ARGS, Network, plugin_config
from executor.cni.config.plan import plan
from executor.cni.plugins import chain
from executor.cni.plugins.failure import INCOMPATIBLE_VERSION, Fault, network_failure
from executor.cni.plugins.limit import FIRST_RELEASE_S, Limit
from executor.cni.plugins.plugin import Call, Plugins
from executor.cni.plugins.result import attachment
from executor.cni.records.cache import Cache, Record
from executor.cni.rules import sweep
from executor.cni.rules.keeper import RuleKeeper
from executor.concurrency import to_the_end
from executor.errors import ExecutorError, InvalidRequest, NetworkFailure, Refused
from executor.names import POD_PREFIX

_CONTAINER_ID = re.compile(rf"{POD_PREFIX}[A-Za-z0-9][A-Za-z0-9_.-]*")
_RETRY_DELAYS_S = (0.1, 0.3, 1.0, 3.0)


class Cni:
    """`timeout_s` limits each run of a plugin; `retry_delays_s` are the pauses after a plugin's "try again later"."""

    def __init__(
        self,
        config_dir: Path,
        plugin_dirs: Sequence[Path],
        state_dir: Path,
        timeout_s: float,
        *,
        retry_delays_s: Sequence[float] = _RETRY_DELAYS_S,
    ) -> None:
        self._catalog = Catalog(config_dir)
        self._plugins = Plugins(plugin_dirs, timeout_s)
        self._cache = Cache(state_dir)
        self._retry_delays_s = tuple(retry_delays_s)
        self._timeout_s = timeout_s
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._keeper = RuleKeeper(self._plugins, self._lock, timeout_s)

    async def open_namespace(self, path: Path) -> None:
        """A network namespace at `path`, its loopback up. Raises NetworkFailure."""
        await namespace.ensure(path)

    async def close_namespace(self, path: Path) -> None:
        """After `detach`. Missing is success. Raises NetworkFailure."""
        await namespace.destroy(path)

    async def attach(
        self, container_id: str, netns: Path, requests: Sequence[NetworkRequest]
    ) -> tuple[Attachment, ...]:
        """Every request in its order, or nothing: what was done is undone before the error is raised, also at a
        cancellation.

        Raises InvalidConfig, InvalidRequest, NotFound and Refused (nothing was started), NetworkFailure.
        """
        _check_id(container_id)
        _check_requests(container_id, requests)
        async with self._lock(container_id):
            if self._cache.of(container_id):
                raise NetworkFailure("is attached already", subject=container_id, hint="detach it first")
            if not namespace.exists(netns):
                raise NetworkFailure("no network namespace there", subject=str(netns), hint="make it before attaching")
            networks = [await plan(self._catalog, self._plugins, request) for request in requests]
            try:
                return tuple(
                    [
                        await self._attach_one(_record(container_id, netns, request, network, order), network)
                        for order, (request, network) in enumerate(zip(requests, networks, strict=True))
                    ]
                )
            except BaseException as error:
                left = await to_the_end(self._delete_all(container_id, netns, FIRST_RELEASE_S))
                if left and isinstance(error, ExecutorError):
                    message = f"{error.message}; and it could not be undone: {'; '.join(left)}"
                    raise NetworkFailure(message, subject=error.subject, hint=error.hint) from error
                raise

    async def detach(self, container_id: str, netns: Path | None, *, limit_s: float | None = None) -> None:
        """Every attachment that has a record, last first, as it was made. No record is success. A record stays until
        its DEL succeeded, so this can be repeated. It must come before the network namespace goes, where plugins find
        the addresses whose rules they remove. `limit_s` bounds all runs of plugins together, beside the limit of each.
        Raises NetworkFailure with everything that failed, Refused.
        """
        _check_id(container_id)
        async with self._lock(container_id):
            left = await self._delete_all(container_id, netns, limit_s)
        if left:
            raise NetworkFailure(
                "; ".join(left), subject=container_id, hint="remove the cause; the next detach repeats it"
            )

    async def check(self, container_id: str) -> None:
        """Raises NetworkFailure if a plugin finds its attachment damaged. Versions before 0.4.0 and disableCheck: not
        checked.
        """
        _check_id(container_id)
        async with self._lock(container_id):
            for record in self._cache.of(container_id):
                fault = await chain.check(self._plugins, record, self._retry_delays_s)
                if fault is not None:
                    raise network_failure(record.subject, fault)

    async def status(self, network: str) -> None:
        """Whether the plugins would take an ADD now; those before 1.1.0 cannot tell. Raises NetworkFailure,
        InvalidConfig, NotFound.
        """
        found = await plan(self._catalog, self._plugins, NetworkRequest(network))
        if not version.at_least(found.versions[0], version.STATUS):
            return
        document = found.document(found.versions[0])
        for index, plugin in enumerate(found.plugins):
            config = plugin_config(document, index, capability_args={}, args={}, previous=None)
            outcome = await self._plugins.run(plugin["type"], Call("STATUS", config))
            if outcome.error is not None:
                raise network_failure(found.subject, Fault(plugin["type"], "STATUS", outcome.error))

    def lost_rules(self, container_id: str) -> tuple[str, ...]:
        """The rules of its attachments that were erased and cannot be put back."""
        return self._keeper.lost(container_id)

    async def keep_rules(self) -> None:
        """Until it is cancelled: the port and masquerade rules of what was attached here are put back when they are
        erased.
        """
        await self._keeper.run()

    def attachments(self) -> tuple[Record, ...]:
        """Everything on record, of this and of earlier executors, but for what cannot be read."""
        return self._cache.readable()[0]

    def networks(self) -> tuple[str, ...]:
        """The names that can be asked for."""
        return self._catalog.names()

    def _lock(self, container_id: str) -> asyncio.Lock:
        return self._locks.setdefault(container_id, asyncio.Lock())

    async def _attach_one(self, record: Record, network: Network) -> Attachment:
        """An ADD is only repeated after a DEL that succeeded: a plugin that failed may have left an interface behind.
        Plugins must permit a repeated DEL, so it is repeated after any failure, with the same pauses.
        """
        versions, delays_s = list(network.versions), list(self._retry_delays_s)
        while True:
            tried, fault = await self._try_add(replace(record, document=network.document(versions[0])))
            if fault is None:
                self._keeper.watch(tried)
                return attachment(tried.network, tried.ifname, tried.result or {})
            if fault.error.code == INCOMPATIBLE_VERSION and len(versions) > 1:
                versions.pop(0)  # DEL must be understood too
                tried = replace(tried, document=network.document(versions[0]), result=None)
            elif fault.error.is_passing and delays_s:
                await asyncio.sleep(delays_s.pop(0))
            else:
                raise network_failure(tried.subject, fault)
            while await self._delete(tried, self._limit([tried], FIRST_RELEASE_S)):
                if not delays_s:
                    raise network_failure(tried.subject, fault)
                await asyncio.sleep(delays_s.pop(0))

    async def _try_add(self, record: Record) -> tuple[Record, Fault | None]:
        await to_the_end(asyncio.to_thread(self._cache.save, record))
        result, fault = await chain.add(self._plugins, record)
        record = replace(record, result=result, complete=fault is None, fault="" if fault is None else fault.words)
        await to_the_end(asyncio.to_thread(self._cache.save, record))
        return record, fault

    async def _delete_all(self, container_id: str, netns: Path | None, limit_s: float | None) -> list[str]:
        """What is left, in words."""
        self._keeper.forget(container_id)
        left: list[str] = []
        records = self._cache.of(container_id)
        limit = self._limit(records, limit_s)
        for record in reversed(records):
            faults = await self._delete(replace(record, netns=str(netns or record.netns)), limit)
            left += [f"{record.subject}: {fault}" for fault in faults]
        self._cache.tidy(container_id)
        return left

    def _limit(self, records: Sequence[Record], total_s: float | None) -> Limit:
        runs = sum(len(record.document["plugins"]) + sweep.made_by(record.document) for record in records)
        return Limit(self._timeout_s, time.monotonic, total_s, runs)

    async def _delete(self, record: Record, limit: Limit) -> tuple[Fault, ...]:
        if not namespace.exists(Path(record.netns)):
            record = replace(record, netns="")  # plugins release what they can without it
        faults = await chain.delete(self._plugins, record, self._retry_delays_s, limit)
        if sweep.missing_chain(faults, record.network, record.container_id):
            await sweep.ensure_chains(record.network, record.container_id, limit)
            faults = await chain.delete(self._plugins, record, self._retry_delays_s, limit)
        if not faults and sweep.made_by(record.document):
            # Not earlier: a repeated DEL fails at a chain that is missing.
            faults = await sweep.sweep(record, limit)
        if not faults:
            await to_the_end(asyncio.to_thread(self._cache.remove, record))
        return faults


def _record(container_id: str, netns: Path, request: NetworkRequest, network: Network, order: int) -> Record:
    return Record(
        container_id=container_id,
        ifname=request.ifname,
        network=network.name,
        netns=str(netns),
        file=network.file,
        order=order,
        document={},
        capability_args=capability_args(request),
        args={MESOS_ARGS: {"network_info": dict(request.network_info)}},
        cni_args=cni_args(request, container_id),
    )


def _check_id(container_id: str) -> None:
    if not _CONTAINER_ID.fullmatch(container_id):
        hint = f"only ids that begin with {POD_PREFIX} are this executor's"
        raise Refused(
            "not a pod's id, and attachments of others are not touched", subject=repr(container_id), hint=hint
        )


def _check_requests(container_id: str, requests: Sequence[NetworkRequest]) -> None:
    for request in requests:
        check_request(request)
    if len({request.ifname for request in requests}) < len(requests):
        raise InvalidRequest("two networks have one interface name", subject=container_id)
