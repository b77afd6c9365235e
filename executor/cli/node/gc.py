"""`gc`: releases what dead executors left on this node. The systemd timer runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from executor import log
from executor.cli.exits import Exit
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.config import Config, LogSection
from executor.errors import NotFound
from executor.names import MesosContainerId

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.node.inventory import Inventory
    from executor.node.reaper import Reaped

AGAIN_S = 0.25


@dataclass(frozen=True)
class _Outcome:
    """`before` is what there was; `reaped` is None at a dry run. `releasing`: dead executors whose remains another
    process releases now, and its pid.
    """

    before: Inventory
    reaped: Reaped | None
    releasing: Mapping[MesosContainerId, int] = field(default_factory=dict)


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
    An executor is dead if its lock file, which its records name, can be locked. What has an owner of which
    nothing is proven is printed and not touched.
    """
    if assume_dead and only:
        raise click.UsageError("--assume-dead and --only do not go together")
    loaded = session.configuration()
    log.configure(LogSection(level="error"))  # what could not be released is printed here
    run_dir = Path(loaded.node.run_dir)
    if only:
        outcome = asyncio.run(_collect_one(loaded, MesosContainerId(only), dry_run=dry_run, wait_s=wait))
    else:
        outcome = asyncio.run(_collect(loaded, dry_run=dry_run, assume_dead=assume_dead, wait_s=wait))
    document = _document(replace(outcome, releasing=_releasing(run_dir, outcome.before.living)))
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
                _check_known(only, Path(loaded.node.run_dir), before, reaped)
                dead = {container: counts for container, counts in before.dead.items() if container == only}
                return _Outcome(replace(before, dead=dead), reaped)
            await asyncio.sleep(AGAIN_S)


def _check_known(only: str, run_dir: Path, before: Inventory, reaped: Reaped | None) -> None:
    """Raises NotFound for an id that nothing on this node carries, and that was not released lately."""
    from executor.node.claims import was_reaped

    found = {*before.living, *before.dead, *before.unknown, *(reaped.owners if reaped else ())}
    if only not in found and not was_reaped(run_dir, MesosContainerId(only)):
        known = ", ".join(sorted(found)) or "no executor"
        raise NotFound("nothing on this node carries this id", subject=f"executor {only}", hint=f"gc knows: {known}")


async def _collect(loaded: Config, *, dry_run: bool, assume_dead: str, wait_s: float) -> _Outcome:
    from executor.containerd import Containerd
    from executor.node.inventory import inventory
    from executor.node.reaping.assumed import assumed_left, reap_assumed

    async with await Containerd.connect(loaded.containerd.address, loaded.containerd.namespace) as containerd:
        before = await inventory(loaded, containerd)
        if assume_dead:
            owner = MesosContainerId(assume_dead)
            if not dry_run:
                return _Outcome(before, await reap_assumed(owner, loaded, containerd))
            left = await assumed_left(owner, loaded, containerd)
            unknown = {container: why for container, why in before.unknown.items() if container != owner}
            return _Outcome(replace(before, dead={owner: left}, unknown=unknown), None)
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


def _releasing(run_dir: Path, living: Collection[MesosContainerId]) -> dict[MesosContainerId, int]:
    """The dead among those whose lock is held."""
    from executor.node.claims import listed
    from executor.node.lock_holders import reaper_of

    held = [(owner.container, reaper_of(owner, run_dir)) for owner in listed(run_dir) if owner.container in living]
    return {container: pid for container, pid in held if pid}


def _document(outcome: _Outcome) -> dict[str, Any]:
    before, reaped, releasing = outcome.before, outcome.reaped, outcome.releasing
    reported = [
        {"network": entry.network, "address": entry.address, "container": entry.container_id, "path": str(entry.path)}
        for entry in before.unrecorded
    ]
    unknown = before.unknown if reaped is None else reaped.unknown
    return {
        "dry_run": reaped is None,
        "living": [container for container in before.living if container not in releasing],
        "releasing": [{"executor": container, "pid": pid} for container, pid in sorted(releasing.items())],
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
    executors = document["executors"]
    named = f" ({', '.join(map(output.clean, executors))})" if executors else ""
    output.line(f"{verb} {counts} of {len(executors)} dead executors{named}; {len(document['living'])} live")
    for each in document["releasing"]:
        output.line(f"executor {output.clean(each['executor'])} is dead: process {each['pid']} releases what it left")
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
