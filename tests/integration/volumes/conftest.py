"""A node of its own for each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.volumes.pods import Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    top = tmp_path / "node"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "node", top], check=True)
    subprocess.run(["mount", "--make-shared", top], check=True)
    yield Node(top)
    subprocess.run(["umount", "-R", "-l", top], check=False)
