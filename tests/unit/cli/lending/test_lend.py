"""The lender's questions to executors: one that cannot answer in time is known soon."""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

import pytest

from executor.cli.lending import lend
from executor.cli.lending.lend import Executors
from executor.lending.decision import Return
from executor.lending.node import ExecutorKey
from executor.lending.returning import Failed, Returning
from executor.names import ExecutorId, FrameworkId, TaskId
from tests.support.control_node import dripping_executor

KEY: ExecutorKey = (FrameworkId("f"), ExecutorId("e"))
BODY = b'{"framework": "f", "executor": "e", "candidates": []}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY


def test_an_executor_that_drips_its_answer_has_failed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So others return in the place of its loans. It is not looked for again, which takes as long as a look."""
    monkeypatch.setattr(lend, "ANSWER_S", 0.5)
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    keys = ((KEY[0], TaskId("t")),)
    with dripping_executor(tmp_path, "c", ANSWER, 0.2, ["/v1/revocations"]) as seen:
        executors = Executors(tmp_path, 60.0)
        assert executors.look() == {KEY: []}
        began_s = time.monotonic()
        returning = Returning(executors.revoke, heard.put, 0.0)
        for _ in range(5):  # while it is asked, it is not asked again
            returning.begin(Return(KEY, keys, "an owner needs it"))
        assert heard.get(timeout=5) == Failed(KEY, keys)
        assert time.monotonic() - began_s < 2
        assert [line.split(b" ")[0] for line in seen].count(b"POST") == 1
        returning.begin(Return(KEY, keys, "an owner needs it"))
        assert heard.get(timeout=5) == Failed(KEY, keys)
