"""The images that the pods of one executor need: on the node already, or pulled, and tried again when that fails.

A pull goes on when the launch that asked for it ends: the next one finds what it has fetched. Launches that want the
same image with the same credentials share one pull. Owns the helpers of its pulls.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.errors import ExecutorError, ImageFailure, NotFound
from executor.images import collection
from executor.images.failures import IncompleteImage, PullFailure
from executor.images.model import USED_LABEL, Image
from executor.images.policy import PullPolicy, back_off_s, default_policy
from executor.images.pulling import process
from executor.images.pulling.settings import settings_of
from executor.images.pulling.wire import Progress, Request
from executor.images.store import ImageStore
from executor.log import get_logger

if TYPE_CHECKING:
    from executor.config import Config
    from executor.containerd import Containerd
    from executor.images.registry.credentials import Credential

log = get_logger(__name__)

GC_INTERVAL_S: Final = 60.0
"""How often the disk of images is looked at."""
TOUCH_S: Final = 60.0
"""How exactly it is recorded when an image was last asked for; half of [images] gc_min_age_s where that is less."""
REMEMBERED_MAX: Final = 1000
"""Images whose last failure, or last use, is remembered."""
FORGET_S: Final = 600.0
"""A failure is forgotten this long after the next try was due."""

_REMOVALS: Final = 3
"""How often one launch pulls an image that is removed before it is used."""
_Key = tuple[str, bytes]
"""An image and a digest of the credentials that it is asked for with: those of one pod say nothing of another's."""


@dataclass(eq=False)
class Pulling:
    """What `ps` shows of an image that a pod waits for. `error` is the last failure, while the next try waits. Each is
    equal to itself only: several pods wait for one pull, and each leaves by itself.
    """

    image: str
    progress: Progress = field(default_factory=Progress)
    error: str = ""


@dataclass(frozen=True)
class _Failed:
    """`times` in a row; not tried again before `again_at` (monotonic)."""

    error: PullFailure
    times: int
    again_at: float


class Images:
    """Close it when no launch uses it any more."""

    def __init__(self, containerd: Containerd, config: Config) -> None:
        self._containerd = containerd
        self._config = config
        self._settings = settings_of(config)
        self.store = ImageStore(containerd)
        self._places = asyncio.Semaphore(config.images.parallel_pulls)
        self._pulls: dict[_Key, asyncio.Task[None]] = {}
        self._watchers: dict[_Key, list[Pulling]] = {}
        self._salt = os.urandom(16)
        self._failed: dict[_Key, _Failed] = {}
        self._touched: dict[str, float] = {}
        self._touches: set[asyncio.Task[None]] = set()
        self._room: asyncio.Task[None] | None = None

    def keep_room(self) -> None:
        """Remove unused images whenever the disk is too full, until `close`."""
        run_dir = Path(self._config.node.run_dir)
        work = collection.keep_room(self._containerd, self._config.images, run_dir, interval_s=GC_INTERVAL_S)
        self._room = asyncio.create_task(work)

    async def close(self) -> None:
        """End the helpers; what they have fetched stays for another executor."""
        tasks = [*self._pulls.values(), *self._touches, *filter(None, (self._room,))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def lookup(self, name: str) -> Image:
        """An image that is on this node. Raises ImageFailure, ContainerdFailure."""
        try:
            return await self.store.lookup(name)
        except NotFound as error:
            hint = "bring it here: mesos-pod-executor images pull, or images import"
            raise ImageFailure("is not on this node", subject=f"image {name}", hint=hint) from error

    async def ensure(
        self,
        name: str,
        policy: PullPolicy | None = None,
        credentials: Sequence[Credential] = (),
        *,
        waits: Callable[[Pulling | None], None] = lambda _: None,
    ) -> Image:
        """The image, by Kubernetes' rules for its `policy` (None: the default for its name).

        `waits` gets what the caller waits for, and None after it. Raises ImageFailure (PullFailure after
        [images] patience_s), ContainerdFailure.
        """
        policy = policy or default_policy(name)
        if not self._config.images.pull or policy is PullPolicy.NEVER:
            return self.used(await self.lookup(name))
        if policy is PullPolicy.IF_NOT_PRESENT:
            try:
                return self.used(await self.store.lookup(name))
            except (NotFound, IncompleteImage):
                pass
        pulling = Pulling(name)
        waits(pulling)
        try:
            for _ in range(_REMOVALS):
                await self._pulled(name, policy, tuple(credentials), pulling)
                with contextlib.suppress(NotFound, IncompleteImage):  # it was removed just now
                    return self.used(await self.store.lookup(name))
        finally:
            waits(None)
        return self.used(await self.lookup(name))

    async def _pulled(
        self, name: str, policy: PullPolicy, credentials: tuple[Credential, ...], pulling: Pulling
    ) -> None:
        """Tried again, with pauses as kubelet's ImagePullBackOff has them."""
        deadline = time.monotonic() + self._config.images.patience_s
        key = self._key(name, credentials)
        while True:
            await self._back_off(key, pulling, deadline)
            pulling.error = ""
            try:
                return await self._shared(key, policy, credentials, pulling)
            except PullFailure:
                failed = self._failed.get(key)
                if failed is None or failed.again_at > deadline:
                    raise

    def _key(self, name: str, credentials: tuple[Credential, ...]) -> _Key:
        secrets = json.dumps([astuple(each) for each in credentials]).encode()
        return name, hashlib.blake2b(secrets, key=self._salt).digest()

    async def _back_off(self, key: _Key, pulling: Pulling, deadline: float) -> None:
        """Waits until another try is due; raises the last failure if that is after the deadline."""
        failed = self._failed.get(key)
        now = time.monotonic()
        if failed is None or now >= failed.again_at:
            return
        if failed.again_at > deadline:
            raise failed.error
        pulling.error = str(failed.error)
        await asyncio.sleep(failed.again_at - now)

    async def _shared(
        self, key: _Key, policy: PullPolicy, credentials: tuple[Credential, ...], pulling: Pulling
    ) -> None:
        if key not in self._pulls:
            request = Request(key[0], self._settings, credentials, missing_only=policy is not PullPolicy.ALWAYS)
            task = self._pulls[key] = asyncio.create_task(self._pull(key, request))
            task.add_done_callback(_look_at)  # its launches may be gone
        watchers = self._watchers.setdefault(key, [])
        watchers.append(pulling)
        try:
            await asyncio.shield(self._pulls[key])
        finally:
            watchers.remove(pulling)

    async def _pull(self, key: _Key, request: Request) -> None:
        try:
            async with self._places:
                log.info("image is being pulled", code="image.pulling", image=request.name)
                await self._run(key, request)
        finally:
            del self._pulls[key]
            self._watchers.pop(key, None)

    async def _run(self, key: _Key, request: Request) -> None:
        begin = time.monotonic()

        def seen(progress: Progress) -> None:
            for pulling in self._watchers.get(key, ()):
                pulling.progress = progress

        try:
            done = await process.run(request, seen)
        except PullFailure as error:
            self._note_failure(key, error)
            raise
        except ExecutorError as error:
            log.warning("image cannot be used", code="image.refused", image=request.name, error=error)
            raise
        self._failed.pop(key, None)
        log.info(
            "image pulled",
            code="image.pulled",
            image=request.name,
            digest=done.digest,
            size_bytes=done.fetched_bytes,
            duration_ms=round((time.monotonic() - begin) * 1e3),
        )

    def _note_failure(self, key: _Key, error: PullFailure) -> None:
        now = time.monotonic()
        before = self._failed.pop(key, None)
        times = 1 if before is None or now > before.again_at + FORGET_S else before.times + 1
        delay_s = back_off_s(times, error.retry_after_s)
        self._failed[key] = _Failed(error, times, now + delay_s)
        _forget_oldest(self._failed)
        log.warning(
            "image could not be pulled",
            code="image.pull_failed",
            image=key[0],
            attempt=times,
            delay_s=round(delay_s, 1),
            error=error,
        )

    def used(self, image: Image) -> Image:
        """Records that it was asked for, which spares it from the next collection. Launches do not wait for that."""
        now, exact_s = time.monotonic(), min(TOUCH_S, self._config.images.gc_min_age_s / 2)
        if now - self._touched.get(image.name, -TOUCH_S) >= exact_s:
            self._touched.pop(image.name, None)
            self._touched[image.name] = now
            _forget_oldest(self._touched)
            task = asyncio.create_task(self._touch(image.name))
            self._touches.add(task)
            task.add_done_callback(self._touches.discard)
        return image

    async def _touch(self, name: str) -> None:
        text = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        try:
            await self._containerd.images.set_labels(name, {USED_LABEL: text})
        except ExecutorError as error:  # removed, or containerd is away: the next use writes it again
            self._touched.pop(name, None)
            log.debug("the use of an image is not recorded", image=name, error=error)


def _look_at(task: asyncio.Task[None]) -> None:
    """A failure that no launch waits for has been logged."""
    if not task.cancelled():
        task.exception()


def _forget_oldest(known: dict[Any, Any]) -> None:
    while len(known) > REMEMBERED_MAX:
        del known[next(iter(known))]
