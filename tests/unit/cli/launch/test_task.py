"""`task`: the tasks of a file's pods and workloads are such as master and executor take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.mesos import master_rules
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from executor.spec.volume_model import ClaimedVolume
from tests.support.schema import faults
from tests.unit.cli.conftest import Run

CONTAINER = "{name: main, image: app, resources: {requests: {cpu: 250m, memory: 100Mi}}, ports: [{containerPort: 80}]}"
TEMPLATE = f"{{metadata: {{labels: {{app: web}}}}, spec: {{restartPolicy: Always, containers: [{CONTAINER}]}}}}"
JOB = TEMPLATE.replace("Always", "Never")
WORKLOADS = {
    "Deployment": (f"{{replicas: 2, template: {TEMPLATE}}}", ["web-0", "web-1"]),
    "ReplicaSet": (f"{{template: {TEMPLATE}}}", ["web-0"]),
    "ReplicationController": (f"{{replicas: 0, template: {TEMPLATE}}}", []),
    "StatefulSet": (f"{{replicas: 2, serviceName: db, template: {TEMPLATE}}}", ["web-0", "web-1"]),
    "DaemonSet": (f"{{template: {TEMPLATE}}}", ["web-0"]),
    "Job": (f"{{parallelism: 3, completions: 9, template: {JOB}}}", ["web-0", "web-1", "web-2"]),
    "CronJob": (f"{{schedule: '* * * * *', jobTemplate: {{spec: {{template: {JOB}}}}}}}", ["web-0"]),
}


def workload(kind: str, spec: str, name: str = "web") -> str:
    return f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n"


def launched(tasks: list[dict[str, Any]]) -> list[PodSpec]:
    """As the executor reads them; the master has nothing against them either."""
    found = []
    for task in tasks:
        assert master_rules.faults([task], None, group=False, complete=False) == []
        found.append(parse_launch([task], group=False))
    return found


def tasks(run: Run, tmp_path: Path, text: str, *options: str) -> list[dict[str, Any]]:
    (tmp_path / "file").write_text(text)
    ran = run("task", str(tmp_path / "file"), *options)
    assert ran.code == 0, ran.err
    assert faults("task", json.loads(ran.out)) == []
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


@pytest.mark.parametrize("kind", WORKLOADS)
def test_the_pods_of_a_workload(run: Run, tmp_path: Path, kind: str) -> None:
    spec, names = WORKLOADS[kind]
    found = launched(tasks(run, tmp_path, workload(kind, spec)))
    assert [pod.name for pod in found] == names
    for pod in found:
        assert (pod.namespace, pod.labels, pod.task_ids) == ("shop", {"app": "web"}, (pod.name,))
        assert (pod.resources.cpus, pod.resources.mem_bytes) == (0.25, 100 << 20)
        assert (pod.hostname, pod.subdomain) == (pod.name, "db" if kind == "StatefulSet" else "")


def test_several_documents_with_what_they_name(run: Run, tmp_path: Path) -> None:
    maps = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n" for name in "xyz"
    )
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web-0}\nspec:\n  containers: [{name: a, image: b}]\n"
    service = "---\nkind: Service\nmetadata: {name: web}\n---\n"
    text = pod + maps + service + workload("Deployment", f"{{template: {TEMPLATE}}}")
    first, second = tasks(run, tmp_path, text)
    assert [each["task_id"]["value"] for each in (first, second)] == ["web-0", "web-0-2"]
    (pod_spec,) = launched([first])
    assert (pod_spec.resources.cpus, pod_spec.resources.mem_bytes) == (0.1, 64 << 20)
    assert run("task", str(tmp_path / "file")).err == "mesos-pod-executor: no task is made of: Service web\n"


STATEFUL = """\
replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: app, image: "x:1", volumeMounts: [{name: data, mountPath: /data}]}]
      volumes: [{name: data, emptyDir: {}}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def test_the_task_has_the_persistent_volumes_of_its_claims(run: Run, tmp_path: Path) -> None:
    """A claim of a StatefulSet stands for a volume of the same name."""
    text = workload("StatefulSet", f"\n  {STATEFUL}")
    for role, pod in (("eng", found) for found in launched(tasks(run, tmp_path, text, "--role", "eng"))):
        assert pod.volumes == (ClaimedVolume("data", f"data-{pod.name}", f"data-{pod.name}"),)
        (disk,) = pod.resources.persistent_disks
        assert (disk.id, disk.size_bytes, pod.role) == (f"data-{pod.name}", 1 << 30, role)
    err = run("task", str(tmp_path / "file")).err
    assert "creates these persistent volumes first: data-web-0, data-web-1; " in err and "use --role" in err
    (tmp_path / "tasks").write_text(run("task", str(tmp_path / "file"), "--role", "eng").out)
    assert run("validate", str(tmp_path / "tasks")).code == 0


def test_the_task_has_the_extended_resources_of_its_pod(run: Run, tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
    for name in "ab":
        text += f"  - {{name: {name}, image: x, resources: {{limits: {{example.com/dongle: 2}}}}}}\n"
    (pod,) = launched(tasks(run, tmp_path, text))
    assert pod.resources.others == (("example.com/dongle", 4.0),)


def test_the_task_has_the_huge_pages_of_its_pod_in_mib(run: Run, tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
    for name in "ab":
        text += f"  - {{name: {name}, image: x, resources: {{limits: {{hugepages-2Mi: 6Mi, memory: 8Mi}}}}}}\n"
    (pod,) = launched(tasks(run, tmp_path, text))
    assert pod.resources.others == (("hugepages-2Mi", 12.0),)


def test_a_list(run: Run, tmp_path: Path) -> None:
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "a", "image": "b"}]},
        }
        for name in ("one", "two")
    ]
    found = launched(tasks(run, tmp_path, json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})))
    assert [pod.name for pod in found] == ["one", "two"]


def test_role_class_and_ports(run: Run, tmp_path: Path) -> None:
    text = workload(
        "ReplicaSet", f"{{template: {TEMPLATE.replace('containerPort: 80', 'containerPort: 80, hostPort: 8080')}}}"
    )
    (pod,) = launched(tasks(run, tmp_path, text, "--role", "eng", "--revocable"))
    assert (pod.role, str(pod.pod_class), [port.host_port for port in pod.host_ports]) == ("eng", "revocable", [8080])


WRONG = {
    "a fault in a template": (
        workload("Deployment", f"{{replicas: 3, template: {TEMPLATE.replace('image: app', 'image: a b')}}}"),
        "Deployment web.spec.template.spec.containers[0].image: names no image",
    ),
    "a Job that never ends": (workload("Job", f"{{template: {TEMPLATE}}}"), "Job web.spec.template.spec.restartPolicy"),
    "no template": (workload("Deployment", "{replicas: 1}"), "Deployment web.spec.template: is missing"),
    "too many": (workload("Deployment", f"{{replicas: 5000, template: {TEMPLATE}}}"), "a file may ask for 1000"),
    "a number that is none": (workload("Deployment", f"{{replicas: -1, template: {TEMPLATE}}}"), "web.spec.replicas"),
    "nothing to launch": ("kind: Service\n", "has no Pod, Deployment"),
    "no YAML": ("a: [", "is not YAML"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_and_nothing_printed(run: Run, tmp_path: Path, name: str) -> None:
    text, told = WRONG[name]
    (tmp_path / "file").write_text(text)
    ran = run("task", str(tmp_path / "file"))
    assert (ran.code, ran.out) == (6, "")
    assert told in ran.err and ran.err.count(told) == 1
