"""The documents of one executor that the pages are made of, as its control socket gives them."""

from __future__ import annotations

from typing import Any, Final

from executor.cli.documents.executor import Executor
from executor.cli.executors import answers
from executor.cli.executors.client import Client, segment
from executor.cli.history import former
from executor.cli.pods import lookup
from executor.cli.session import Session
from executor.errors import NotFound

_BEGINNINGS: Final = ("revocation.started", "revocation.dry_run", "revocation.refused", "revocation.receipt")


def executor(client: Client) -> dict[str, Any]:
    """For the node's page. Raises Unreachable."""
    about = client.get("/v1/executor")
    answers.check(Executor, about, client.id, "GET /v1/executor")
    pods = client.get("/v1/pods", all=1)["pods"]
    return {
        "executor": about,
        "pods": [pod for pod in pods if pod["state"] != "ended"],
        "ended": [pod for pod in pods if pod["state"] == "ended"],
        "revocations": client.get("/v1/revocations")["revocations"],
        "events": client.get("/v1/events")["events"],
    }


def revocation(session: Session, identity: str) -> dict[str, Any]:
    """A receipt, whose it is, and the events of it and of its victims while it lasted. Raises NotFound, Unreachable."""
    for client in session.all():
        try:
            receipt = client.get(f"/v1/revocations/{segment(identity)}")
        except NotFound:
            continue
        name = client.get("/v1/executor").get("executor")
        events = related(receipt, client.get("/v1/events")["events"])
        return {"executor": f"{client.id} ({name})" if name else client.id, "receipt": receipt, "events": events}
    hint = "mesos-pod-executor events --code revocation lists those that living executors know"
    raise NotFound("no executor of this node knows it", subject=f"revocation {identity}", hint=hint)


def newest_revocation(session: Session) -> dict[str, Any]:
    """As `revocation`, of the one that began last on this node and ended pods, or of the last request that did not.

    Raises NotFound, Unreachable.
    """
    begun: list[tuple[bool, str, str]] = []
    for client in session.some():
        receipts = {each["id"]: each for each in client.get("/v1/revocations")["revocations"]}
        for event in client.get("/v1/events")["events"]:
            if event.get("revocation") in receipts and event["code"] in _BEGINNINGS:
                receipt = receipts[event["revocation"]]
                begun.append((bool(receipt["victims"]) and receipt["state"] != "dry-run", event["time"], receipt["id"]))
    if not begun:
        hint = "mesos-pod-executor revoke --all --dry-run shows what one would end"
        raise NotFound("the executors of this node know of no revocation", subject=str(session.run_dir), hint=hint)
    return revocation(session, max(begun)[2])


def pod(session: Session, identity: str) -> dict[str, Any]:
    """A pod's document and its timeline, also of an executor that is gone. Raises NotFound, Unreachable."""
    client, document = lookup.find_known(session, identity)
    if client is None:
        return {"pod": document, "events": former.story(session, document["pod"])}
    try:
        events = client.get(f"/v1/timelines/{segment(document['pod'])}")["events"]
    except NotFound:
        events = []
    return {"pod": document, "events": events}


def related(receipt: dict[str, Any], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of the revocation itself, and of its victims from its beginning on. Pure."""
    victims = {victim["pod"] for victim in receipt["victims"]}
    found, begun = [], False
    for event in events:
        own = event.get("revocation") == receipt["id"]
        begun = begun or own
        if own or (begun and event.get("pod") in victims):
            found.append(event)
    return found
