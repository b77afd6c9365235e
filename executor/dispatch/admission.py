"""From a launch that has been read to a pod: what only this node and its configuration can know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from executor.policy import node_facts
from executor.policy.violations import admit
from executor.revocation.candidates import takes
from executor.spec import roles, trace_context
from executor.spec.model import ContainerKind

if TYPE_CHECKING:
    from executor.pod.node import Node
    from executor.pod.table import Pods
    from executor.revocation.request import Request
    from executor.spec.model import ContainerSpec, PodSpec

FIELDS_SHOWN_MAX: Final = 100


class Admission:
    def __init__(self, node: Node, pods: Pods) -> None:
        self._node, self._pods = node, pods

    def accept(self, spec: PodSpec, revocations: Sequence[Request]) -> None:
        """Make it a pod. `revocations` came after its launch: those that name it end it at once. Raises
        ExecutorError.
        """
        node, config = self._node, self._node.config
        roles.check(config.roles.namespace_to_role, config.roles.limits, spec)
        facts = node_facts.of(config, own_networks=node.network.names, sandbox=str(node.mesos_sandbox))
        spec = admit(spec, config.policy.of(spec.role), facts)
        node.network.check(spec)
        runner = self._pods.launch(spec)
        tasks = list(spec.task_ids)
        several = {"containers": _named(spec.containers)} if len(spec.containers) > 1 else {}
        trace = spec.annotations.get(trace_context.ANNOTATION, "")
        traced = {"traceparent": trace} if trace_context.parent(trace) else {}
        own = {"name": spec.name, "namespace": spec.namespace, "tasks": tasks, **several, **traced}
        runner.log.info("pod accepted", code="pod.accepted", **own)
        if paths := list(spec.without_effect):
            runner.log.info("fields without effect here", code="pod.without_effect", fields=paths[:FIELDS_SHOWN_MAX])
        for request in revocations:
            if takes(request, runner):
                runner.post(request.stop)


def _named(containers: Sequence[ContainerSpec]) -> list[str]:
    """As the key `containers` has them."""
    return [each.name if each.kind is ContainerKind.MAIN else f"{each.kind}:{each.name}" for each in containers]
