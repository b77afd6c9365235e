"""`validate` on files that no pod is written in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from tests.support.schema import faults
from tests.unit.cli.conftest import Ran, Run
from tests.unit.pod.samples import scalar, task


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "- " * 5_000 + "a"])
def test_validate_of_what_nests_too_deeply(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    ran = run("validate", str(tmp_path / "file"))
    assert ran.code == 6 and "nests" in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_validate_of_a_number_with_thousands_of_digits(run: Run, tmp_path: Path, form: str) -> None:
    spec = f'"terminationGracePeriodSeconds": {"9" * 5_000}, "containers": [{{"name": "a", "image": "b"}}]'
    text = f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "x"}}, "spec": {{{spec}}}}}'
    (tmp_path / "file").write_text(text if form == "json" else f"# YAML\n{text}")
    ran = run("validate", str(tmp_path / "file"))
    told = "more than 1000 digits" if form == "json" else "expected int"
    assert ran.code == 6 and "spec.terminationGracePeriodSeconds" in ran.err and told in ran.err, ran.err
    assert "set_int_max" not in ran.err and len(ran.err) < 500


POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, creationTimestamp: 2020-01-01T00:00:00Z, labels: &labels {app: web}}
spec:
  serviceAccountName: web
  terminationGracePeriodSeconds: 0o36
  nodeSelector: *labels
  containers:
  - name: main
    image: "app:1"
    resources: {limits: {memory: 128Gi, cpu: 500}}
    ports: [{containerPort: 80, hostPort: 80}]
"""


def lines(ran: Ran) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert all(faults("validate", each) == [] for each in found)
    return found


def test_a_line_a_file_with_every_fault(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(POD)
    Path("bad.yaml").write_text(POD.replace("web, creation", "-, creation").replace("image:", "imagge:"))
    Path("broken").write_text("{")
    ran = run("validate", "--json", "good.yaml", "bad.yaml", "broken", "none")
    good, bad, broken, none = lines(ran)
    assert ran.code == 6
    effectless = ["metadata.creationTimestamp", "spec.nodeSelector", "spec.serviceAccountName"]
    assert (good["file"], good["ok"], good["faults"], good["without_effect"]) == ("good.yaml", True, [], effectless)
    paths = [(fault["path"], fault["hint"]) for fault in bad["faults"]]
    assert paths[0] == ("spec.containers[0].imagge", "did you mean image?")
    assert [path for path, _ in paths[1:]] == ["metadata.name", "spec.containers[0].image"]
    assert [fault["path"] for fault in broken["faults"] + none["faults"]] == ["", ""]
    assert run("validate", "good.yaml").code == 0 and run("validate", "good.yaml", "none").code == 3


def test_a_pod_is_judged_without_a_task(run: Run, tmp_path: Path) -> None:
    """Its memory and its port of the node are its task's to give."""
    (tmp_path / "pod").write_text(POD)
    assert run("validate", str(tmp_path / "pod")).code == 0


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x]\nkind: Pod\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\n" + "d: [*c, *c, *c, *c]\n",
        "kind: Pod\nkind: Pod\n",
        "%TAG ! tag:x\n---\nkind: Pod\n",
        "kind: Pod\nx: " + "y" * 600_000,
        "kind: Pod\nmetadata: {labels: {a: yes}}\n",
        "kind: Pod\nmetadata: {labels: {a: 0755}}\n",
        "kind: Pod\nx: .inf\n",
        "kind: Deployment\napiVersion: apps/v1\n",
        "kind: Pod\n---\nkind: Pod\n",
    ],
)
def test_a_file_is_read_as_a_launch_reads_it(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    (verdict,) = lines(run("validate", "--json", str(tmp_path / "file")))
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(text.encode())], group=False)
    assert [fault["message"] for fault in verdict["faults"]] == [fault.message for fault in caught.value.faults]


def test_master_and_executor_are_asked_at_once(run: Run, tmp_path: Path) -> None:
    document = {**task({"kind": "Pod"}), "resources": [scalar("cpus", -1), scalar("mem", 64)]}
    (tmp_path / "task").write_text(json.dumps(document))
    (verdict,) = lines(run("validate", "--json", str(tmp_path / "task")))
    assert {"apiVersion", "spec"} <= {fault["path"] for fault in verdict["faults"]}
    assert any("resources" in fault["path"] for fault in verdict["faults"])


@pytest.mark.parametrize("kind", ["Deployment", "Job", "CronJob", "StatefulSet"])
def test_a_workload_is_no_pod_and_its_tasks_are_printed_by_another_command(run: Run, tmp_path: Path, kind: str) -> None:
    """One fault that names the next command, and not one for each field that a Pod does not have."""
    text = f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: web}}\nspec: {{replicas: 2, template: {{}}}}\n"
    (tmp_path / "file").write_text(text)
    (verdict,) = lines(run("validate", "--json", str(tmp_path / "file")))
    (fault,) = verdict["faults"]
    assert fault["path"] == "kind" and kind in fault["message"] and "mesos-pod-executor task FILE" in fault["hint"]


@pytest.mark.parametrize(("replicas", "kind"), [(1, "pod"), (2, "pods")])
def test_what_the_task_command_prints_is_valid(run: Run, tmp_path: Path, replicas: int, kind: str) -> None:
    """Each of its tasks is a launch of its own, and no container of a group."""
    pod = {"spec": {"containers": [{"name": "main", "image": "app:1"}]}}
    workload = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": replicas, "template": pod}}
    (tmp_path / "web").write_text(json.dumps({"apiVersion": "apps/v1", **workload}))
    tasks = run("task", str(tmp_path / "web")).out
    (tmp_path / "tasks").write_text(tasks)
    (verdict,) = lines(run("validate", "--json", str(tmp_path / "tasks")))
    assert (verdict["ok"], verdict["kind"], len(verdict["tasks"])) == (True, kind, replicas)
    broken = json.loads(tasks)
    del broken[-1]["data"], broken[-1]["resources"]
    broken[-1]["data"] = "e30="
    (tmp_path / "tasks").write_text(json.dumps(broken))
    (verdict,) = lines(run("validate", "--json", str(tmp_path / "tasks")))
    assert verdict["faults"] and all("group" not in fault["message"] for fault in verdict["faults"])
