"""`rehearse`: what a revocation would do and how long earlier ones took; ends nothing."""

from __future__ import annotations

from typing import Any

import click

from executor.cli.exits import Exit
from executor.cli.printing import output, units
from executor.cli.revocation import choice
from executor.cli.revocation.fitting import fitting, show, would_free
from executor.cli.session import Session, json_option, pass_session


@click.command("rehearse")
@choice.options
@click.option("--exercise", is_flag=True, help="Stop the victims' processes for some milliseconds, to prove the reach.")
@json_option
@pass_session
def command(session: Session, /, *, exercise: bool, as_json: bool, **options: Any) -> int:
    """Show which pods a revocation would end, and how long it takes by the receipts of earlier ones. Ends nothing.

    Without a choice it is about every revocable pod. Where several executors run, each one that has such pods answers;
    if none has, all of them.
    """
    choice_made = choice.request(options, all_without_choice=True)
    clients = fitting(session, choice_made, all_if_none=True)
    answers = [each.post("/v1/rehearsals", {**choice_made, "exercise": exercise}, timeout_s=None) for each in clients]
    show(clients, answers, _show, as_json=as_json, key="rehearsals")
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
        output.line("no revocable pod fits")
    freed = would["freed"]
    output.line("")
    pairs: list[tuple[str, object]] = [
        ("would free", would_free(freed)),
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
    known = [(name, times.get(f"{name}_ms")) for name in ("p50", "p90", "p99")]
    shown = ", ".join(f"{name} {value:g} ms" for name, value in known if value is not None)
    return f"{shown} of {times['count']}" if shown else "none measured yet"
