"""Pods from outside: one that is accepted must go through every pure stage that follows, up to what runc is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from executor import bounded_json
from executor.cli.launch import file_check
from executor.cni.config.capability import capability_args, check_request, cni_args
from executor.cni.resolver import hosts_file, resolv_conf
from executor.config import load
from executor.config.role_policy import Level, RolePolicy
from executor.errors import ImageFailure, InvalidInput, InvalidTask
from executor.images.model import ImageConfig
from executor.mesos.status import Capabilities, TaskState
from executor.oci.document import runtime_spec
from executor.oci.image_volumes import wanted
from executor.oci.place import Placement
from executor.oci.users import UserIds
from executor.pod.life import lifecycle
from executor.pod.life.effects import Report, SetUp
from executor.pod.life.events import ContainerExited, ContainerStarted, Launch, OutputCollected, SandboxReady
from executor.pod.network.requests import network_infos, requests
from executor.policy.violations import NodeFacts, admit, violations
from executor.reporting.status_updates import updates
from executor.spec import roles
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec, Policy
from tests.unit.pod.samples import pod as pod_document
from tests.unit.pod.samples import task as task_info

RULES = file_check.Rules(Policy(), load(None, {}))
IMAGE = ImageConfig(env=(("PATH", "/bin"),), entrypoint=("/app",), working_dir="/srv")
NODE = NodeFacts(default_network="net", protected=("/run/containerd",))
ABLE = Capabilities(partition_aware=True, task_killing_state=True)
DOWNWARD = dict.fromkeys(("status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs"), "10.0.0.7")
HOST_RESOLV = "nameserver 10.0.0.53\nsearch example.org\n"


def pod(data: bytes) -> None:
    """The data of a task, as JSON or YAML."""
    launch([task_info(data)], group=False)
    file_check.of(data, RULES)


def task(data: bytes) -> None:
    """A TaskInfo."""
    with suppress(ValueError):
        launch([bounded_json.loads(data)], group=False)
        file_check.of(data, RULES)


def group(data: bytes) -> None:
    """The tasks of a LAUNCH_GROUP."""
    with suppress(ValueError):
        document = bounded_json.loads(data)
        launch(document.get("tasks") if isinstance(document, dict) else document, group=True)
        file_check.of(data, RULES)


def executor_info(data: bytes) -> None:
    """An ExecutorInfo, as `validate` reads it."""
    file_check.of(data, RULES)


def launch(tasks: Any, *, group: bool) -> None:
    """A launch, accepted or not."""
    try:
        spec = parse_launch(tasks, group=group)
    except InvalidTask as error:
        "".join(map(str, (error, *error.faults))).encode()
        return
    with suppress(InvalidTask):
        roles.check({}, {}, spec)
    accepted(spec)


def accepted(spec: PodSpec) -> None:
    """What is done with a pod before the node is touched. A refusal in words is one; anything else is a finding."""
    for level in Level:
        for each in violations(spec, RolePolicy(level), NODE):
            str(each.fault).encode()
    with suppress(InvalidTask):
        spec = admit(spec, RolePolicy(Level.PRIVILEGED), NODE)
    _network(spec)
    for container in spec.containers:
        _document(spec, container.name, IMAGE)
    _life(spec)


def with_image(image: ImageConfig) -> None:
    """A plain pod on an image with this configuration."""
    _document(_PLAIN, _PLAIN.containers[0].name, image)


def _document(spec: PodSpec, name: str, image: ImageConfig) -> None:
    container = next(each for each in spec.containers if each.name == name)
    placement = Placement(
        cgroups_path="/x/pods/regular/_/pod-1/app",
        pod_dir=Path("/sandbox/pods/pod-1"),
        hostname=spec.hostname,
        user=UserIds(5, 6),
        downward=_Downward(),
        mount_sources=tuple(Path("/sources", mount.volume) for mount in container.mounts),
    )
    with suppress(InvalidTask, ImageFailure):
        wanted(image.volumes, container)
        document = runtime_spec(spec, container, image, placement)
        text = json.dumps(document, allow_nan=False)
        assert "\0" not in "".join(_texts(json.loads(text))), "a NUL would end a text in runc"


def _texts(value: Any) -> Iterator[str]:
    """Every text of a document, its keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


class _Downward(dict[str, str]):
    """Every field has a value on a node."""

    def __missing__(self, key: str) -> str:
        return DOWNWARD.get(key, "1")


def _network(spec: PodSpec) -> None:
    asked = requests(spec, "net")
    for each in asked:
        with suppress(InvalidInput):
            check_request(each)
            json.dumps(capability_args(each), allow_nan=False).encode()
            cni_args(each, "pod-1").encode()
    json.dumps(network_infos(asked, (), ("10.0.0.7",)), allow_nan=False).encode()
    with suppress(InvalidTask):
        resolv_conf(spec.dns_policy, spec.dns_config, None, HOST_RESOLV, host_network=spec.host_network).encode()
    with suppress(InvalidTask):
        hosts_file(spec.hostname, ("10.0.0.7/24",), spec.host_aliases).encode()


def _life(spec: PodSpec) -> None:
    """It starts, each of its containers ends well, and each of its tasks gets its status."""
    current, effects = lifecycle.step(lifecycle.begin(spec), Launch())
    assert SetUp() in effects
    current, effects = lifecycle.step(current, SandboxReady(("10.0.0.7",)))
    for _ in range(3 * len(spec.containers)):
        for each in tuple(current.containers.values()):
            if each.phase == "starting":
                current, more = lifecycle.step(current, ContainerStarted(each.name, each.run, 100))
            elif each.phase == "running":
                current, more = lifecycle.step(current, ContainerExited(each.name, each.run, 0, ran_s=1.0))
            elif each.phase == "ending":
                current, more = lifecycle.step(current, OutputCollected(each.name, each.run))
            else:
                continue
            effects += more
    for effect in effects:
        if isinstance(effect, Report):
            for made in updates(effect, ABLE, pod=current):
                json.dumps(made, allow_nan=False).encode()
    for made in updates(Report(spec.task_ids, TaskState.FAILED, "REASON_COMMAND_EXECUTOR_FAILED"), ABLE, pod=current):
        json.dumps(made, allow_nan=False).encode()


_PLAIN = parse_launch([task_info(pod_document({"securityContext": {"readOnlyRootFilesystem": True}}))], group=False)
