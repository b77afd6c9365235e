"""`gc`: releases what dead executors left on this node. The systemd timer runs it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from executor import log
from executor.cli import output
from executor.cli.exits import Exit
from executor.cli.session import Session, json_option, pass_session
from executor.config import Config, LogSection
from executor.names import MesosContainerId

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.node.inventory import Inventory
    from executor.node.reaper import Reaped

AGAIN_S = 0.25


@dataclass(frozen=True)
class _Outcome:
    """`before` is what there was; `reaped` is None at a dry run."""

    before: Inventory
    reaped: Reaped | None


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Print what would be released.")
@click.option("--only", default="", metavar="ID", help="Release only what the executor of this Mesos container left.")
@click.option("--wait", default=0.0, metavar="SECONDS", help="How long to wait for what another gc is releasing.")
@click.option(
    "--assume-dead",
    default="",
    metavar="ID",
    help="Release also what nothing proves to be a dead executor's; refused if anything of it lives.",
)
@json_option
@pass_session
def command(session: Session, *, dry_run: bool, only: str, wait: float, assume_dead: str, as_json: bool) -> int:
    """Release what dead executors left on this node.

    That is processes, containers, snapshots, shims, addresses and port rules, network namespaces, names and cgroups.
    An executor is dead if its lock file, which its records name, can be locked. Of whose owner nothing is proven is
    printed and not touched.
    """
    if assume_dead and (dry_run or only):
        raise click.UsageError("--assume-dead goes with no other choice")
    loaded = session.configuration()
    log.configure(LogSection(level="error"))  # what could not be released is printed here
    if only:
        outcome = asyncio.run(_collect_one(loaded, MesosContainerId(only), dry_run=dry_run, wait_s=wait))
    else:
        outcome = asyncio.run(_collect(loaded, dry_run=dry_run, assume_dead=assume_dead, wait_s=wait))
    document = _document(outcome)
    if as_json:
        output.json_document(document)
    else:
        _show(document)
    return Exit.FAILURE if document["failed"] else Exit.OK


async def _collect_one(loaded: Config, only: MesosContainerId, *, dry_run: bool, wait_s: float) -> _Outcome:
    """Another reaper may hold the lock, and release everything or fail."""
    from executor.containerd import Containerd
    from executor.node.inventory import inventory
    from executor.node.reaper import reap

    deadline = time.monotonic() + wait_s
    async with await Containerd.connect(loaded.containerd.address, loaded.containerd.namespace) as containerd:
        while True:
            reaped = None if dry_run else await reap(loaded, containerd, only=only)
            if reaped is None or only not in reaped.living or time.monotonic() > deadline:
                before = await inventory(loaded, containerd)
                dead = {container: counts for container, counts in before.dead.items() if container == only}
                return _Outcome(replace(before, dead=dead), reaped)
            await asyncio.sleep(AGAIN_S)


async def _collect(loaded: Config, *, dry_run: bool, assume_dead: str, wait_s: float) -> _Outcome:
    from executor.containerd import Containerd
    from executor.node.inventory import inventory
    from executor.node.reaping.assumed import reap_assumed

    async with await Containerd.connect(loaded.containerd.address, loaded.containerd.namespace) as containerd:
        before = await inventory(loaded, containerd)
        if assume_dead:
            return _Outcome(before, await reap_assumed(MesosContainerId(assume_dead), loaded, containerd))
        return _Outcome(before, None if dry_run else await _reaped(loaded, containerd, wait_s))


async def _reaped(loaded: Config, containerd: Containerd, wait_s: float) -> Reaped:
    """A lock that is held although its owner's process has ended is another reaper's."""
    import psutil

    from executor.node.claims import listed
    from executor.node.reaper import reap

    deadline = time.monotonic() + wait_s
    while True:
        reaped = await reap(loaded, containerd)
        ended = {owner.container for owner in listed(Path(loaded.node.run_dir)) if not psutil.pid_exists(owner.pid)}
        if not ended & reaped.living or time.monotonic() > deadline:
            return reaped
        await asyncio.sleep(AGAIN_S)


def _document(outcome: _Outcome) -> dict[str, Any]:
    before, reaped = outcome.before, outcome.reaped
    reported = [
        {"network": entry.network, "address": entry.address, "container": entry.container_id, "path": str(entry.path)}
        for entry in before.unrecorded
    ]
    unknown = before.unknown if reaped is None else reaped.unknown
    return {
        "dry_run": reaped is None,
        "living": list(before.living),
        "executors": list(before.dead) if reaped is None else reaped.owners,
        "released": before.counts() if reaped is None else dict(sorted(reaped.counts.items())),
        "failed": [] if reaped is None else reaped.failed,
        "unknown": [{"executor": container, "reason": why} for container, why in sorted(unknown.items())],
        "lost_shims": [{"pid": shim.pid, "container": shim.container} for shim in before.lost_shims],
        "reported": reported,
        "foreign_addresses": len(before.others),
    }


def _show(document: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in document["released"].items()) or "nothing"
    verb = "would release" if document["dry_run"] else "released"
    output.line(f"{verb} {counts} of {len(document['executors'])} dead executors; {len(document['living'])} live")
    for each in document["unknown"]:
        output.line(
            f"not touched: executor {output.clean(each['executor'])} may live: {output.clean(each['reason'])}; if it "
            "does not: gc --assume-dead with its id"
        )
    for each in document["lost_shims"]:
        container = output.clean(each["container"])
        output.line(f"not touched: process {each['pid']} is a shim of container {container}, which has no record")
    for entry in document["reported"]:
        output.line(
            f"not touched: {entry['address']} of network {entry['network']} is held by {entry['container']}, of which "
            f"no executor has a record ({output.clean(entry['path'])})"
        )
    for text in document["failed"]:
        output.note(f"not released: {text}")
