"""One at a time, over several holders of the file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from executor.errors import Failure
from executor.images.failures import PullFailure
from executor.images.pulling.locks import FILE, held


async def test_a_second_holder_waits_and_says_so(tmp_path: Path) -> None:
    order: list[str] = []

    async def hold(name: str, key: str) -> None:
        async with held(tmp_path / "run", key, lambda: order.append(f"{name} waits")):
            order.append(f"{name} in")
            await asyncio.sleep(0.2)
            order.append(f"{name} out")

    first = asyncio.create_task(hold("a", "x"))
    await asyncio.sleep(0)
    await asyncio.gather(first, hold("b", "x"), hold("c", "y"))

    assert order.index("a out") < order.index("b in")
    assert order.index("c in") < order.index("a out")
    assert order.count("b waits") == 1
    assert "c waits" not in order


async def test_a_cancelled_holder_lets_go(tmp_path: Path) -> None:
    async def hold() -> None:
        async with held(tmp_path, "x"):
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    task.cancel()
    async with asyncio.timeout(10), held(tmp_path, "x"):
        pass


async def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "else")
    with pytest.raises(Failure, match="cannot be opened"):
        async with held(tmp_path, "x"):
            pass


async def test_a_holder_that_does_not_let_go_is_not_waited_for_without_end(tmp_path: Path) -> None:
    async with held(tmp_path, "x"):
        with pytest.raises(PullFailure, match="another process of this node") as caught:
            async with held(tmp_path, "x", limit_s=0.3):
                pass
    assert not caught.value.is_lasting
