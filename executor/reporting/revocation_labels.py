"""The labels of a revoked task's terminal status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.pod.resources.usage import freed_bytes

if TYPE_CHECKING:
    from executor.names import RevocationId
    from executor.pod.runner import PodRunner
    from executor.reporting.status_updates import Labels


def revocation_labels(runner: PodRunner, revocation: RevocationId) -> Labels:
    """What the terminal status of a revoked task tells the framework beside its reason."""
    stop = runner.pod.stop
    grace_s = stop.grace_s if stop is not None and stop.grace_s is not None else 0.0
    return {
        "revocation": revocation,
        "revocation.reason": "" if stop is None else stop.reason,
        "revocation.grace_s": f"{grace_s:g}",
        "revocation.freed.cpus": f"{runner.spec.resources.cpus:g}",
        "revocation.freed.mem_bytes": str(freed_bytes(runner)),
    }
