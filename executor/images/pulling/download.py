"""The layers of an image, fetched side by side into containerd's content store, each where an earlier try ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from executor.concurrency import together
from executor.containerd.types import Descriptor, LeaseId
from executor.errors import ContainerdFailure, ContainerdUnavailable
from executor.images.failures import PullFailure
from executor.images.pulling import locks
from executor.images.registry.repository import Repository

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.images.registry.transport import Answer

T = TypeVar("T")
TRIES: Final = 5
"""Of one layer in a row without a byte in between; then the pull has failed."""
DOCUMENT_TRIES: Final = 3
AGAIN_S: Final = 0.5
"""Before the second try; each further one waits twice as long."""
WAIT_MAX_S: Final = 20.0
"""A registry that asks for a longer pause ends the pull; the executor's back-off waits for it."""


async def persistently(ask: Callable[[], T]) -> T:
    """What `ask` of a registry gives, in a thread, and again after a failure that may pass. Raises PullFailure."""
    for tried in range(1, DOCUMENT_TRIES):
        try:
            return await asyncio.to_thread(ask)
        except PullFailure as failure:
            if failure.is_lasting or failure.retry_after_s > WAIT_MAX_S:
                raise
            await asyncio.sleep(_pause_s(tried, failure))
    return await asyncio.to_thread(ask)


def _pause_s(tried: int, failure: PullFailure) -> float:
    return max(AGAIN_S * float(2 ** (tried - 1)), failure.retry_after_s)


def upload(target: Descriptor) -> str:
    """The name under which containerd keeps the beginning of a layer."""
    return f"mesos-pod-executor-{target.digest}"


@dataclass
class Tally:
    """How much of the layers is here. `changed` is called after each change."""

    changed: Callable[[], None]
    fetched_bytes: int = 0
    """Over the network."""
    _here: dict[str, int] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    @property
    def here_bytes(self) -> int:
        return sum(self._here.values())

    @property
    def done(self) -> int:
        """Layers that are complete."""
        return len(self._done)

    def at(self, digest: str, offset: int, *, fetched: int = 0) -> None:
        self._here[digest] = offset
        self.fetched_bytes += fetched
        self.changed()

    def complete(self, target: Descriptor) -> None:
        self._done.add(target.digest)
        self.at(target.digest, target.size_bytes)


class Download:
    """Of one image."""

    def __init__(
        self, containerd: Containerd, repository: Repository, run_dir: Path, lease: LeaseId, tally: Tally
    ) -> None:
        self._content = containerd.content
        self._repository = repository
        self._run_dir = run_dir
        self._lease = lease
        self._tally = tally

    async def layers(self, wanted: Sequence[tuple[Descriptor, Mapping[str, str]]], *, at_a_time: int) -> None:
        """All of them with their labels, `at_a_time` side by side. Raises PullFailure, ContainerdFailure."""
        places = asyncio.Semaphore(at_a_time)

        async def one(target: Descriptor, labels: Mapping[str, str]) -> None:
            async with places, locks.held(self._run_dir, target.digest):
                await self._layer(target, labels)
                self._tally.complete(target)

        unique = {target.digest: (target, labels) for target, labels in wanted}
        await together(*(one(target, labels) for target, labels in unique.values()))

    async def _layer(self, target: Descriptor, labels: Mapping[str, str]) -> None:
        """Tried again while each try gets further than the ones before it."""
        tries = furthest = 0
        while True:
            attempt = _Attempt(self._repository, target, self._tally)
            try:
                return await self._attempt(attempt, target, labels)
            except PullFailure as failure:
                tries = 1 if attempt.offset > furthest else tries + 1
                furthest = max(furthest, attempt.offset)
                final = failure.is_lasting or attempt.is_whole or failure.retry_after_s > WAIT_MAX_S
                if final or tries >= TRIES:
                    raise
                await asyncio.sleep(_pause_s(tries, failure))

    async def _attempt(self, attempt: _Attempt, target: Descriptor, labels: Mapping[str, str]) -> None:
        try:
            await self._content.resume(upload(target), target, attempt.source, labels, lease=self._lease)
        except ContainerdUnavailable:
            raise
        except ContainerdFailure as error:
            if not attempt.is_whole:
                raise
            # Other content than was promised: of no use for the next try.
            await self._content.abort(upload(target))
            message = f"the layer {target.digest} came with other content: {error.message}"
            raise PullFailure(message, subject=error.subject, lasting=True) from error
        finally:
            attempt.close()


class _Attempt:
    """One request for what is missing of a layer."""

    def __init__(self, repository: Repository, target: Descriptor, tally: Tally) -> None:
        self._repository = repository
        self._target = target
        self._tally = tally
        self._answer: Answer | None = None
        self.offset = 0
        self.is_whole = False
        """Whether all bytes came, right or wrong."""

    async def source(self, offset: int) -> tuple[int, AsyncIterator[bytes]]:
        """As Content.resume wants it."""
        self.offset, answer = await asyncio.to_thread(self._repository.layer, self._target, offset)
        self._answer = answer
        self._tally.at(self._target.digest, self.offset)
        return self.offset, self._chunks(answer)

    async def _chunks(self, answer: Answer) -> AsyncIterator[bytes]:
        size_bytes, digest = self._target.size_bytes, self._target.digest
        while data := await asyncio.to_thread(answer.chunk):
            self.offset += len(data)
            if self.offset > size_bytes:
                raise answer.failure(f"sends more than the {size_bytes} bytes of {digest}")
            yield data
            self._tally.at(digest, self.offset, fetched=len(data))
        if self.offset < size_bytes:
            raise answer.failure(f"sends {self.offset} of the {size_bytes} bytes of {digest}")
        self.is_whole = True

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
