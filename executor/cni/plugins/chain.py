"""One attachment through its chain of plugins: ADD forward, DEL backward, CHECK forward.

Source: CNI specification 1.1.0, section 3. Beyond it, DEL does not stop at the first plugin that fails: the others'
addresses and rules are released, and the whole chain is DELed again later, which plugins must permit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from executor.cni.attachment import Json
from executor.cni.config import version
from executor.cni.config.conflist import plugin_config
from executor.cni.plugins.failure import INCOMPATIBLE_VERSION, Fault, PluginError
from executor.cni.plugins.limit import Limit
from executor.cni.plugins.plugin import Call, Outcome, Plugins
from executor.cni.plugins.result import UnreadableResultError, attachment, converted
from executor.cni.records.cache import Record


async def add(plugins: Plugins, record: Record) -> tuple[Json | None, Fault | None]:
    """The result so far, and what ended the chain early. Never retried here: a plugin that failed may have left half
    of its work.
    """
    result: Json | None = None
    for index in range(len(record.document["plugins"])):
        outcome = await _run(plugins, record, "ADD", index, result)
        try:
            if outcome.error is None:
                result = _accepted(record, outcome)
                continue
            error = outcome.error
        except UnreadableResultError as unreadable:
            error = PluginError("printed a result that cannot be understood", details=str(unreadable))
        return result, Fault(_kind(record, index), "ADD", error)
    return result, None


async def delete(plugins: Plugins, record: Record, retry_delays_s: Sequence[float], limit: Limit) -> tuple[Fault, ...]:
    """Every plugin, last first, each within its part of the limit; empty: nothing of the attachment is left.

    A plugin that does not speak the version, or that cannot read its configuration, refuses ADD and DEL alike: where
    ADD did not succeed, and DEL fails with the same words, it has done nothing.
    """
    previous = record.result if version.at_least(record.version, version.CHECK) else None
    faults = []
    for index in reversed(range(len(record.document["plugins"]))):
        error = await _persistently(plugins, record, "DEL", index, previous, retry_delays_s, limit)
        if error is not None and not _refused_alike(record, fault := Fault(_kind(record, index), "DEL", error)):
            faults.append(fault)
    return tuple(faults)


def _refused_alike(record: Record, fault: Fault) -> bool:
    """A code is the plugin's own word; without one it was killed, or said nothing of use."""
    code = fault.error.code
    return not record.complete and code is not None and (code == INCOMPATIBLE_VERSION or fault.words == record.fault)


async def check(plugins: Plugins, record: Record, retry_delays_s: Sequence[float]) -> Fault | None:
    """The first fault. Not run where the specification forbids it: before 0.4.0, or with disableCheck."""
    if record.document.get("disableCheck") or not version.at_least(record.version, version.CHECK):
        return None
    for index in range(len(record.document["plugins"])):
        error = await _persistently(plugins, record, "CHECK", index, record.result, retry_delays_s)
        if error is not None:
            return Fault(_kind(record, index), "CHECK", error)
    return None


async def repeat(plugins: Plugins, record: Record, index: int, timeout_s: float) -> PluginError | None:
    """ADD of one plugin again, with the result that the chain had: for plugins that find their work done already."""
    return (await _run(plugins, record, "ADD", index, record.result, timeout_s)).error


def _accepted(record: Record, outcome: Outcome) -> Json:
    if outcome.result is None:
        raise UnreadableResultError("nothing was printed")
    result = converted(outcome.result, record.version)
    attachment(record.network, record.ifname, result)  # it must be readable to the end
    return result


async def _persistently(
    plugins: Plugins,
    record: Record,
    command: str,
    index: int,
    previous: Json | None,
    retry_delays_s: Sequence[float],
    limit: Limit | None = None,
) -> PluginError | None:
    """Repeats what a plugin asks to repeat, while the limit lasts."""
    delays_s = list(retry_delays_s)
    while True:
        timeout_s = None if limit is None else limit.next_s()
        error = (await _run(plugins, record, command, index, previous, timeout_s)).error
        over = not delays_s or (limit is not None and limit.is_over)
        if error is None or not error.is_passing or over:
            return error
        await asyncio.sleep(delays_s.pop(0))


async def _run(
    plugins: Plugins, record: Record, command: str, index: int, previous: Json | None, timeout_s: float | None = None
) -> Outcome:
    config = plugin_config(
        record.document, index, capability_args=record.capability_args, args=record.args, previous=previous
    )
    call = Call(command, config, record.container_id, record.netns, record.ifname, record.cni_args)
    return await plugins.run(_kind(record, index), call, timeout_s)


def _kind(record: Record, index: int) -> str:
    return str(record.document["plugins"][index]["type"])
