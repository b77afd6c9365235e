"""The attachments and network namespaces of a dead executor: each pod's by itself, several at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from executor.errors import ExecutorError
from executor.node import owner_marks
from executor.node.claims import cni_parent, netns_parent
from executor.node.reaping.containers import Released

if TYPE_CHECKING:
    from executor.config import Config
    from executor.node.claims import Owner

AT_ONCE = 8
"""Plugins that run at the same time, so that a few that hang hold up no other pod."""


async def release(owner: Owner, config: Config) -> Released:
    """A namespace goes after its attachments; what could not be released is in `failed` and stays as it is."""
    from executor.cni import Cni, netns

    result = Released()
    state, pins = state_directory(owner, config), pins_directory(owner, config)
    cni = Cni(Path(config.cni.config_dir), [Path(each) for each in config.cni.plugin_dirs], state, config.cni.timeout_s)
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(pod: str, *, attached: bool) -> None:
        pin = pins / pod
        async with turn:
            try:
                if attached:
                    await cni.detach(pod, pin if netns.exists(pin) else None)
                    result.add("attachments", 1)
                if pin.exists():
                    await netns.destroy(pin)
                    result.add("namespaces", 1)
            except (ExecutorError, OSError) as error:
                result.failed.append(str(error))

    attached = set(things(state))
    await asyncio.gather(*(one(pod, attached=pod in attached) for pod in sorted(attached | set(things(pins)))))
    if not result.failed:
        _remove_empty(state)
        for directory in (pins, state):
            owner_marks.remove(directory)
    return result


def release_unwritten(config: Config) -> int:
    """Addresses that belong to no attachment, because the plugin was killed with its executor."""
    from executor.cni.config.catalog import Catalog
    from executor.cni.records.unwritten import release_unwritten as release_of

    return release_of(Catalog(Path(config.cni.config_dir)).networks())


def state_directory(owner: Owner, config: Config) -> Path:
    """Where its records are: it may have been configured otherwise than this process."""
    return cni_parent(owner.state_dir or config.node.state_dir) / owner.container


def pins_directory(owner: Owner, config: Config) -> Path:
    """Where its network namespaces are pinned."""
    run_dir = config.node.run_dir if owner.lock is None else str(owner.lock.parent)
    return netns_parent(run_dir) / owner.container


def things(directory: Path) -> list[str]:
    """What is in it beside its mark."""
    return sorted(path.name for path in directory.iterdir() if path.name[0] != ".") if directory.is_dir() else []


def _remove_empty(directory: Path) -> None:
    """The directories in it, if nothing is in them."""
    for path in sorted(directory.rglob("*"), reverse=True) if directory.is_dir() else ():
        if path.is_dir():
            path.rmdir()
