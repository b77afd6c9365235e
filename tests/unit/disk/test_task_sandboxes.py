"""The sandboxes of tasks of an ended pod: their size, and that they go with the pod's logs, and no other's."""

from __future__ import annotations

import asyncio
from pathlib import Path

from executor.config.retention import RetentionSection
from executor.disk import task_sandboxes
from executor.log import get_logger
from executor.output.endedlogs import EndedLogs, EndedPod, Rest
from executor.own_directory import OwnDirectory
from tests.unit.output.test_endedlogs import until

REST = Rest(task_sandboxes.size_bytes, task_sandboxes.remove)
NONE_KEPT = RetentionSection(most_pods=0, least_pods=0)


def made(tmp_path: Path, pod: str, task: str) -> OwnDirectory:
    sandbox = tmp_path / "pods" / pod / "tasks/app"
    (sandbox / "deep/deeper").mkdir(parents=True)
    (sandbox / "deep/deeper/file").write_bytes(b"x" * 100_000)
    (sandbox / "stdout").symlink_to("../../app.stdout")
    (tmp_path / "pods" / pod / "app.stdout").write_text("said")
    (tmp_path / "tasks").mkdir(exist_ok=True)
    link = tmp_path / "tasks" / task
    link.unlink(missing_ok=True)
    link.symlink_to(f"../pods/{pod}/tasks/app")
    return OwnDirectory(str(tmp_path), "pods", pod)


def test_the_size_is_that_of_all_files(tmp_path: Path) -> None:
    assert 100_000 <= task_sandboxes.size_bytes(made(tmp_path, "pod-1", "one")) < 200_000
    (tmp_path / "pods/pod-2").mkdir()
    assert task_sandboxes.size_bytes(OwnDirectory(str(tmp_path), "pods", "pod-2")) == 0


def test_the_link_of_another_pod_stays_also_of_the_same_task_id(tmp_path: Path) -> None:
    first = made(tmp_path, "pod-1", "one")
    made(tmp_path, "pod-2", "one")
    made(tmp_path, "pod-10", "ten")
    task_sandboxes.remove(first)
    assert not (tmp_path / "pods/pod-1/tasks").exists() and (tmp_path / "pods/pod-1/app.stdout").exists()
    assert {each.name: each.exists() for each in (tmp_path / "tasks").iterdir()} == {"one": True, "ten": True}
    task_sandboxes.remove(OwnDirectory(str(tmp_path), "pods", "pod-2"))
    assert [each.name for each in (tmp_path / "tasks").iterdir()] == ["ten"]


def test_a_pod_without_sandboxes_has_nothing_to_remove(tmp_path: Path) -> None:
    (tmp_path / "pods/pod-1").mkdir(parents=True)
    task_sandboxes.remove(OwnDirectory(str(tmp_path), "pods", "pod-1"))


async def test_they_go_with_the_logs_of_the_pod(tmp_path: Path) -> None:
    removed = list[str]()
    logs = EndedLogs(NONE_KEPT, REST)
    running = asyncio.create_task(logs.run())
    logs.add(EndedPod("pod-1", made(tmp_path, "pod-1", "one"), get_logger(__name__), removed.append))
    await until(lambda: removed)
    running.cancel()
    assert list((tmp_path / "pods").iterdir()) == [] and list((tmp_path / "tasks").iterdir()) == []
