"""What a pod asks of security, and what the node's policy says to it."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec, Policy, SeLinux
from tests.unit.pod.samples import Document, pod, task

OPEN = Policy(allow_privileged=True)
APPARMOR = "container.apparmor.security.beta.kubernetes.io/app"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP = "container.seccomp.security.alpha.kubernetes.io/app"


def parse(document: Document, policy: Policy = OPEN) -> PodSpec:
    return parse_launch([task(document)], group=False, policy=policy)


def own(**context: Any) -> Document:
    return pod({"securityContext": context})


FOR_OPERATORS: dict[str, Document] = {
    "spec.containers[0].securityContext.privileged": own(privileged=True),
    "spec.containers[0].securityContext.procMount": own(procMount="Unmasked"),
    "spec.hostPID": pod(hostPID=True),
    "spec.hostIPC": pod(hostIPC=True),
}


@pytest.mark.parametrize("path", FOR_OPERATORS)
def test_an_operator_allows_it(path: str) -> None:
    with pytest.raises(InvalidTask, match="not allowed on this node") as caught:
        parse(FOR_OPERATORS[path], Policy())
    assert caught.value.subject == path and "[pods] allow_privileged" in caught.value.hint
    assert parse(FOR_OPERATORS[path]) != parse(pod())


@pytest.mark.parametrize("document", [own(privileged=False, procMount="Default"), pod(hostPID=False, hostIPC=False)])
def test_what_asks_for_nothing_passes_everywhere(document: Document) -> None:
    assert parse(document, Policy()) == parse(pod())


def test_a_privileged_container_has_everything() -> None:
    (container,) = parse(own(privileged=True, seccompProfile={"type": "RuntimeDefault"})).containers
    assert container.security.add_capabilities == ("CAP_ALL",)
    assert (container.security.seccomp, container.security.no_new_privileges) == ("Unconfined", False)


@pytest.mark.parametrize("capability", ["SYS_ADMIN", "CAP_SYS_ADMIN", "sys_admin"])
def test_no_new_privileges_are_none_with_sys_admin(capability: str) -> None:
    with pytest.raises(InvalidTask, match="SYS_ADMIN") as caught:
        parse(own(allowPrivilegeEscalation=False, capabilities={"add": [capability]}))
    assert caught.value.subject.endswith("allowPrivilegeEscalation")
    with pytest.raises(InvalidTask, match="privileged"):
        parse(own(allowPrivilegeEscalation=False, privileged=True))


def test_containers_share_their_processes_or_the_nodes() -> None:
    two = pod(containers=[{"name": name, "image": "x"} for name in "ab"], shareProcessNamespace=True)
    assert parse(two).share_pids
    assert not parse(pod()).share_pids
    with pytest.raises(InvalidTask) as caught:
        parse_launch(
            [task(pod(shareProcessNamespace=True, hostPID=True))], group=False, policy=Policy(allow_privileged=True)
        )
    assert caught.value.subject == "spec.shareProcessNamespace"


@pytest.mark.parametrize(
    ("annotations", "profile"),
    [
        ({SECCOMP_POD: "runtime/default"}, "RuntimeDefault"),
        ({SECCOMP_POD: "docker/default", SECCOMP: "unconfined"}, "Unconfined"),
        ({SECCOMP_POD: "unconfined", APPARMOR: "unconfined"}, "Unconfined"),
    ],
)
def test_confinement_in_annotations_is_given(annotations: dict[str, str], profile: str) -> None:
    document = {**pod(), "metadata": {"name": "web", "annotations": annotations}}
    (container,) = parse(document).containers
    assert container.security.seccomp == profile


@pytest.mark.parametrize(
    ("key", "value"), [(SECCOMP_POD, "localhost/x"), (APPARMOR, "runtime/default"), (APPARMOR, "localhost/x")]
)
def test_or_refused(key: str, value: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse({**pod(), "metadata": {"name": "web", "annotations": {key: value}}})
    assert caught.value.subject == f"metadata.annotations['{key}']"


def test_a_field_wins_over_an_annotation() -> None:
    document = own(seccompProfile={"type": "Unconfined"})
    (container,) = parse(
        {**document, "metadata": {"name": "w", "annotations": {SECCOMP: "runtime/default"}}}
    ).containers
    assert container.security.seccomp == "Unconfined"


def test_a_label_of_selinux_is_completed() -> None:
    (container,) = parse(own(seLinuxOptions={"type": "spc_t"})).containers
    assert container.security.selinux == SeLinux(type="spc_t")
    assert container.security.selinux.label == "system_u:system_r:spc_t:s0"
