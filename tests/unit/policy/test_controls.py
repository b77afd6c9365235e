"""Each control of Kubernetes' Pod Security Standards, with every value of its row: what passes and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from executor.config.role_policy import Level, RolePolicy
from executor.policy.violation import Violation
from executor.policy.violations import NodeFacts, violations
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from tests.unit.pod.samples import Document, pod, task

NETWORK = NodeFacts(default_network="podnet", shares_network=False)
BASELINE, RESTRICTED = RolePolicy(), RolePolicy(Level.RESTRICTED)
PRIVILEGED = RolePolicy(Level.PRIVILEGED)
APPARMOR = "container.apparmor.security.beta.kubernetes.io/app"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
HARDENED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}
"""The least that restricted accepts."""
C, I = "spec.containers[0]", "spec.initContainers[0]"  # noqa: E741


def parsed(document: Document) -> PodSpec:
    return parse_launch([task(document)], group=False)


def own(**context: Any) -> Document:
    """A pod whose container has this security context."""
    return pod({"securityContext": context})


def shared(**context: Any) -> Document:
    """A pod that has this security context for all of its containers."""
    return pod(securityContext=context)


def before(**context: Any) -> Document:
    """A pod whose init container has this security context."""
    return pod(initContainers=[{"name": "first", "image": "x", "securityContext": context}])


def annotated(key: str, value: str) -> Document:
    return {**pod(), "metadata": {"name": "web", "annotations": {key: value}}}


def found(document: Document, policy: RolePolicy) -> tuple[Violation, ...]:
    return violations(parsed(document), policy, NETWORK)


def hardened(**context: Any) -> Document:
    return own(**{**HARDENED, **context})


def probe(**action: Any) -> Document:
    return pod({"livenessProbe": action, "ports": [{"containerPort": 80}]})


HTTP = {"httpGet": {"port": 80, "host": "10.0.0.1"}}
TCP = {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}
PROCESS = {"hostProcess": True}

# control, path of the violation, pod
BASELINE_DENIES: list[tuple[str, str, Document]] = [
    ("HostProcess", f"{C}.securityContext.windowsOptions.hostProcess", own(windowsOptions=PROCESS)),
    ("HostProcess", f"{C}.securityContext.windowsOptions.hostProcess", shared(windowsOptions=PROCESS)),
    ("HostProcess", f"{I}.securityContext.windowsOptions.hostProcess", before(windowsOptions=PROCESS)),
    ("Host Namespaces", "spec.hostNetwork", pod(hostNetwork=True)),
    ("Host Namespaces", "spec.hostPID", pod(hostPID=True)),
    ("Host Namespaces", "spec.hostIPC", pod(hostIPC=True)),
    ("Privileged Containers", f"{C}.securityContext.privileged", own(privileged=True)),
    ("Privileged Containers", f"{I}.securityContext.privileged", before(privileged=True)),
    *[
        ("Capabilities", f"{C}.securityContext.capabilities.add", own(capabilities={"add": [name]}))
        for name in ("ALL", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "DAC_READ_SEARCH", "BPF")
    ],
    ("Capabilities", f"{I}.securityContext.capabilities.add", before(capabilities={"add": ["SYS_TIME"]})),
    ("HostPath Volumes", "spec.volumes[0].hostPath.path", pod(volumes=[{"name": "v", "hostPath": {"path": "/srv"}}])),
    ("HostPath Volumes", "spec.volumes[0].hostPath.path", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}])),
    ("Host Probes / Lifecycle Hooks", f"{C}.livenessProbe.httpGet.host", probe(**HTTP)),
    ("Host Probes / Lifecycle Hooks", f"{C}.livenessProbe.tcpSocket.host", probe(**TCP)),
    ("Host Probes / Lifecycle Hooks", f"{C}.readinessProbe.httpGet.host", pod({"readinessProbe": HTTP})),
    ("Host Probes / Lifecycle Hooks", f"{C}.startupProbe.tcpSocket.host", pod({"startupProbe": TCP})),
    ("Host Probes / Lifecycle Hooks", f"{C}.lifecycle.postStart.httpGet.host", pod({"lifecycle": {"postStart": HTTP}})),
    ("Host Probes / Lifecycle Hooks", f"{C}.lifecycle.preStop.tcpSocket.host", pod({"lifecycle": {"preStop": TCP}})),
    ("AppArmor", f"{C}.securityContext.appArmorProfile.type", own(appArmorProfile={"type": "Unconfined"})),
    ("AppArmor", f"{C}.securityContext.appArmorProfile.type", shared(appArmorProfile={"type": "Unconfined"})),
    ("AppArmor", f"{C}.securityContext.appArmorProfile.type", annotated(APPARMOR, "unconfined")),
    ("SELinux", f"{C}.securityContext.seLinuxOptions.type", own(seLinuxOptions={"type": "spc_t"})),
    ("SELinux", f"{C}.securityContext.seLinuxOptions.type", shared(seLinuxOptions={"type": "unconfined_t"})),
    ("SELinux", f"{C}.securityContext.seLinuxOptions.user", own(seLinuxOptions={"user": "system_u"})),
    ("SELinux", f"{C}.securityContext.seLinuxOptions.role", own(seLinuxOptions={"role": "sysadm_r"})),
    ("/proc Mount Type", f"{C}.securityContext.procMount", own(procMount="Unmasked")),
    ("/proc Mount Type", f"{I}.securityContext.procMount", before(procMount="Unmasked")),
    (
        "/proc Mount Type",
        f"{C}.volumeMounts",
        pod({"volumeMounts": [{"name": "v", "mountPath": "/dev/"}]}, volumes=[{"name": "v", "emptyDir": {}}]),
    ),
    ("Seccomp", f"{C}.securityContext.seccompProfile.type", own(seccompProfile={"type": "Unconfined"})),
    ("Seccomp", f"{C}.securityContext.seccompProfile.type", shared(seccompProfile={"type": "Unconfined"})),
    ("Seccomp", f"{C}.securityContext.seccompProfile.type", annotated(SECCOMP, "unconfined")),
    (
        "Sysctls",
        "spec.securityContext.sysctls[0].name",
        shared(sysctls=[{"name": "net.ipv4.tcp_rmem", "value": "4096 87380 1048576"}]),
    ),
]
BASELINE_ALLOWS: dict[str, Document] = {
    "the least": pod(),
    "hostProcess false": own(windowsOptions={"hostProcess": False}),
    "namespaces false": pod(hostNetwork=False, hostPID=False, hostIPC=False),
    "privileged false": own(privileged=False),
    "capabilities": own(
        capabilities={
            "add": [
                "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
                "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
            ],
            "drop": ["NET_RAW"],
        }
    ),
    "volumes": pod(volumes=[{"name": "v", "emptyDir": {}}]),
    "an offered host port": pod({"ports": [{"containerPort": 80, "hostPort": 31000}]}),
    "host port 0": pod({"ports": [{"containerPort": 80, "hostPort": 0}]}),
    "a probe of the pod": probe(httpGet={"port": 80, "host": ""}),
    "selinux types": own(seLinuxOptions={"type": "container_t", "level": "s0:c1,c2"}),
    "selinux of init": own(seLinuxOptions={"type": "container_init_t"}),
    "selinux of virtual machines": own(seLinuxOptions={"type": "container_kvm_t"}),
    "selinux of engines": own(seLinuxOptions={"type": "container_engine_t", "user": "", "role": ""}),
    "proc default": own(procMount="Default"),
    "seccomp default": own(seccompProfile={"type": "RuntimeDefault"}),
    "seccomp of the node": own(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
    "seccomp annotation": annotated(SECCOMP, "runtime/default"),
    "apparmor of the node": own(appArmorProfile={"type": "Localhost", "localhostProfile": "a"}),
    "apparmor annotation": annotated(APPARMOR, "localhost/a"),
    "sysctls": shared(
        sysctls=[
            {"name": name, "value": value}
            for name, value in {
                "kernel.shm_rmid_forced": "1", "net.ipv4.ip_local_port_range": "1024 65535",
                "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.tcp_syncookies": "1",
                "net.ipv4.ping_group_range": "0 0", "net.ipv4.ip_local_reserved_ports": "30000",
                "net.ipv4.tcp_keepalive_time": "600", "net.ipv4.tcp_fin_timeout": "30",
                "net.ipv4.tcp_keepalive_intvl": "30", "net.ipv4.tcp_keepalive_probes": "5",
            }.items()
        ]
    ),
}  # fmt: skip
RESTRICTED_DENIES: list[tuple[str, str, Document]] = [
    (
        "Volume Types",
        "spec.volumes[0].hostPath.path",
        pod({"securityContext": HARDENED}, volumes=[{"name": "v", "hostPath": {"path": "/srv"}}]),
    ),
    ("Privilege Escalation", f"{C}.securityContext.allowPrivilegeEscalation", hardened(allowPrivilegeEscalation=True)),
    ("Running as Non-root", f"{C}.securityContext.runAsNonRoot", hardened(runAsNonRoot=False)),
    ("Running as Non-root", f"{C}.securityContext.runAsNonRoot", hardened(runAsNonRoot=None)),
    ("Seccomp", f"{C}.securityContext.seccompProfile.type", hardened(seccompProfile=None)),
    ("Capabilities", f"{C}.securityContext.capabilities.drop", hardened(capabilities={})),
    ("Capabilities", f"{C}.securityContext.capabilities.drop", hardened(capabilities={"drop": ["NET_RAW"]})),
    (
        "Capabilities",
        f"{C}.securityContext.capabilities.add",
        hardened(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}),
    ),
]
RESTRICTED_ALLOWS: dict[str, Document] = {
    "the least": hardened(),
    "net bind service": hardened(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "a user": hardened(runAsUser=1000),
    "seccomp of the node": hardened(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
    "the pod's context": {
        **pod(
            {"securityContext": {key: HARDENED[key] for key in ("allowPrivilegeEscalation", "capabilities")}},
            securityContext={key: HARDENED[key] for key in ("runAsNonRoot", "seccompProfile")},
        )
    },
    "volumes": pod(
        {"securityContext": HARDENED},
        volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "downwardAPI": {"items": []}}],
    ),
}


@pytest.mark.parametrize(("control", "path", "document"), BASELINE_DENIES)
def test_baseline_denies(control: str, path: str, document: Document) -> None:
    (violation,) = found(document, BASELINE)
    assert (violation.control, violation.path) == (control, path)
    assert violation.message and violation.hint
    assert (control, path) in [(each.control, each.path) for each in found(document, RESTRICTED)], "levels add up"
    assert found(document, PRIVILEGED) == ()


@pytest.mark.parametrize("name", BASELINE_ALLOWS)
def test_baseline_allows(name: str) -> None:
    assert found(BASELINE_ALLOWS[name], BASELINE) == ()


@pytest.mark.parametrize(("control", "path", "document"), RESTRICTED_DENIES)
def test_restricted_denies(control: str, path: str, document: Document) -> None:
    (violation,) = [each for each in found(document, RESTRICTED) if each.control != "HostPath Volumes"]
    assert (violation.control, violation.path) == (control, path)
    assert violation.message and violation.hint
    assert found(document, PRIVILEGED) == ()


def test_restricted_denies_root() -> None:
    """runAsNonRoot with runAsUser 0 contradicts itself, so this pod violates two controls."""
    found_here = found(hardened(runAsNonRoot=False, runAsUser=0), RESTRICTED)
    assert [each.control for each in found_here] == ["Running as Non-root", "Running as Non-root user"]
    assert found_here[1].path == f"{C}.securityContext.runAsUser"


@pytest.mark.parametrize("name", RESTRICTED_ALLOWS)
def test_restricted_allows(name: str) -> None:
    assert found(RESTRICTED_ALLOWS[name], RESTRICTED) == ()


def test_each_control_has_a_test() -> None:
    """The rows of the two tables of Kubernetes' page."""
    rows = {
        "HostProcess", "Host Namespaces", "Privileged Containers", "Capabilities", "HostPath Volumes",
        "Host Probes / Lifecycle Hooks", "AppArmor", "SELinux", "/proc Mount Type", "Seccomp", "Sysctls",
    }  # fmt: skip
    assert {control for control, *_ in BASELINE_DENIES} == rows, "Host Ports: test_allow_lists.py"
    added = {"Volume Types", "Privilege Escalation", "Running as Non-root", "Seccomp", "Capabilities"}
    assert {control for control, *_ in RESTRICTED_DENIES} == added, "and Running as Non-root user, above"


def test_a_plain_pod_violates_each_control_of_restricted() -> None:
    """All of them at once, each with its path."""
    assert [(each.control, each.path.removeprefix(f"{C}.securityContext.")) for each in found(pod(), RESTRICTED)] == [
        ("Privilege Escalation", "allowPrivilegeEscalation"),
        ("Running as Non-root", "runAsNonRoot"),
        ("Seccomp", "seccompProfile.type"),
        ("Capabilities", "capabilities.drop"),
    ]
