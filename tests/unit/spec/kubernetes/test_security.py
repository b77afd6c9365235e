"""What a pod asks of security, and what the node's policy says to it."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec, Policy
from executor.spec.security_model import SeLinux
from tests.unit.pod.samples import Document, pod, task

APPARMOR = "container.apparmor.security.beta.kubernetes.io/app"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP = "container.seccomp.security.alpha.kubernetes.io/app"


def parse(document: Document) -> PodSpec:
    return parse_launch([task(document)], group=False)


def own(**context: Any) -> Document:
    return pod({"securityContext": context})


def test_what_asks_for_nothing_is_a_plain_pod() -> None:
    for document in (own(privileged=False, procMount="Default"), pod(hostPID=False, hostIPC=False)):
        assert parse(document) == parse(pod())


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
        parse(pod(shareProcessNamespace=True, hostPID=True))
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
    ("key", "value"), [(SECCOMP_POD, "profile"), (SECCOMP_POD, "localhost/"), (APPARMOR, "docker/default")]
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


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("kernel.panic", "whole node"),
        ("vm/swappiness", "whole node"),
        ("fs.file-max", "whole node"),
        ("kernel.shmmax", "node's IPC"),
        ("fs.mqueue.msg_max", "node's IPC"),
        ("net.core.somaxconn", "node's network"),
    ],
)
def test_a_sysctl_is_of_the_pods_own_namespaces(name: str, problem: str) -> None:
    asked = {"sysctls": [{"name": name, "value": "1"}]}
    with pytest.raises(InvalidTask, match=problem) as caught:
        parse(pod(securityContext=asked, hostNetwork=True, hostIPC=True))
    assert caught.value.subject == "spec.securityContext.sysctls[0].name"
    if "whole" not in problem:
        assert parse(pod(securityContext=asked)).sysctls == ((name, "1"),)


def test_the_node_says_which_runtime_classes_are_runc() -> None:
    policy = Policy(runtime_classes=("runc", "standard"))
    launched = [task(pod(runtimeClassName="standard"))]
    assert parse_launch(launched, group=False, policy=policy).without_effect == ()
    assert parse_launch([task(pod(runtimeClassName="runc"))], group=False).without_effect == ()
    with pytest.raises(InvalidTask, match="among its names") as caught:
        parse_launch(launched, group=False)
    assert (caught.value.subject, "runtime_classes" in caught.value.hint) == ("spec.runtimeClassName", True)
