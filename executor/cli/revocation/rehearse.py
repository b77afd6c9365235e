"""`rehearse`: what a revocation would do and how long earlier ones took; ends nothing."""

from __future__ import annotations

from typing import Any

import click

from executor.cli.exits import Exit
from executor.cli.printing import output, units
from executor.cli.revocation import choice
from executor.cli.revocation.fitting import fitting
from executor.cli.session import Session, json_option, pass_session


@click.command("rehearse")
@choice.options
@click.option("--exercise", is_flag=True, help="Stop the victims' processes for some milliseconds, to prove the reach.")
@json_option
@pass_session
def command(session: Session, /, *, exercise: bool, as_json: bool, **options: Any) -> int:
    """Show which pods a revocation would end, and how long it takes by the receipts of earlier ones. Ends nothing.

    Without a choice it is about every revocable pod. Where several executors run, each one that has such pods answers.
    """
    choice_made = choice.request(options, all_without_choice=True)
    clients = fitting(session, choice_made)
    answers = [each.post("/v1/rehearsals", {**choice_made, "exercise": exercise}, timeout_s=None) for each in clients]
    if as_json:
        named = [{"mesos_container": each.id, **found} for each, found in zip(clients, answers, strict=True)]
        output.json_document(answers[0] if len(answers) == 1 else {"rehearsals": named})
    else:
        for client, found in zip(clients, answers, strict=True):
            if len(clients) > 1:
                output.line(f"executor {client.id}:")
            _show(found)
    return max(map(_exit, answers))


def _exit(found: dict[str, Any]) -> Exit:
    done = found.get("exercise", {})
    return Exit.OK if done.get("all_stopped", True) and done.get("regular_untouched", True) else Exit.FAILURE


def _show(found: dict[str, Any]) -> None:
    would = found["would"]
    if would["victims"]:
        output.table(
            ("pod", "tasks", "cpus", "memory"),
            ((each["pod"], each["tasks"], each["cpus"], units.size(each["mem_bytes"])) for each in would["victims"]),
        )
    else:
        output.line("no revocable pod is meant by this")
    freed = would["freed"]
    output.line("")
    pairs: list[tuple[str, object]] = [
        ("would free", f"{freed['cpus']:g} cpus, {units.size(freed['mem_bytes'])}"),
        ("revocations so far", _times(found["history"]["revocations"])),
        ("each pod so far", _times(found["history"]["victims"])),
        ("from kill to end", _times(found["history"]["after_kill"])),
        ("stuck so far", found["history"]["stuck"]),
    ]
    if (done := found.get("exercise")) is not None:
        reach = "all stopped" if done["all_stopped"] else "NOT ALL STOPPED"
        pairs.append(("exercise", f"{done['processes']} processes, {reach} in {done['stop_ms']:g} ms"))
        pairs.append(("regular pods", "untouched" if done["regular_untouched"] else "STOPPED TOO"))
    output.fields(pairs)


def _times(times: dict[str, Any]) -> str:
    if not times["count"]:
        return "none measured yet"
    return f"p50 {times['p50_ms']:g} ms, p90 {times['p90_ms']:g} ms, p99 {times['p99_ms']:g} ms of {times['count']}"
