"""`revoke`: takes revocable resources back and prints the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from executor import duration
from executor.cli.exits import Exit
from executor.cli.history import processes
from executor.cli.printing import output, units
from executor.cli.revocation import choice
from executor.cli.revocation.fitting import fitting, show, would_free
from executor.cli.session import Session, json_option, pass_session
from executor.errors import InvalidInput

_MEANT: Final = ("pod", "tasks", "cpus", "used", "memory")
_ENDED: Final = ("pod", "tasks", "outcome", "notified", "ms", "cpus", "used", "memory")


def _time(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Raises a usage error."""
    try:
        if text is not None:
            duration.seconds(text, subject="")
    except InvalidInput as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error
    return text


@click.command("revoke")
@choice.options
@click.option(
    "--grace", metavar="TIME", callback=_time, help="Time to end by itself, such as 5s (default: revocation.grace_s)."
)
@click.option(
    "--deadline", metavar="TIME", callback=_time, help="Time after which everything must be ended; shortens the grace."
)
@click.option("--reason", default="", metavar="TEXT", help="Sent to the framework and kept in the receipt.")
@click.option("--id", "identity", metavar="ID", help="Name of this revocation; the same id is carried out once only.")
@click.option("--dry-run", is_flag=True, help="Print what would be ended.")
@click.option("--no-wait", is_flag=True, help="Return when it has begun.")
@json_option
@pass_session
def command(session: Session, /, *, no_wait: bool, as_json: bool, **options: Any) -> int:
    """Take revocable resources back: end the chosen revocable pods, and no regular one.

    They are chosen by exactly one of --all, --role, --task and --label, or by --reclaim-cpus and --reclaim-mem.
    Where several executors run, it is carried out by each one that has such pods.
    """
    body = _request(options)
    query = {"wait": "0"} if no_wait else {}
    clients = fitting(session, body)
    receipts = [{**each.post("/v1/revocations", body, timeout_s=None, **query)} for each in clients]
    show(clients, receipts, _show, as_json=as_json, key="revocations")
    return max(map(_exit, receipts))


def _request(options: dict[str, Any]) -> dict[str, Any]:
    """The document that executor.revocation.request reads."""
    body = choice.request(options)
    identity, dry_run = options.pop("identity"), options.pop("dry_run")
    body |= {key: text for key, text in options.items() if text}
    if identity:
        body["id"] = identity
    if dry_run:
        body["dry_run"] = True
    return body


def _exit(receipt: dict[str, Any]) -> Exit:
    if receipt["state"] == "refused":
        return Exit.REFUSED
    spared = receipt.get("regular", {}).get("unchanged", True)
    return Exit.FAILURE if receipt["state"] == "stuck" or receipt.get("error") or not spared else Exit.OK


def _show(receipt: dict[str, Any]) -> None:
    freed, regular = receipt.get("freed") or {}, receipt.get("regular")
    if "victims" not in receipt:
        output.fields((("revocation", receipt.get("id")), ("state", receipt["state"])))
        return
    if receipt["victims"]:
        columns = _MEANT if receipt["state"] == "dry-run" else _ENDED
        output.table(columns, (_row(each, columns) for each in receipt["victims"]), spare=("used", "notified", "cpus"))
    else:
        output.line("no revocable pod fits")
    summary: list[tuple[str, object]] = [
        ("revocation", receipt.get("id")),
        ("state", receipt["state"]),
        ("reason", receipt.get("reason")),
        *_freed(receipt["state"], freed),
    ]
    if receipt["state"] != "dry-run":
        summary.append(("took", _took(receipt)))
    if regular is not None:
        verdict = "unchanged" if regular.get("unchanged") else f"CHANGED: {output.clean(regular.get('changed'))}"
        summary.append(("regular pods", f"{regular.get('pods', 0)} of this executor, {verdict}"))
    if left := receipt.get("left"):
        rest = f"{units.count(left['pods'], 'pod')}, {left['cpus']:g} cpus, {units.size(left['mem_bytes'])}"
        if not left["pods"]:
            rest = f"{rest} of ended pods"
        summary.append(("revocable left", rest))
    if receipt.get("error"):
        summary.append(("error", receipt["error"]))
    output.line("")
    output.fields(summary)
    processes.show(processes.of(pid for each in receipt["victims"] for pid in each.get("pids", ())))


def _freed(state: str, freed: dict[str, Any]) -> list[tuple[str, object]]:
    """How much memory the kernel gives back with the last process is known afterwards only."""
    if state == "dry-run":
        return [("would free", would_free(freed))]
    amount = f"{freed.get('cpus', 0):g} cpus, {units.size(freed.get('mem_bytes', 0))}"
    pairs: list[tuple[str, object]] = [("freed", amount)]
    if "mem_kept_bytes" in freed:
        later = f"{units.size(freed['mem_kept_bytes'])}: the kernel still charges it (files in memory, kernel memory)"
        pairs.append(("freed later", later))
    return pairs


def _took(receipt: dict[str, Any]) -> str:
    """The time until all had ended, or that this is not over."""
    alive = [each for each in receipt["victims"] if each["outcome"] == "stuck"]
    took = f"{receipt.get('time_to_free_ms', 0):g} ms"
    if not alive:
        return took
    since_s = max(each["ms"] for each in alive) / 1e3
    ended = f"{took} for those that ended; " if len(alive) < len(receipt["victims"]) else ""
    pods = "1 pod" if len(alive) == 1 else f"{len(alive)} pods"
    return f"{ended}{pods} alive {since_s:.1f} s after the request, in spite of SIGKILL"


def _row(victim: dict[str, Any], columns: Sequence[str]) -> tuple[object, ...]:
    memory = victim.get("mem_bytes")
    cells = victim | {
        "used": victim.get("used_cpus"),
        "memory": None if memory is None else units.size(memory),
    }
    return tuple(cells.get(column) for column in columns)
