"""The release of what an unknown owner left, on an operator's word that it is dead.

The word is not taken where something contradicts it: a lock of that id that is held, or a container of it that runs.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from executor.errors import ContainerdFailure, ExecutorError, NotFound, Refused
from executor.names import MesosContainerId
from executor.owners import Owner
from executor.ownership.judgement import judged
from executor.pod.node import OWNER_LABEL
from executor.reaper import Reaped, reap_owners
from executor.reaping.found import marks_on_node

if TYPE_CHECKING:
    from executor.config import Config
    from executor.containerd import Containerd

ANSWER_S = 5.0
_MEND = "look for the executor's process; end its pods first"


async def reap_assumed(container: MesosContainerId, config: Config, containerd: Containerd) -> Reaped:
    """Raises NotFound if nothing carries the id, Refused if it lives, ContainerdFailure."""
    marks = await marks_on_node(config, containerd)
    named = {container: marks[container]} if container in marks else {}
    with judged(Path(config.node.run_dir), named) as judgement:
        proven = {owner.container: owner for owner in judgement.dead}
        if container in judgement.living:
            raise Refused("lives: its lock is held", subject=f"executor {container}", mend=_MEND)
        if container not in proven and container not in judgement.unknown:
            raise NotFound("nothing on this node carries this id", subject=f"executor {container}")
        owner = proven.get(container, Owner(container, cgroup_root=_own_root(config, container)))
        if container not in proven and (running := await _running(container, config, containerd)):
            raise Refused(f"lives: {running}", subject=f"executor {container}", mend=_MEND)
        result = Reaped()
        await reap_owners([owner], config, containerd, result)
    return result


def _own_root(config: Config, container: MesosContainerId) -> str:
    from executor import owners

    return owners.own_root(config.cgroups.root, container)


async def _running(container: MesosContainerId, config: Config, containerd: Containerd) -> str:
    """What of it runs, in words. What does not answer counts as running."""
    from cgroups import Cgroup, Hierarchies

    pids = Cgroup(Hierarchies.discover(), _own_root(config, container)).pids()
    if pids:
        return f"processes {', '.join(map(str, sorted(pids)[:5]))}"
    for record in await containerd.containers.list({OWNER_LABEL: container}):
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
