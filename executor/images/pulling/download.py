"""The layers of an image, fetched side by side into containerd's content store, each where an earlier try ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from executor.concurrency import together
from executor.containerd.types import Descriptor, LeaseId
from executor.errors import ContainerdFailure, ContainerdUnavailable
from executor.images.failures import PullFailure
from executor.images.pulling import locks
from executor.images.registry.limits import RATE_BYTES_PER_S
from executor.images.registry.repository import Part, Repository

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.images.registry.answer import Answer

T = TypeVar("T")
_WRONG = "unexpected commit"
"""In containerd's error for content that has another digest (content/local/writer.go)."""
TRIES: Final = 5
"""Tries of one layer in a row that bring no byte; after them the pull has failed."""
DOCUMENT_TRIES: Final = 3
AGAIN_S: Final = 0.5
"""Before the second try; each further one waits twice as long."""
DOCUMENT_S: Final = 300.0
"""After this time a document is not asked for again."""
LAYER_S: Final = 600.0
"""For a layer of no size, with all of its tries; the time for its bytes comes on top."""
WAIT_MAX_S: Final = 20.0
"""A registry that asks for a longer pause ends the pull; the executor's back-off waits for it."""


async def persistently(ask: Callable[[], T]) -> T:
    """What `ask` of a registry gives, in a thread, and again after a failure that may pass. Raises PullFailure."""
    deadline = time.monotonic() + DOCUMENT_S
    for tried in range(1, DOCUMENT_TRIES):
        try:
            return await asyncio.to_thread(ask)
        except PullFailure as failure:
            if failure.is_lasting or failure.retry_after_s > WAIT_MAX_S or time.monotonic() > deadline:
                raise
            await asyncio.sleep(_pause_s(tried, failure))
    return await asyncio.to_thread(ask)


def _pause_s(tried: int, failure: PullFailure) -> float:
    return max(AGAIN_S * float(2 ** (tried - 1)), failure.retry_after_s)


def upload(domain: str, digest: str) -> str:
    """The name under which containerd keeps the beginning of a layer, and of the lock of its download.

    It belongs to one registry: another one may send other bytes under the same digest, or may send them without end.
    """
    return f"mesos-pod-executor-{domain}-{digest}"


def limit_s(target: Descriptor, base_s: float = LAYER_S) -> float:
    """Seconds after which the download of a layer is given up, with all of its tries."""
    return base_s + target.size_bytes / RATE_BYTES_PER_S


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
        """Bytes of the layers that are on this node, complete or not."""
        return sum(self._here.values())

    @property
    def done(self) -> int:
        """Layers that are complete."""
        return len(self._done)

    def at(self, digest: str, offset: int, *, fetched: int = 0) -> None:
        """`offset` bytes of a layer are here, `fetched` more than before came over the network."""
        self._here[digest] = offset
        self.fetched_bytes += fetched
        self.changed()

    def complete(self, target: Descriptor) -> None:
        """A layer is here as a whole."""
        self._done.add(target.digest)
        self.at(target.digest, target.size_bytes)


class Download:
    """The layers of one image. `layer_s` is as in `limit_s`."""

    def __init__(
        self,
        containerd: Containerd,
        repository: Repository,
        run_dir: Path,
        lease: LeaseId,
        tally: Tally,
        *,
        layer_s: float = LAYER_S,
    ) -> None:
        self._content = containerd.content
        self._repository = repository
        self._run_dir = run_dir
        self._lease = lease
        self._tally = tally
        self._layer_s = layer_s

    async def layers(self, wanted: Sequence[tuple[Descriptor, Mapping[str, str]]], *, at_a_time: int) -> None:
        """All of them with their labels, `at_a_time` side by side. Raises PullFailure, ContainerdFailure."""
        places = asyncio.Semaphore(at_a_time)

        async def one(target: Descriptor, labels: Mapping[str, str]) -> None:
            lock = upload(self._repository.domain, target.digest)
            async with places, locks.held(self._run_dir, lock, limit_s=limit_s(target, self._layer_s)):
                await self._layer(target, labels)
                self._tally.complete(target)

        unique = {target.digest: (target, labels) for target, labels in wanted}
        await together(*(one(target, labels) for target, labels in unique.values()))

    async def _layer(self, target: Descriptor, labels: Mapping[str, str]) -> None:
        """Tried again while each try gets further than the ones before it, and there is time."""
        tries = furthest = 0
        broken: set[str] = set()
        deadline = time.monotonic() + limit_s(target, self._layer_s)
        while True:
            attempt = _Attempt(self._repository, target, self._tally, broken)
            try:
                return await self._attempt(attempt, target, labels)
            except PullFailure as failure:
                if attempt.part is not None and not (attempt.is_whole and attempt.is_resumed):
                    broken.add(attempt.part.endpoint)
                tries = 1 if attempt.offset > furthest else tries + 1
                furthest = max(furthest, attempt.offset)
                final = failure.is_lasting or failure.retry_after_s > WAIT_MAX_S
                if final or tries >= TRIES or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_pause_s(tries, failure))

    async def _attempt(self, attempt: _Attempt, target: Descriptor, labels: Mapping[str, str]) -> None:
        try:
            ref = upload(self._repository.domain, target.digest)
            await self._content.resume(ref, target, attempt.source, labels, lease=self._lease)
        except ContainerdUnavailable:
            raise
        except ContainerdFailure as error:
            was_whole_before = attempt.part is None and _WRONG in error.message
            if not attempt.is_whole and not was_whole_before:
                raise
            # Other content than was promised: of no use for the next try.
            await self._content.abort(ref)
            raise self._other_content(attempt, target, error) from error
        finally:
            attempt.close()

    def _other_content(self, attempt: _Attempt, target: Descriptor, error: ContainerdFailure) -> PullFailure:
        """Another try may help if the beginning came in an earlier one, or another endpoint has the layer."""
        message = f"the layer {target.digest} came with other content: {error.message}"
        is_new = attempt.part is not None and attempt.part.offset == 0
        lasting = is_new and not self._repository.has_other(attempt.known_broken())
        return PullFailure(message, subject=error.subject, lasting=lasting)


class _Attempt:
    """One request for what is missing of a layer. Endpoints in `broken` have failed in the midst of it before."""

    def __init__(self, repository: Repository, target: Descriptor, tally: Tally, broken: Collection[str]) -> None:
        self._repository = repository
        self._target = target
        self._tally = tally
        self._broken = broken
        self.part: Part | None = None
        self.offset = 0
        self.is_whole = False
        """Whether all bytes came, right or wrong."""

    async def source(self, offset: int) -> tuple[int, AsyncIterator[bytes]]:
        """As Content.resume wants it."""
        self.part = await asyncio.to_thread(self._repository.layer, self._target, offset, broken=self._broken)
        self.offset = self.part.offset
        self._tally.at(self._target.digest, self.offset)
        return self.offset, self._chunks(self.part.answer)

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier try brought the beginning."""
        return self.part is not None and self.part.offset > 0

    def known_broken(self) -> set[str]:
        """URLs of endpoints, with that of this try."""
        return {*self._broken, *([] if self.part is None else [self.part.endpoint])}

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
        if self.part is not None:
            self.part.answer.close()
