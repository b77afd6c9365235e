"""The logs of ended pods on a node that has no thread left for the look at them: it is put off, and ends nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from executor.config.retention import RetentionSection
from executor.log import get_logger
from executor.output.endedlogs import EndedLogs, EndedPod
from executor.own_directory import OwnDirectory

NONE_KEPT = RetentionSection(most_pods=0, least_pods=0)


def ended(tmp_path: Path, name: str, removed: Callable[[str], None]) -> EndedPod:
    directory = OwnDirectory(str(tmp_path), "pods", name)
    directory.make()
    Path(directory.path, "app.stdout").write_text("x")
    return EndedPod(name, directory, get_logger("test"), removed)


def replace_by_link(pod: EndedPod, target: Path) -> None:
    path = Path(pod.directory.path)
    path.rename(target)
    path.symlink_to(target)


def left(tmp_path: Path, name: str = "pods") -> list[str]:
    return [path.name for path in (tmp_path / name).iterdir()]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 of a thread
            await asyncio.sleep(0.01)


async def test_a_look_without_a_thread_is_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def refuse(_: threading.Thread) -> None:
        refused.append(1)
        raise RuntimeError("can't start new thread")

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    logs, removed = EndedLogs(NONE_KEPT), list[str]()
    running = asyncio.create_task(logs.run())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        logs.add(ended(tmp_path, "pod-1", removed.append))
        await until(lambda: refused)
        await asyncio.sleep(0.05)
    assert not running.done() and not removed
    logs.add(ended(tmp_path, "pod-2", removed.append))
    await until(lambda: removed == ["count", "count"])
    running.cancel()
    assert left(tmp_path) == []


async def test_one_pod_whose_logs_cannot_be_looked_at_keeps_no_others(tmp_path: Path) -> None:
    removed = list[str]()
    logs = EndedLogs(NONE_KEPT)
    odd = ended(tmp_path, "pod-1", removed.append)
    replace_by_link(odd, tmp_path / "elsewhere")
    running = asyncio.create_task(logs.run())
    logs.add(odd)
    logs.add(ended(tmp_path, "pod-2", removed.append))
    await until(lambda: removed)
    running.cancel()
    assert left(tmp_path) == ["pod-1"] and left(tmp_path, "elsewhere") == ["app.stdout"]
