"""Carries out what frameworks ask for by {"update": ...}: new ConfigMaps and Secrets for a pod that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from executor.errors import NotFound
from executor.log import get_logger
from executor.names import TaskId
from executor.pod.life.model import State
from executor.spec import object_update

if TYPE_CHECKING:
    from executor.pod.table import Pods

log = get_logger(__name__)

LIVING: Final = frozenset({State.NEW, State.SETTING_UP, State.INITIALIZING, State.STARTING, State.RUNNING})


class ObjectUpdates:
    def __init__(self, pods: Pods) -> None:
        self._pods = pods

    async def take(self, document: object) -> dict[str, Any]:
        """The answer: which volumes of the pod changed. Raises ExecutorError before anything is changed, or Failure."""
        from executor.spec.kubernetes import companions

        request = object_update.parse(document)
        runner = self._pods.by_task(TaskId(request.task))
        if runner is None or runner.pod.state not in LIVING:
            raise NotFound("has no pod that runs", subject=f"task {request.task[:80]}")
        fresh = companions.objects(request.documents, runner.spec.namespace)
        changed = await runner.sandbox.volumes.update(lambda now: object_update.applied(now, fresh, runner.spec))
        runner.log.info("volumes updated", code="pod.volumes_updated", volumes=list(changed))
        return {"updated": {"id": request.id, "task": request.task, "volumes": list(changed)}}
