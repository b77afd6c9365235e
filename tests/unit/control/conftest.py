"""A control server on a socket, with handlers for its tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor.control.server import Server, socket_path
from tests.support.control import LIMITS, Handlers


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def path(tmp_path: Path, handlers: Handlers) -> AsyncIterator[Path]:
    path = socket_path(tmp_path / "run", "c0ffee")
    async with Server(path, handlers.routes(), limits=LIMITS):
        yield path
