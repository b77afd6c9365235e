"""What the commands' tests share: a node with executors, a pod in a file, and running a command in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from executor import log
from executor.cli.main import main
from executor.config import LogSection
from tests.support.control_node import Node

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers:
  - {name: main, image: busybox, command: [sleep, "1"]}
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    log.configure(LogSection(format="json"), io.StringIO(), strict=True)  # stderr is for what commands say
    node = Node(tmp_path / "run")
    yield node
    node.close()
    log.configure(LogSection(format="json"), strict=True)


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main(["--run-dir", str(tmp_path / "run"), *arguments])
        return Ran(code, *capfd.readouterr())

    return run
