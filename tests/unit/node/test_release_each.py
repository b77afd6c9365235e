"""What a reaper releases at the same time: each within its budget, and again where containerd refuses for a moment."""

from __future__ import annotations

import asyncio
from collections import Counter

from executor.errors import ContainerdFailure, ContainerdUnavailable
from executor.node.reaping.containers import AGAIN_S, AT_ONCE, release_each


def told(thing: str) -> str:
    return f"container {thing}"


async def test_what_is_refused_for_a_moment_is_released() -> None:
    """As a task is whose shim was killed: the connection to it is closed, and then containerd forgets it."""
    tries = Counter[str]()

    async def release(thing: str) -> None:
        tries[thing] += 1
        if tries[thing] <= int(thing):
            raise ContainerdFailure("ttrpc: closed", subject=thing)

    assert await release_each(["0", "1", "2"], told, release) == {}
    assert tries == {"0": 1, "1": 2, "2": 3}


async def test_what_is_refused_for_ever_is_told_with_the_last_reason() -> None:
    tries = Counter[str]()

    async def release(thing: str) -> None:
        tries[thing] += 1
        raise ContainerdUnavailable(f"no answer to try {tries[thing]}")

    last = len(AGAIN_S) + 1
    assert await release_each(["a"], told, release) == {"container a": f"no answer to try {last}"}


async def test_what_hangs_holds_up_its_own_turn_only() -> None:
    released = list[int]()

    async def release(thing: int) -> None:
        if thing == 0:
            await asyncio.Event().wait()
        released.append(thing)

    failed = await release_each(range(3 * AT_ONCE), str, release, 0.3)
    assert failed == {"0": "is not released within 0.3 s"} and len(released) == 3 * AT_ONCE - 1
