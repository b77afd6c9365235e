"""The JSON in the document for authors of frameworks, against the code that reads or writes it."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from examples import mesos_pods

from executor.cli.main import main
from executor.mesos import master_rules
from executor.mesos.status import TaskState
from executor.oci.mounts import NOTICE
from executor.own_directory import OwnDirectory
from executor.pod import listing
from executor.pod.life.lifecycle import begin
from executor.reporting import container_statuses
from executor.revocation import notice, request
from executor.spec import object_update, resize
from executor.spec.kubernetes import companions
from executor.spec.launch import parse_launch
from reference import DIRECTORY
from tests.support.schema import faults
from tests.support.sources import ROOT

RUNBOOK = (ROOT / "packaging/doc/runbook.md").read_text()
TEXT = (DIRECTORY / "framework-authors.md").read_text()
BLOCKS: list[tuple[str, Any]] = [
    (kind, json.loads(text)) for kind, text in re.findall(r"```json (\S+)\n(.*?)```", TEXT, re.DOTALL)
]


def blocks(kind: str) -> list[Any]:
    found = [document for name, document in BLOCKS if name == kind]
    assert found, f"no block {kind}"
    return found


def test_every_block_has_a_kind_that_is_tested() -> None:
    assert TEXT.count("```json") == len(BLOCKS)
    assert {kind for kind, _ in BLOCKS} == {
        "executor-info", "task", "pod", "status", "revoke", "message", "notice", "service", "group",
        "update", "resize", "data", "pair", "accept", "message-call", "list",
    }  # fmt: skip


def test_the_executor_info_is_what_the_command_prints() -> None:
    (info,) = blocks("executor-info")
    assert faults("executor-info", info) == []
    assert "cpus" not in {resource["name"] for resource in info["resources"]}


def test_the_task_is_accepted_and_holds_the_pod() -> None:
    (task,), (pod,) = blocks("task"), blocks("pod")
    assert json.loads(base64.b64decode(task["data"])) == pod
    spec = parse_launch([task], group=False)
    assert (spec.name, spec.pod_class, spec.role) == ("batch-0", "revocable", "*")


def test_the_service_and_the_group_are_accepted_by_the_master_and_the_executor() -> None:
    (service,), (group,) = blocks("service"), blocks("group")
    assert faults_of_master([service], group=False) == []
    spec = parse_launch([service], group=False)
    assert (spec.pod_class, spec.role, spec.termination_grace_s) == ("regular", "web", 10.0)
    assert [(each.host_port, each.container_port) for each in spec.host_ports] == [(31080, 8080)]
    assert faults_of_master(group, group=True) == []
    spec = parse_launch(group, group=True)
    assert (spec.pod_class, spec.role, [each.name for each in spec.containers]) == (
        "revocable", "batch", ["crunch", "ship-logs"],
    )  # fmt: skip


def faults_of_master(tasks: list[Any], *, group: bool) -> list[Any]:
    return list(master_rules.faults(tasks, None, group=group, complete=False))


def test_the_status_is_one_that_is_sent() -> None:
    (status,) = blocks("status")
    assert TaskState(status["state"]) is TaskState.GONE
    assert status["source"] == "SOURCE_EXECUTOR"


def test_the_data_of_a_status_is_what_is_sent() -> None:
    (shown,) = blocks("data")
    (described,) = blocks("task")
    pod = begin(parse_launch([described], group=False))
    sent = json.loads(container_statuses.encoded(pod, pod.spec.task_ids[0]))
    assert {*sent} == {*shown}
    assert {*sent["containers"][0]} == {*shown["containers"][0]}


def test_the_request_is_understood() -> None:
    (document,) = blocks("revoke")
    assert faults("revoke", document["revoke"]) == []
    parsed = request.parse(document["revoke"], default_grace_s=0.0, fresh_id="x")
    assert (parsed.id, parsed.grace_s) == ("spark-7", 3.0)


def test_the_pair_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = blocks("pair")
    for info, kind in zip(pair, ("regular", "revocable"), strict=True):
        assert main(["executor-info", "--class", kind, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == info


def test_the_calls_are_what_the_module_for_schedulers_makes() -> None:
    (call,), (sent,), (asked,) = blocks("accept"), blocks("message-call"), blocks("revoke")
    own = call["accept"]
    (task,) = own["operations"][0]["launch"]["task_infos"]
    assert own == mesos_pods.accept([{"id": each} for each in own["offer_ids"]], [task])
    assert parse_launch([task], group=False).name == "web-0"
    assert list(master_rules.faults([task], task["executor"], group=False, complete=True)) == []
    assert json.loads(base64.b64decode(sent["message"]["data"])) == asked


def test_the_query_is_understood() -> None:
    (document,) = blocks("list")
    query = listing.parse(document["list"])
    assert (query.id, query.tasks) == ("l-1", ("web-0", "batch-9"))


def test_the_update_is_understood() -> None:
    (document,) = blocks("update")
    parsed = object_update.parse(document["update"])
    assert (parsed.id, parsed.task) == ("u-1", "web-0")
    (found,) = companions.objects(parsed.documents, "default").config_maps.values()
    assert found.values == {"app.conf": b"color=blue"}


def test_the_resize_is_understood() -> None:
    (document,), (task,) = blocks("resize"), blocks("task")
    parsed = resize.parse(document["resize"])
    assert (parsed.id, parsed.task, list(parsed.containers)) == ("r-1", "web-0", ["app"])
    resources = [{"name": name, "type": "SCALAR", "scalar": {"value": 1024}} for name in ("cpus", "mem")]
    spec = parse_launch([{**task, "resources": resources}], group=False)
    (container, *_) = spec.containers
    renamed = resize.Request("r-1", "web-0", {container.name: parsed.containers["app"]})
    assert resize.applied(spec, renamed).containers[0].limits.cpus == 0.5


def test_every_key_of_a_request_is_told() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| .*\|$", TEXT, re.M)
    assert tuple(rows) == request.KEYS


def test_the_notice_is_what_a_pod_reads(tmp_path: Path) -> None:
    (document,), (asked,) = blocks("notice"), blocks("revoke")
    (tmp_path / NOTICE).mkdir(parents=True)
    parsed = request.parse(asked["revoke"], default_grace_s=0.0, fresh_id="x")
    begin = datetime.fromisoformat(document["deadline"]) - timedelta(seconds=parsed.grace_s)
    assert notice.write(OwnDirectory.at(str(tmp_path)), parsed, begin)
    assert json.loads((tmp_path / NOTICE / notice.FILE).read_text()) == document


@pytest.mark.parametrize("kind", ["executor-info", "task", "pod", "service", "group"])
def test_validate_takes_what_is_shown(kind: str, tmp_path: Path) -> None:
    """As somebody would copy it into a file."""
    (document,) = blocks(kind)
    (tmp_path / "file").write_text(json.dumps(document))
    assert main(["validate", str(tmp_path / "file")]) == 0


def test_the_runbooks_request_and_receipt_are_of_the_published_form() -> None:
    asked, told = (json.loads(text) for text in re.findall(r'^\{"revo[^`]*?(?=^mesos|^```)', RUNBOOK, re.M | re.S))
    assert faults("revoke", asked["revoke"]) == []
    assert faults("message", told) == []


def test_every_reason_is_in_the_tables() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "executor").rglob("*.py") if "api" not in path.parts)
    reasons = set(re.findall(r'"(REASON_[A-Z_]+[A-Z])"', sources))
    assert "REASON_CONTAINER_PREEMPTED" in reasons
    assert [reason for reason in sorted(reasons) if f" {reason} |" not in RUNBOOK and f"{reason})" not in RUNBOOK] == []


@pytest.mark.parametrize("number", range(len(blocks("message"))))
def test_the_messages_are_of_the_published_form(number: int) -> None:
    assert faults("message", blocks("message")[number]) == []
