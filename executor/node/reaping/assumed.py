"""The release of what an unknown owner left, on an operator's word that it is dead.

The word is not taken where something contradicts it: a lock of that id that is held, or a container of it that runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from executor.errors import ContainerdFailure, ExecutorError, NotFound, Refused
from executor.names import OWNER_LABEL, MesosContainerId
from executor.node import claims
from executor.node.claims import Owner
from executor.node.inventory import left_by
from executor.node.judgement import Judgement, judged
from executor.node.reaper import Reaped, reap_owners
from executor.node.reaping.found import marks_on_node

if TYPE_CHECKING:
    from executor.config import Config
    from executor.containerd import Containerd
    from executor.containerd.types import Container

ANSWER_S = 5.0
_HINT = "look for the executor's process; end its pods first"


async def reap_assumed(container: MesosContainerId, config: Config, containerd: Containerd) -> Reaped:
    """Raises NotFound if nothing carries the id, Refused if it lives, ContainerdFailure."""
    marks = await marks_on_node(config, containerd)
    with judged(Path(config.node.run_dir), marks, only=container) as judgement:
        owner = await _assumed(container, judgement, config, containerd)
        result = Reaped()
        await reap_owners([owner], config, containerd, result)
        if not result.failed:
            claims.forget_files(Path(config.node.run_dir), container)
    return result


async def assumed_left(container: MesosContainerId, config: Config, containerd: Containerd) -> dict[str, int]:
    """What `reap_assumed` would release, by kind. Raises what it raises."""
    marks = await marks_on_node(config, containerd)
    with judged(Path(config.node.run_dir), marks, only=container) as judgement:
        owner = await _assumed(container, judgement, config, containerd)
    return await left_by(owner, config, containerd)


async def _assumed(container: MesosContainerId, judgement: Judgement, config: Config, containerd: Containerd) -> Owner:
    """Raises NotFound if nothing carries the id, Refused if it lives, ContainerdFailure."""
    proven = {owner.container: owner for owner in judgement.dead}
    if container in judgement.living:
        raise Refused("lives: its lock is held", subject=f"executor {container}", hint=_HINT)
    if container not in proven and container not in judgement.unknown:
        raise NotFound("nothing on this node carries this id", subject=f"executor {container}")
    records = await containerd.containers.list({OWNER_LABEL: container})
    owner = proven.get(container, Owner(container, cgroup_root=_root(container, config, records)))
    if container not in proven and (running := await _running(owner, records, containerd)):
        raise Refused(f"lives: {running}", subject=f"executor {container}", hint=_HINT)
    return owner


def _root(container: MesosContainerId, config: Config, records: Sequence[Container]) -> str:
    """The cgroup tree, as its containers' records have it, else as such an executor would have it. Pure."""
    for record in records:
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            path = str(json.loads(record.spec)["linux"]["cgroupsPath"])
            root, pods, _ = path.partition("/pods/")
            if pods and root.rpartition("/")[2] == container:
                return root
    return claims.own_root(config.cgroups.root, container)


async def _running(owner: Owner, records: Sequence[Container], containerd: Containerd) -> str:
    """What of it runs, in words. What does not answer counts as running."""
    from cgroups import Cgroup, Hierarchies

    pids = Cgroup(Hierarchies.discover(), owner.cgroup_root).pids()
    if pids:
        return f"processes {', '.join(map(str, sorted(pids)[:5]))} in cgroup {owner.cgroup_root}"
    for record in records:
        try:
            async with asyncio.timeout(ANSWER_S):
                task = await containerd.tasks.get(record.id)
        except NotFound:
            continue
        except (ContainerdFailure, TimeoutError) as error:
            return f"container {record.id} does not answer: {error}"
        except ExecutorError as error:
            return f"container {record.id}: {error}"
        if task.pid and task.status.value != "stopped":
            return f"container {record.id} runs, pid {task.pid}"
    return ""
