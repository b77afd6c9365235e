"""Removing images that nothing uses when the disk fills up: which ones, and in which order.

Only images that came from a registry are removed without a request: they can be fetched again. One that was imported
stays until it is removed by its name. An image is in use while a container's record names it, or names another image of
the same content.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.errors import ExecutorError
from executor.images.model import PULLED_LABEL, USED_LABEL
from executor.images.pulling import locks
from executor.images.room import disk
from executor.log import get_logger

if TYPE_CHECKING:
    from executor.config.images import ImagesSection
    from executor.containerd import Containerd
    from executor.containerd.types import ImageRecord

log = get_logger(__name__)

PINNED_LABELS: Final = (("io.cri-containerd.pinned", "pinned"), ("mesos-pod-executor/pinned", "true"))


@dataclass(frozen=True)
class Stored:
    """An image on this node. Times are seconds since 1970, None where nothing is known."""

    name: str
    digest: str
    pulled_at: float | None = None
    used_at: float | None = None
    is_pinned: bool = False
    in_use: bool = False

    @property
    def last_at(self) -> float:
        """When it was pulled or used last; 0 if neither is known."""
        return max(self.pulled_at or 0.0, self.used_at or 0.0)


@dataclass(frozen=True)
class Collected:
    """What a collection did. `removed`: names; `before_percent` and `after_percent`: use of the disk."""

    removed: tuple[str, ...]
    before_percent: float
    after_percent: float


def removable(images: Iterable[Stored], now: float, min_age_s: float) -> list[Stored]:
    """Those that may go, the one that was used longest ago first. Pure."""
    return sorted(
        (
            each
            for each in images
            if each.pulled_at is not None and not each.in_use and not each.is_pinned and now - each.last_at >= min_age_s
        ),
        key=lambda each: each.last_at,
    )


def stored(records: Iterable[ImageRecord], names_in_use: Collection[str]) -> list[Stored]:
    """Pure."""
    listed = list(records)
    digests = {each.target.digest for each in listed if each.name in names_in_use}
    return [
        Stored(
            each.name,
            each.target.digest,
            pulled_at=_moment(each.labels, PULLED_LABEL),
            used_at=_moment(each.labels, USED_LABEL),
            is_pinned=any(each.labels.get(key) == value for key, value in PINNED_LABELS),
            in_use=each.name in names_in_use or each.target.digest in digests,
        )
        for each in listed
    ]


async def look(containerd: Containerd) -> list[Stored]:
    """The images of the namespace, and whether a container uses them. Raises ContainerdFailure."""
    in_use = {container.image for container in await containerd.containers.list()}
    return stored(await containerd.images.list(), in_use)


async def collect(
    containerd: Containerd, section: ImagesSection, run_dir: Path, *, everything: bool = False, dry_run: bool = False
) -> Collected:
    """Remove unused images while the disk is too full, or with `everything` all of them.

    One collection at a time on a node. Raises Failure, ContainerdFailure.
    """
    before = after = await used_percent(section.content_dir)
    if not everything and before <= section.gc_high_percent:
        return Collected((), before, before)
    removed = []
    async with locks.held(run_dir, "collection"):
        for image in removable(await look(containerd), time.time(), section.gc_min_age_s):
            if not everything and after < section.gc_low_percent:
                break
            if not dry_run and not await _is_removable(containerd, image, section.gc_min_age_s):
                continue  # a launch asked for it while others were removed
            removed.append(image.name)
            if not dry_run:
                await containerd.images.delete(image.name, sync=True)
                after = await used_percent(section.content_dir)
                log.info("image removed", code="image.removed", image=image.name, digest=image.digest)
    return Collected(tuple(removed), before, after)


async def _is_removable(containerd: Containerd, image: Stored, min_age_s: float) -> bool:
    """Read again."""
    return image.name in {each.name for each in removable(await look(containerd), time.time(), min_age_s)}


async def used_percent(directory: str) -> float:
    """The used part of the disk that `directory` is on, as df(1) tells it. Raises Failure."""
    return (await disk(directory)).used_percent


async def keep_room(containerd: Containerd, section: ImagesSection, run_dir: Path, *, interval_s: float) -> None:
    """Collect for as long as the executor lives; a failure is tried again, and logged when it is another one."""
    is_full, said = False, ""
    while section.gc_high_percent < 100:
        try:
            done = await collect(containerd, section, run_dir)
            was_full, is_full = is_full, done.after_percent > section.gc_high_percent
            if is_full and not was_full:
                percent = round(done.after_percent, 1)
                log.warning("the disk of images is full", code="image.disk_full", percent=percent)
        except ExecutorError as error:
            if said != (said := str(error)):
                log.warning("unused images could not be removed", code="image.gc_failed", error=error)
        await asyncio.sleep(interval_s)


def _moment(labels: Mapping[str, str], key: str) -> float | None:
    try:
        return datetime.fromisoformat(labels[key]).timestamp()
    except (KeyError, ValueError):
        return None
