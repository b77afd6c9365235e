"""`ps`: the pods of every executor on this node, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from executor.cli import complete
from executor.cli.executors.client import Client
from executor.cli.exits import Unreachable
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session

_COLUMNS = ("pod", "name", "class", "role", "state", "ready", "restarts", "age", "ips", "executor")
_SPARE = ("executor", "restarts", "ips", "ready", "role", "age")


@click.command("ps")
@click.option("--class", "pod_class", type=click.Choice(["regular", "revocable"]), help="Only pods of this class.")
@click.option("--role", help="Only pods of this role and the roles below it.", shell_complete=complete.roles)
@click.option("-a", "--all", "everything", is_flag=True, help="Also pods that ended lately, with what became of them.")
@json_option
@pass_session
def command(session: Session, pod_class: str | None, role: str | None, *, everything: bool, as_json: bool) -> None:
    """List the pods of this node. Where no executor runs there are none, which is no error."""
    clients = session.all()
    pods = [pod for pod in _all(clients, {"all": 1} if everything else {}) if _wanted(pod, pod_class, role)]
    pods.sort(key=lambda pod: (pod.get("class", ""), pod.get("role", ""), pod.get("started_at") or "", pod["pod"]))
    if as_json:
        output.json_document({"pods": pods})
        return
    if not clients:
        output.note(f"{session.run_dir}: no executor runs on this node")
    output.table(_COLUMNS, (_row(pod) for pod in pods), spare=_SPARE)


def _all(clients: Sequence[Client], query: dict[str, int]) -> list[dict[str, Any]]:
    """An executor that does not answer is named and left out, unless it is the only one."""
    pods: list[dict[str, Any]] = []
    silent = 0
    for client in clients:
        try:
            pods += client.get("/v1/pods", **query)["pods"]
        except Unreachable as error:
            silent += 1
            if silent == len(clients):
                raise
            output.note(str(error))
    return pods


def _wanted(pod: dict[str, Any], pod_class: str | None, role: str | None) -> bool:
    own: str = pod.get("role", "")
    return pod_class in (None, pod.get("class")) and (role is None or own == role or own.startswith(f"{role}/"))


def _row(pod: dict[str, Any]) -> tuple[object, ...]:
    containers = [each for each in pod.get("containers", []) if each.get("kind") != "init"]
    ready = sum(bool(container.get("ready", container.get("state") == "running")) for container in containers)
    name = "/".join(part for part in (pod.get("namespace"), pod.get("name")) if part)
    return (
        pod["pod"],
        name,
        pod.get("class"),
        pod.get("role"),
        _state(pod),
        f"{ready}/{len(containers)}",
        sum(container.get("restarts") or 0 for container in containers),
        output.age(pod.get("age_s")),
        pod.get("ips"),
        str(pod.get("executor", ""))[:12],
    )


def _progress(pulling: list[dict[str, Any]]) -> str:
    """Of all images that the pod waits for."""
    if any(each["error"] for each in pulling):
        return "backing off"
    total = sum(each["total_bytes"] for each in pulling)
    return f"{100 * sum(each['bytes'] for each in pulling) // total} %" if total else str(pulling[0]["phase"])


def _state(pod: dict[str, Any]) -> object:
    """And what Mesos was told, once that is settled, or that a container waits for its next start."""
    if pulling := pod.get("pulling"):
        return f"pulling ({_progress(pulling)})"
    outcome = pod.get("outcome")
    if not outcome and any(container.get("state") == "backing-off" for container in pod.get("containers", [])):
        return f"{pod.get('state')} (backing-off)"
    return f"{pod.get('state')} ({outcome['state']})" if outcome else pod.get("state")
