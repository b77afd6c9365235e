"""What the containers of a pod hold together when they hold the most. Pure.

Init containers run one at a time, beside the sidecars that started before them, and before the main containers: so the
sum over main containers and sidecars counts, or one init container with the sidecars before it, whichever is more.
Source: Kubernetes, "Init Containers", resource sharing; KEP-753, "Resources calculation".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from executor.spec.model import ContainerKind, ContainerSpec

Amount = TypeVar("Amount", int, float)


def peak(containers: Iterable[ContainerSpec], amount: Callable[[ContainerSpec], Amount | None], zero: Amount) -> Amount:
    """`containers` in the order of their start; `amount` of one of them, None is none; `zero` is of its type."""
    together = most = zero
    for container in containers:
        own = amount(container) or zero
        if container.kind is ContainerKind.INIT:
            most = max(most, together + own)
        else:
            together += own
    return max(most, together)
