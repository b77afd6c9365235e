"""The mounts of a dead executor's volumes. Its processes must have ended before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from executor.node import owner_marks
from executor.node.claims import volumes_parent
from executor.node.reaping.containers import Released
from executor.volumes import host_mounts, mount_tree

if TYPE_CHECKING:
    from executor.config import Config
    from executor.node.claims import Owner


async def release(owner: Owner, config: Config) -> Released:
    """What could not be released is in `failed` and stays as it is."""
    result, own = Released(), directory(owner, config)
    if not own.is_dir():
        return result
    for pod in sorted(path for path in own.iterdir() if not path.name.startswith(owner_marks.MARK)):
        try:
            count = await host_mounts.run(lambda pod=pod: mount_tree.remove(pod))  # type: ignore[misc]
        except OSError as error:
            result.failed.append(str(error))
        else:
            if count:
                result.add("mounts", count)
    if not result.failed:
        owner_marks.remove(own)
    return result


def directory(owner: Owner, config: Config) -> Path:
    """Where its volumes are mounted."""
    run_dir = config.node.run_dir if owner.lock is None else str(owner.lock.parent)
    return volumes_parent(run_dir) / owner.container
