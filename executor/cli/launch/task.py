"""`task`: the TaskInfos that a framework launches for the pods of a file."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from executor.cli.launch.validate import policy, read
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import InvalidTask, together

if TYPE_CHECKING:
    from executor.spec.kubernetes.workloads import Launchable
    from executor.spec.model import ContainerSpec, PodSpec, Policy

MIB: Final = 1 << 20
CONTAINER_CPUS, CONTAINER_MEM_BYTES = 0.1, 64 * MIB
"""The resources of a container that asks for none."""


@click.command("task")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--role", default="*", show_default=True, help="The role whose resources the tasks use.")
@click.option("--revocable", is_flag=True, help="Use revocable cpus.")
@json_option
@pass_session
def command(session: Session, file: Path, *, role: str, revocable: bool, as_json: bool) -> None:
    """Print the TaskInfos of the pods in FILE (- for stdin), as a JSON list.

    FILE has Pods, Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs, with the ConfigMaps, Secrets
    and claims that they name: several YAML documents, or a List. Resources are what the containers ask for, or else 0.1
    cpus and 64 MiB for each. Ports, and the persistent volumes of claims, must be in the offer: the framework creates
    these volumes. It adds agent_id, and replaces the tasks that end.
    """
    tasks, left = tasks_of(session, file, role=role, revocable=revocable)
    output.json_document(tasks)
    if as_json:
        return
    if left:
        output.note(f"no task is made of: {', '.join(left)}")
    if volumes := [each["disk"]["persistence"]["id"] for task in tasks for each in task["resources"] if "disk" in each]:
        needed = "; Mesos reserves disk for a role only: use --role" if role == "*" else ""
        output.note(f"the framework creates these persistent volumes first: {', '.join(volumes)}{needed}")


def tasks_of(session: Session, file: Path, *, role: str, revocable: bool) -> tuple[list[dict[str, Any]], Sequence[str]]:
    """The TaskInfos of a file's pods, and what it has besides. Raises NotFound, InvalidTask."""
    from executor.spec.kubernetes import workloads
    from executor.spec.reading import document as manifest

    documents = manifest.mappings(manifest.values(read(file)))
    if not any(document.get("kind") in workloads.KINDS for document in documents):
        raise InvalidTask(f"has no {', '.join(workloads.KINDS)}", subject=str(file))
    tasks = _tasks(workloads.launchables(documents), policy(session), role=role, revocable=revocable)
    return tasks, workloads.others(documents)


def _tasks(found: Sequence[Launchable], allowed: Policy, *, role: str, revocable: bool) -> list[dict[str, Any]]:
    """Raises FaultyTask with the faults of every pod; a workload's pods share them."""
    from executor.spec import checks as common
    from executor.spec.launch import parse_pod

    tasks: list[dict[str, Any]] = []
    faults: dict[tuple[str, str], InvalidTask] = {}
    for one, name in zip(found, common.without_twins([one.name for one in found]), strict=True):
        data = _data(one)
        try:
            pod = parse_pod(data, policy=allowed)
        except InvalidTask as error:
            renamed = [_of_template(fault, one) for fault in error.faults]
            faults |= {(fault.subject, fault.message): fault for fault in renamed}
            continue
        tasks.append(_task(name, data, _resources(pod, role=role, revocable=revocable)))
    if faults:
        raise together(list(faults.values()))
    return tasks


def _data(one: Launchable) -> str:
    document = one.documents[0] if len(one.documents) == 1 else {"kind": "List", "items": list(one.documents)}
    return base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()


def _of_template(fault: InvalidTask, one: Launchable) -> InvalidTask:
    subject = fault.subject
    if one.path and subject.startswith(("spec", "metadata")):
        subject = f"{one.path}.{subject}"
    return InvalidTask(fault.message, subject=subject, hint=fault.hint)


def _task(name: str, data: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "task_id": {"value": name}, "resources": resources, "data": data}


def _resources(pod: PodSpec, *, role: str, revocable: bool) -> list[dict[str, Any]]:
    from executor.spec.kubernetes import extended_resources, huge_pages

    containers = pod.containers
    cpus = sum(_first(one.requests.cpus, one.limits.cpus, CONTAINER_CPUS) for one in containers)
    memory = sum(_first(one.limits.memory_bytes, one.requests.memory_bytes, CONTAINER_MEM_BYTES) for one in containers)
    disk = sum(_disk_bytes(one) for one in containers)
    amounts: dict[str, float] = {"cpus": max(0.01, math.ceil(cpus * 1000) / 1000), "mem": math.ceil(memory / MIB)}
    amounts |= {"disk": math.ceil(disk / MIB)} if disk else {}
    amounts |= {**extended_resources.together(containers), **huge_pages.together(containers)}
    found = [_scalar(name, amount) for name, amount in amounts.items()] + list(_volumes(pod, role))
    if revocable:
        found[0]["revocable"] = {}
    if ports := _ports(pod):
        ranges = [{"begin": port, "end": port} for port in ports]
        found.append({"name": "ports", "type": "RANGES", "ranges": {"range": ranges}})
    return [each | {"allocation_info": {"role": role}} for each in found]


def _volumes(pod: PodSpec, role: str) -> Iterator[dict[str, Any]]:
    """The persistent volumes of the claims that come with the pod: of others the size is not known."""
    from executor.spec.volume_model import ClaimedVolume

    sizes = {claim.volume: claim.request_bytes for claim in pod.objects.claims.values()}
    wanted = dict.fromkeys(each.id for each in pod.volumes if isinstance(each, ClaimedVolume) and sizes.get(each.id))
    for identity in wanted:
        volume = {"persistence": {"id": identity}, "volume": {"container_path": identity, "mode": "RW"}}
        found = _scalar("disk", math.ceil(sizes[identity] / MIB)) | {"disk": volume}
        yield found if role == "*" else found | {"reservations": [{"type": "DYNAMIC", "role": role}]}


def _first(*choices: float | None) -> float:
    return next(choice for choice in choices if choice is not None)


def _disk_bytes(one: ContainerSpec) -> int:
    return one.requests.ephemeral_bytes or one.limits.ephemeral_bytes or 0


def _ports(pod: PodSpec) -> list[int]:
    """The ports of the node that the pod asks for."""
    mapped = [port.host_port for port in pod.host_ports]
    declared = [port.host_port for one in pod.containers for port in one.ports if port.host_port is not None]
    return sorted({*mapped, *declared})


def _scalar(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}
