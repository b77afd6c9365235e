"""`gc`: releases what dead executors left on this node. The systemd timer runs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from executor import log
from executor.cli import output
from executor.cli.exits import Exit
from executor.cli.session import Session, json_option, pass_session
from executor.config import Config, LogSection

if TYPE_CHECKING:
    from executor.reaper import Reaped
    from executor.survey import Survey


@dataclass(frozen=True)
class _Outcome:
    """`before` is what there was; `reaped` is None at a dry run."""

    before: Survey
    reaped: Reaped | None


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Print what would be released.")
@json_option
@pass_session
def command(session: Session, *, dry_run: bool, as_json: bool) -> int:
    """Release what dead executors left on this node.

    That is processes, containers, snapshots, addresses and port rules, network namespaces, names and cgroups. Whatever
    does not carry a dead executor's id is not touched.
    """
    loaded = session.configuration()
    log.configure(LogSection(level="error"))  # what could not be released is printed here
    outcome = asyncio.run(_collect(loaded, dry_run=dry_run))
    document = _document(outcome)
    if as_json:
        output.json_document(document)
    else:
        _show(document)
    return Exit.FAILURE if document["failed"] else Exit.OK


async def _collect(loaded: Config, *, dry_run: bool) -> _Outcome:
    from executor.containerd import Containerd
    from executor.reaper import reap
    from executor.survey import survey

    async with await Containerd.connect(loaded.containerd.address, loaded.containerd.namespace) as containerd:
        before = await survey(loaded, containerd)
        return _Outcome(before, None if dry_run else await reap(loaded, containerd))


def _document(outcome: _Outcome) -> dict[str, Any]:
    before, reaped = outcome.before, outcome.reaped
    reported = [
        {"network": entry.network, "address": entry.address, "container": entry.container_id, "path": str(entry.path)}
        for entry in before.unrecorded
    ]
    return {
        "dry_run": reaped is None,
        "living": list(before.living),
        "executors": list(before.dead) if reaped is None else reaped.owners,
        "released": before.counts() if reaped is None else dict(sorted(reaped.counts.items())),
        "failed": [] if reaped is None else reaped.failed,
        "reported": reported,
        "foreign_addresses": len(before.others),
    }


def _show(document: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in document["released"].items()) or "nothing"
    verb = "would release" if document["dry_run"] else "released"
    output.line(f"{verb} {counts} of {len(document['executors'])} dead executors; {len(document['living'])} live")
    for entry in document["reported"]:
        output.line(
            f"not touched: {entry['address']} of network {entry['network']} is held by {entry['container']}, of which "
            f"no executor has a record ({output.clean(entry['path'])})"
        )
    for text in document["failed"]:
        output.note(f"not released: {text}")
