"""Launches for the tests of decoding: tasks as an agent sends them, and documents in which every usable field has a
value that is not its default, so that leaving one out must show.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
from typing import Any

from tests.unit.pod.volume_samples import ENV, ENV_FROM, MOUNTS, VOLUMES, disk, with_objects

Document = dict[str, Any]


def scalar(name: str, value: float, *, role: str = "eng/dev", revocable: bool = False) -> Document:
    resource: Document = {"name": name, "type": "SCALAR", "scalar": {"value": value}, "allocation_info": {"role": role}}
    return {**resource, "revocable": {}} if revocable else resource


def ports(*ranges: tuple[int, int], role: str = "eng/dev") -> Document:
    listed = [{"begin": begin, "end": end} for begin, end in ranges]
    return {"name": "ports", "type": "RANGES", "ranges": {"range": listed}, "allocation_info": {"role": role}}


def task(pod: Any = None, *, task_id: str = "web.1", **fields: Any) -> Document:
    """A TaskInfo as the agent of Mesos 1.11 hands it over; `pod` goes into its data."""
    found: Document = {
        "name": "web",
        "task_id": {"value": task_id},
        "agent_id": {"value": "5d9a0c1e-2f64-4a55-b0f1-2f3f4bd0a7a3-S0"},
        "resources": [scalar("cpus", 1.5), scalar("mem", 128.0), scalar("disk", 64.0), ports((31000, 31009))],
        "executor": {"type": "CUSTOM", "executor_id": {"value": "pods"}, "resources": [scalar("mem", 64.0)]},
        **fields,
    }
    if pod is not None:
        found["data"] = encoded(pod)
    return found


def full_task(pod: Document, **fields: Any) -> Document:
    """A task with a pod like FULL_POD, and everything that FULL_POD names."""
    found = task(with_objects(pod), **fields)
    return {**found, "resources": [*found["resources"], disk()]}


def encoded(pod: Any) -> str:
    return base64.b64encode(pod if isinstance(pod, bytes) else json.dumps(pod).encode()).decode()


def pod(container: Document | None = None, **spec: Any) -> Document:
    """A pod of one container, `app`."""
    one = {"name": "app", "image": "docker.io/library/app:1", **(container or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [one], **spec}}


def with_image(**fields: Any) -> Document:
    """A ContainerInfo of the Mesos containerizer."""
    return {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": "app:1"}}}, **fields}


FULL_POD: Document = {
    "apiVersion": "v1",
    "kind": "Pod",
    "status": {"phase": "Pending"},
    "metadata": {
        "name": "full",
        "namespace": "shop",
        "uid": "11111111-2222-3333-4444-555555555555",
        "labels": {"app": "full"},
        "annotations": {"note": "every field"},
        "generateName": "full-",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "deletionTimestamp": "2026-01-02T03:04:05Z",
        "deletionGracePeriodSeconds": 5,
        "resourceVersion": "7",
        "generation": 1,
        "selfLink": "/api/v1/namespaces/shop/pods/full",
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "full", "uid": "1"}],
        "finalizers": ["x"],
        "managedFields": [{}],
    },
    "spec": {
        "restartPolicy": "OnFailure",
        "imagePullSecrets": [{"name": "not-with-the-pod"}],
        "terminationGracePeriodSeconds": 7,
        "activeDeadlineSeconds": 600,
        "priority": 100,
        "hostNetwork": True,
        "shareProcessNamespace": True,
        "hostname": "front",
        "subdomain": "shop",
        "hostAliases": [{"ip": "10.0.0.9", "hostnames": ["db.local"]}],
        "dnsPolicy": "ClusterFirstWithHostNet",
        "dnsConfig": {
            "nameservers": ["10.0.0.10"],
            "searches": ["svc.local"],
            "options": [{"name": "ndots", "value": "2"}],
        },
        "securityContext": {
            "runAsUser": 1000,
            "runAsGroup": 1001,
            "runAsNonRoot": True,
            "supplementalGroups": [5, 6],
            "seccompProfile": {"type": "Localhost", "localhostProfile": "pods.json"},
            "appArmorProfile": {"type": "Localhost", "localhostProfile": "pods"},
            "seLinuxOptions": {"user": "u", "role": "r", "type": "spc_t", "level": "s1"},
            "sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}],
            "windowsOptions": {"runAsUserName": "x"},
            "fsGroup": 3000,
            "fsGroupChangePolicy": "OnRootMismatch",
        },
        "volumes": VOLUMES,
        "enableServiceLinks": True,
        "nodeName": "n1",
        "nodeSelector": {"disk": "ssd"},
        "affinity": {"nodeAffinity": {}},
        "tolerations": [{"operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}],
        "serviceAccountName": "web",
        "serviceAccount": "web",
        "automountServiceAccountToken": True,
        "readinessGates": [{"conditionType": "example.com/ready"}],
        "schedulingGates": [{"name": "example.com/gate"}],
        "overhead": {"cpu": "10m"},
        "os": {"name": "linux"},
        "setHostnameAsFQDN": True,
        "runtimeClassName": "runc",
        "schedulerName": "default-scheduler",
        "priorityClassName": "high",
        "preemptionPolicy": "Never",
        "initContainers": [{"name": "proxy", "image": "proxy:3", "restartPolicy": "Always"}],
        "containers": [
            {
                "name": "app",
                "image": "docker.io/library/app:1",
                "command": ["/app"],
                "args": ["--serve"],
                "workingDir": "/srv",
                "imagePullPolicy": "IfNotPresent",
                "tty": True,
                "stdin": True,
                "stdinOnce": True,
                "lifecycle": {"stopSignal": "SIGUSR1"},
                "terminationMessagePath": "/tmp/end",
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "restartPolicy": "Never",
                "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [0, 1]}}],
                "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}],
                "ports": [
                    {"containerPort": 31001, "hostPort": 31001, "protocol": "UDP", "name": "dns", "hostIP": "10.0.0.1"}
                ],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP", "apiVersion": "v1"}}},
                    {
                        "name": "MEM",
                        "valueFrom": {
                            "resourceFieldRef": {"resource": "limits.memory", "containerName": "side", "divisor": "1Mi"}
                        },
                    },
                    *ENV,
                ],
                "resources": {
                    "limits": {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
                    "requests": {"cpu": "250m", "memory": "32Mi", "ephemeral-storage": "8Mi"},
                },
                "volumeMounts": MOUNTS,
                "envFrom": ENV_FROM,
                "securityContext": {
                    "runAsUser": 2000,
                    "runAsGroup": 2001,
                    "runAsNonRoot": False,
                    "seccompProfile": {"type": "Localhost", "localhostProfile": "app/own.json"},
                    "appArmorProfile": {"type": "Localhost", "localhostProfile": "app"},
                    "windowsOptions": {"runAsUserName": "x"},
                    "seLinuxOptions": {"user": "u", "role": "r", "type": "t", "level": "s2"},
                    "readOnlyRootFilesystem": True,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
                },
            },
            {"name": "side", "image": "side:2", "resources": {"limits": {"memory": "16Mi"}}},
        ],
    },
}

# A task can have its image by one containerizer only, so each gets a document.
_COMMON_TASK: Document = {
    **task(task_id="full.1", name="full"),
    "labels": {"labels": [{"key": "tier", "value": "front"}, {"key": "bare"}]},
    "kill_policy": {"grace_period": {"nanoseconds": 9_000_000_000}},
    "max_completion_time": {"nanoseconds": 60_000_000_000},
    "discovery": {"visibility": "CLUSTER", "name": "web-discovered"},
    "command": {
        "shell": False,
        "value": "/bin/app",
        "arguments": ["app", "--serve"],
        "user": "www",
        "uris": [
            {
                "value": "https://files.example.org/app.tar.gz",
                "executable": True,
                "extract": False,
                "cache": True,
                "output_file": "lib/app",
            }
        ],
        "environment": {
            "variables": [
                {"name": "A", "type": "VALUE", "value": "1"},
                {"name": "B", "type": "SECRET", "secret": {"type": "VALUE", "value": {"data": "aHVudGVyMg=="}}},
            ]
        },
    },
    "limits": {"cpus": {"value": 4.0}, "mem": {"value": 128.0}},
}
DOCKER_CONFIG = base64.b64encode(b'{"auths": {"r.example": {"username": "u", "password": "p"}}}').decode()
FULL_MESOS_TASK: Document = {
    **copy.deepcopy(_COMMON_TASK),
    "container": {
        "type": "MESOS",
        "hostname": "front",
        "mesos": {
            "image": {
                "type": "DOCKER",
                "cached": False,
                "docker": {"name": "app:1", "config": {"type": "VALUE", "value": {"data": DOCKER_CONFIG}}},
            }
        },
        "volumes": [
            {"container_path": "/data", "mode": "RO", "host_path": "/srv/data"},
            {
                "container_path": "/more",
                "mode": "RW",
                "source": {
                    "type": "HOST_PATH",
                    "host_path": {"path": "/srv/more", "mount_propagation": {"mode": "HOST_TO_CONTAINER"}},
                },
            },
            {
                "container_path": "/shared",
                "mode": "RW",
                "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": "shared"}},
            },
            {
                "container_path": "/token",
                "mode": "RO",
                "source": {"type": "SECRET", "secret": {"type": "VALUE", "value": {"data": "aHVudGVyMg=="}}},
            },
        ],
        "linux_info": {
            "effective_capabilities": {"capabilities": ["CHOWN"]},
            "bounding_capabilities": {"capabilities": ["CHOWN", "KILL"]},
            "share_pid_namespace": True,
            "seccomp": {"profile_name": "audit.json", "unconfined": False},
            "shm_size": 128,
            "ipc_mode": "PRIVATE",
            "share_cgroups": False,
        },
        "rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "soft": 1024, "hard": 4096}]},
        "tty_info": {"window_size": {"rows": 24, "columns": 80}},
        "network_infos": [
            {
                "name": "spark",
                "port_mappings": [{"host_port": 31002, "container_port": 80, "protocol": "udp"}],
                "labels": {"labels": [{"key": "rack", "value": "7"}]},
                "groups": ["g"],
                "ip_addresses": [{"protocol": "IPv4", "ip_address": "10.1.2.3"}],
            }
        ],
    },
}
FULL_DOCKER_TASK: Document = {
    **copy.deepcopy(_COMMON_TASK),
    "container": {
        "type": "DOCKER",
        "docker": {
            "force_pull_image": True,
            "image": "app:1",
            "network": "BRIDGE",
            "port_mappings": [{"host_port": 31003, "container_port": 81, "protocol": "udp"}],
        },
    },
}

_STEP = re.compile(r"([^.\[\]]+)|\[(\d*)\]")


def steps(path: str) -> list[str | int]:
    """`spec.containers[].image` as keys and indexes; an empty index is the first."""
    return [name or int(index or 0) for name, index in _STEP.findall(path)]


def lookup(document: Any, path: list[str | int]) -> Any:
    """Raises KeyError or IndexError if there is nothing at the path."""
    for step in path:
        document = document[step]
    return document


def changed(document: Document, path: list[str | int], value: Any) -> Document:
    """A copy with `value` at the path, made with its parents where it is missing."""
    found = copy.deepcopy(document)
    place: Any = found
    for step, following in itertools.pairwise(path):
        empty: Any = [{}] if isinstance(following, int) else {}
        place = place.setdefault(step, empty) if isinstance(step, str) else place[step]
    place[path[-1]] = value
    return found


def without(document: Document, path: list[str | int]) -> Document:
    found = copy.deepcopy(document)
    del lookup(found, path[:-1])[path[-1]]
    return found
