"""`revoke`: takes revocable resources back and prints the receipt."""

from __future__ import annotations

from typing import Any

import click

from executor.cli import output
from executor.cli.exits import Exit
from executor.cli.session import Session, json_option, pass_session


@click.command("revoke")
@click.option("--all", "everything", is_flag=True, help="Every revocable pod.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Pods of this role and the roles below it.")
@click.option("--task", "tasks", multiple=True, metavar="ID", help="The pods of these tasks.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Pods with all of these labels.")
@click.option("--grace", metavar="TIME", help="Time to end by itself, such as 5s (default: revocation.grace_s).")
@click.option("--deadline", metavar="TIME", help="Time after which everything must be ended; shortens the grace.")
@click.option("--reason", default="", metavar="TEXT", help="Told to the framework and kept in the receipt.")
@click.option("--id", "identity", metavar="ID", help="Name of this revocation; the same id is carried out once only.")
@click.option("--dry-run", is_flag=True, help="Print what would be ended.")
@click.option("--no-wait", is_flag=True, help="Return when it has begun.")
@json_option
@pass_session
def command(session: Session, /, *, no_wait: bool, as_json: bool, **options: Any) -> int:
    """Take revocable resources back: end the chosen revocable pods, and no regular one."""
    body = _request(**options)
    client = session.one()
    receipt = client.post("/v1/revocations", body, timeout_s=None, **({"wait": "0"} if no_wait else {}))
    if as_json:
        output.json_document(receipt)
    else:
        _show(receipt)
    return _exit(receipt)


def _request(
    *,
    everything: bool,
    roles: tuple[str, ...],
    tasks: tuple[str, ...],
    labels: tuple[str, ...],
    dry_run: bool,
    identity: str | None,
    **texts: str | None,
) -> dict[str, Any]:
    """The document that executor.revocation.request reads."""
    chosen: dict[str, Any] = {"all": True, "roles": list(roles), "tasks": list(tasks), "labels": _labels(labels)}
    given = {"all": everything, "roles": roles, "tasks": tasks, "labels": labels}
    select = {key: chosen[key] for key, value in given.items() if value}
    if len(select) != 1:
        raise click.UsageError("choose victims by exactly one of --all, --role, --task and --label")
    body: dict[str, Any] = {"select": select, **{key: text for key, text in texts.items() if text}}
    if identity:
        body["id"] = identity
    if dry_run:
        body["dry_run"] = True
    return body


def _labels(texts: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--label")
        labels[key] = value
    return labels


def _exit(receipt: dict[str, Any]) -> Exit:
    if receipt["state"] == "refused":
        return Exit.REFUSED
    spared = receipt.get("regular", {}).get("unchanged", True)
    return Exit.FAILURE if receipt["state"] == "stuck" or not spared else Exit.OK


def _show(receipt: dict[str, Any]) -> None:
    freed, regular = receipt.get("freed") or {}, receipt.get("regular")
    if "victims" not in receipt:
        output.fields((("revocation", receipt.get("id")), ("state", receipt["state"])))
        return
    output.table(
        ("pod", "tasks", "outcome", "ms"),
        ((each["pod"], each.get("tasks"), each.get("outcome"), each.get("ms")) for each in receipt["victims"]),
    )
    summary: list[tuple[str, object]] = [
        ("revocation", receipt.get("id")),
        ("state", receipt["state"]),
        ("reason", receipt.get("reason")),
        ("freed", f"{freed.get('cpus', 0):g} cpus, {output.mebibytes(freed.get('mem_bytes', 0))}"),
        ("took", f"{receipt.get('time_to_free_ms', 0):g} ms"),
    ]
    if regular is not None:
        verdict = "unchanged" if regular.get("unchanged") else f"CHANGED: {output.clean(regular.get('changed'))}"
        summary.append(("regular pods", f"{regular.get('pods', 0)}, {verdict}"))
    if receipt.get("error"):
        summary.append(("error", receipt["error"]))
    output.line("")
    output.fields(summary)
