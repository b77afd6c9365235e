"""Pods from TaskInfo.data: what comes out, and which field a bad one names."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
import yaml

from executor.errors import InvalidTask
from executor.names import PodClass
from executor.spec.launch import parse_launch
from executor.spec.model import (
    ContainerKind,
    ContainerPort,
    DnsConfig,
    HostAlias,
    Limits,
    PodSpec,
    Policy,
    PortMapping,
    RestartPolicy,
    RuntimeField,
    TakenText,
    WantedNetwork,
)
from executor.spec.volume_model import EmptyDir, FsGroup, HostPath
from tests.unit.pod.samples import FULL_POD, Document, changed, encoded, full_task, pod, ports, scalar, steps, task
from tests.unit.pod.volume_samples import with_objects


def parse(document: Any, **fields: Any) -> PodSpec:
    return parse_launch([task(document, **fields)], group=False)


def refusal(document: Any, **fields: Any) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        parse(document, **fields)
    return caught.value


def test_a_minimal_pod_has_kubernetes_defaults() -> None:
    found = parse(pod())
    assert (found.task_ids, found.name, found.namespace, found.hostname) == (("web.1",), "web", "default", "web")
    assert (found.restart_policy, found.termination_grace_s, found.active_deadline_s) == (
        RestartPolicy.ALWAYS,
        30,
        None,
    )
    assert (found.dns_policy, found.host_network, found.networks, found.priority) == ("ClusterFirst", False, (), 0)
    (container,) = found.containers
    assert (container.command, container.args, container.working_dir, container.limits) == (None, None, None, Limits())


def test_the_full_pod() -> None:
    found = parse_launch([full_task(FULL_POD)], group=False)
    proxy, first, second = found.containers
    assert (proxy.name, proxy.kind) == ("proxy", ContainerKind.SIDECAR)
    assert (found.restart_policy, found.active_deadline_s, found.priority) == (RestartPolicy.ON_FAILURE, 600, 100)
    assert found.host_aliases == (HostAlias("10.0.0.9", ("db.local",)),)
    assert found.dns_config == DnsConfig(("10.0.0.10",), ("svc.local",), ("ndots:2",))
    assert found.volumes[:2] == (EmptyDir("work", 256 << 20, in_memory=True), HostPath("logs", "/var/log", "Directory"))
    assert first.env[-5:-2] == (("A", "1"), ("IP", RuntimeField("status.podIP")), ("MEM", TakenText("16")))
    assert (first.limits, first.requests) == (Limits(0.5, 2**26, 2**30), Limits(0.25, 2**25, 2**23))
    assert [mount.volume for mount in first.mounts] == ["work", "logs", "data"]
    assert found.fs_group == FsGroup(3000, on_root_mismatch=True)
    assert (first.security.run_as_user, first.security.run_as_group, first.security.run_as_non_root) == (
        2000,
        2001,
        False,
    )
    assert (second.security.run_as_user, second.security.run_as_group, second.security.run_as_non_root) == (
        1000,
        1001,
        True,
    )
    assert first.security.supplemental_groups == second.security.supplemental_groups == (5, 6, 3000)
    assert (first.security.seccomp, second.security.seccomp) == ("Localhost", "Localhost")
    assert (first.security.seccomp_file, second.security.app_armor_profile) == ("app/own.json", "pods")
    assert (first.security.add_capabilities, first.security.drop_capabilities) == (("CAP_NET_ADMIN",), ("CAP_ALL",))
    assert (first.security.no_new_privileges, second.security.no_new_privileges) == (True, False)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_yaml_and_gzip_make_the_same_pod(compress: Any) -> None:
    data = encoded(compress(yaml.safe_dump(with_objects(FULL_POD)).encode()))
    launched = full_task(FULL_POD)
    assert parse_launch([{**launched, "data": data}], group=False) == parse_launch([launched], group=False)


def test_class_and_role_come_from_the_resources() -> None:
    resources = [scalar("cpus", 1, revocable=True), scalar("mem", 64)]
    found = parse(pod(), resources=resources)
    assert (found.pod_class, found.role, parse(pod()).pod_class) == (PodClass.REVOCABLE, "eng/dev", PodClass.REGULAR)
    mixed = refusal(pod(), resources=[scalar("cpus", 1, role="a"), scalar("mem", 64, role="b")])
    assert (mixed.subject, mixed.message) == ("TaskInfo.resources", "are allocated to several roles: a, b")


def test_the_tasks_fields_win_or_add() -> None:
    fields = {
        "kill_policy": {"grace_period": {"nanoseconds": 1_500_000_000}},
        "max_completion_time": {"nanoseconds": 20_000_000_000},
        "labels": {"labels": [{"key": "app", "value": "task"}, {"key": "tier", "value": "front"}]},
        "container": {"type": "MESOS", "network_infos": [{"name": "spark", "labels": {"labels": [{"key": "a"}]}}]},
    }
    launched = full_task(changed(FULL_POD, steps("spec.hostNetwork"), value=False), **fields)
    found = parse_launch([launched], group=False)
    assert (found.termination_grace_s, found.active_deadline_s) == (1.5, 20)
    assert found.labels == {"app": "full", "tier": "front"}
    assert found.networks == (WantedNetwork("spark", {"name": "spark", "labels": {"labels": [{"key": "a"}]}}),)


def test_the_node_decides_the_grace_of_a_pod_that_sets_none() -> None:
    policy = Policy(termination_grace_s=12)
    assert parse_launch([task(pod())], group=False, policy=policy).termination_grace_s == 12
    assert (
        parse_launch([task(pod(terminationGracePeriodSeconds=0))], group=False, policy=policy).termination_grace_s == 0
    )


def test_names_that_a_pod_leaves_out() -> None:
    document = {**pod(), "metadata": {}}
    found = parse(document, name="My Web_Server!")
    assert (found.name, found.hostname) == ("my-web-server", "my-web-server")
    assert found.uid == parse(document).uid != parse(document, task_id="other").uid
    long = parse({**pod(), "metadata": {"name": "a" * 62 + ".b"}})
    assert (long.name, len(long.hostname)) == ("a" * 62 + ".b", 62)


def test_a_null_in_a_map_of_texts_is_an_empty_text() -> None:
    """Go's JSON reads it so: the key is there."""
    document = pod(nodeSelector={"disk": None})
    found = parse({**document, "metadata": {"name": "web", "labels": {"a": None}, "annotations": {"b": None}}})
    assert (found.labels["a"], found.annotations["b"]) == ("", "")
    assert "spec.nodeSelector" in found.without_effect


def test_host_ports_are_mapped_and_on_the_nodes_network_just_there() -> None:
    document = pod({"ports": [{"containerPort": 80, "hostPort": 31000}, {"containerPort": 81}]})
    found = parse(document)
    assert found.host_ports == (PortMapping(31000, 80, "TCP"),)
    assert found.containers[0].ports == (ContainerPort(80, 31000), ContainerPort(81))
    shared = parse(pod({"ports": [{"containerPort": 31000}]}, hostNetwork=True))
    assert (shared.host_ports, shared.containers[0].ports) == ((), (ContainerPort(31000, 31000),))


def test_port_mappings_of_network_infos_reach_a_pod() -> None:
    mapping = {"host_port": 31001, "container_port": 90, "protocol": "udp"}
    found = parse(pod(), container={"type": "MESOS", "network_infos": [{"name": "n", "port_mappings": [mapping]}]})
    assert found.host_ports == (PortMapping(31001, 90, "UDP"),)


TWO = [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]
BIG = {"resources": {"limits": {"memory": "100Mi"}}}
MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}

# subject, words of the message, document
WRONG: list[tuple[str, str, Document]] = [
    ("apiVersion", "v2", {**pod(), "apiVersion": "v2"}),
    ("kind", "Deployment", {**pod(), "kind": "Deployment"}),
    ("kind", "missing", {"apiVersion": "v1", "spec": {"containers": []}}),
    ("spec", "missing", {"apiVersion": "v1", "kind": "Pod"}),
    ("spec.containers", "at least one", pod(containers=[])),
    ("spec.containers", "expected array", pod(containers={})),
    ("spec.containers[0]", "expected object", pod(containers=["x"])),
    ("spec.containers[1].name", "twice", pod(containers=TWO)),
    ("spec.containers[0].name", "DNS label", pod({"name": "A_b"})),
    ("spec.containers[0].image", "no image", pod({"image": ""})),
    ("spec.containers[0].image", "no image", pod({"image": "a b"})),
    ("spec.containers[0].image", "expected str, got int", pod({"image": 5})),
    ("spec.containers[0].args[1]", "expected str, got int", pod({"args": ["a", 1]})),
    ("spec.containers[0].workingDir", "absolute", pod({"workingDir": "srv"})),
    ("spec.containers[0].livenessProb", "not a field", pod({"livenessProb": {"exec": {}}})),
    ("spec.containers[0].livenessProbe.exec.command", "a command", pod({"livenessProbe": {"exec": {}}})),
    ("spec.containers[0].imagePullPolicy", "'Sometimes'", pod({"imagePullPolicy": "Sometimes"})),
    ("spec.containers[0].ports[0].hostPort", "31000-31009", pod({"ports": [{"containerPort": 1, "hostPort": 80}]})),
    ("spec.containers[0].ports[0].containerPort", "80", pod({"ports": [{"containerPort": 80}]}, hostNetwork=True)),
    ("spec.containers[0].ports[0].containerPort", "65535", pod({"ports": [{"containerPort": 70000}]})),
    ("spec.containers[].ports", "31000/tcp", pod({"ports": [{"containerPort": p, "hostPort": 31000} for p in (1, 2)]})),
    ("spec.containers[0].ports[0].hostIP", "IP", pod({"ports": [{"containerPort": 1, "hostIP": "x"}]})),
    ("spec.containers[0].env[0].name", "cannot name", pod({"env": [{"name": "A=B"}]})),
    ("spec.containers[0].env[0].valueFrom", "exactly one", pod({"env": [{"name": "A", "valueFrom": {}}]})),
    ("spec.containers[0].resources.limits.memory", "quantity", pod({"resources": {"limits": {"memory": "1GB"}}})),
    (
        "spec.containers[0].resources.limits.memory",
        "mem of 134217728",
        pod({"resources": {"limits": {"memory": "1Gi"}}}),
    ),
    ("spec.containers[0].resources.limits.nvidia", "is a resource that", pod({"resources": {"limits": {"nvidia": 1}}})),
    (
        "spec.containers[0].resources.requests.cpu",
        "more than its limit",
        pod({"resources": {"limits": {"cpu": 1}, "requests": {"cpu": 2}}}),
    ),
    ("spec.containers", "2.0 cores", pod({"resources": {"requests": {"cpu": 2}}})),
    ("spec.containers", "209715200", pod(containers=[{**TWO[0], **BIG}, {**TWO[0], **BIG, "name": "b"}])),
    ("spec.containers[0].volumeMounts[0].name", "no volume 'v'", pod(MOUNT)),
    ("spec.volumes[0]", "several sources", pod(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}])),
    ("spec.volumes[1].name", "twice", pod(volumes=[{"name": "v", "emptyDir": {}}] * 2)),
    ("spec.volumes[0].hostPath.path", "absolute", pod(volumes=[{"name": "v", "hostPath": {"path": "/a/../b"}}])),
    (
        "spec.volumes[0].hostPath.type",
        "'Disk' is not a value",
        pod(volumes=[{"name": "v", "hostPath": {"path": "/a", "type": "Disk"}}]),
    ),
    (
        "spec.containers[0].volumeMounts[0].mountPath",
        "/proc",
        pod({"volumeMounts": [{"name": "v", "mountPath": "//proc/x"}]}, volumes=[{"name": "v", "emptyDir": {}}]),
    ),
    (
        "spec.containers[0].securityContext.capabilities.add[0]",
        "no capability",
        pod({"securityContext": {"capabilities": {"add": ["EVERYTHING"]}}}),
    ),
    (
        "spec.containers[0].securityContext.runAsNonRoot",
        "root",
        pod({"securityContext": {"runAsNonRoot": True, "runAsUser": 0}}),
    ),
    ("spec.restartPolicy", "Sometimes", pod(restartPolicy="Sometimes")),
    ("spec.terminationGracePeriodSeconds", ">= 0", pod(terminationGracePeriodSeconds=-1)),
    ("spec.activeDeadlineSeconds", ">= 1", pod(activeDeadlineSeconds=0)),
    ("spec.hostname", "DNS label", pod(hostname="a.b")),
    ("spec.hostAliases[0].ip", "IP", pod(hostAliases=[{"ip": "db", "hostnames": ["a"]}])),
    ("spec.hostAliases[0].ip", "IP", pod(hostAliases=[{"ip": "fe80::1%x\n10.6.6.6 db", "hostnames": ["a"]}])),
    ("spec.hostAliases[0].hostnames[0]", "looks like", pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["0x7f.1"]}])),
    ("spec.dnsConfig.nameservers[0]", "IP", pod(dnsConfig={"nameservers": ["fe80::1%x\noptions debug"]})),
    ("spec.dnsConfig.nameservers", "at least one", pod(dnsPolicy="None")),
    ("spec.dnsConfig.searches[0]", "not a domain", pod(dnsConfig={"searches": ["a\nnameserver 6.6.6.6"]})),
    ("spec.serviceAccountName", "DNS name", pod(serviceAccountName="-")),
    ("metadata.name", "DNS name", {**pod(), "metadata": {"name": "A"}}),
    ("metadata.namespace", "DNS label", {**pod(), "metadata": {"namespace": "../x"}}),
    ("metadata.labels['a']", "expected str", {**pod(), "metadata": {"labels": {"a": 1}}}),
]


@pytest.mark.parametrize(("subject", "words", "document"), WRONG, ids=[f"{s} {w}" for s, w, _ in WRONG])
def test_a_bad_pod_names_its_field(subject: str, words: str, document: Document) -> None:
    error = refusal(document)
    assert error.subject == subject
    assert words in error.message


def test_a_slip_of_the_pen_is_guessed() -> None:
    assert refusal(pod({"imagePulPolicy": "Never"})).hint == "did you mean imagePullPolicy?"


def test_a_field_name_cannot_fill_or_break_the_message() -> None:
    error = refusal(pod({"x\n" * 5000: 1}))
    assert len(str(error)) < 300
    assert "\n" not in str(error)


FOR_DATA_ONLY = {
    "TaskInfo.command": {"command": {"value": "ls"}},
    "TaskInfo.container.mesos": {"container": {"type": "MESOS", "mesos": {"image": {"type": "DOCKER"}}}},
    "TaskInfo.container.docker": {"container": {"type": "DOCKER", "docker": {"image": "x"}}},
    "TaskInfo.container.hostname": {"container": {"type": "MESOS", "hostname": "h"}},
    "TaskInfo.container.volumes": {
        "container": {"type": "MESOS", "volumes": [{"container_path": "/a", "mode": "RW", "host_path": "/a"}]}
    },
}


@pytest.mark.parametrize(("subject", "fields"), FOR_DATA_ONLY.items())
def test_a_pod_is_described_once(subject: str, fields: Document) -> None:
    assert refusal(pod(), **fields).subject == subject


def test_a_pod_has_one_network_side() -> None:
    error = refusal(pod(hostNetwork=True), container={"type": "MESOS", "network_infos": [{"name": "n"}]})
    assert error.subject == "TaskInfo.container.network_infos"


SHORT: list[tuple[str, Document]] = [
    ("gpus", scalar("gpus", 1)),
    ("source MOUNT", {**scalar("disk", 1), "disk": {"source": {"type": "MOUNT"}}}),
]


@pytest.mark.parametrize(("words", "resource"), SHORT)
def test_resources_that_no_pod_can_have(words: str, resource: Document) -> None:
    error = refusal(pod(), resources=[scalar("mem", 64), resource])
    assert error.subject == "TaskInfo.resources"
    assert words in error.message


def test_a_pod_needs_memory() -> None:
    assert "less than 4194304" in refusal(pod(), resources=[scalar("cpus", 1), ports((1, 2))]).message
