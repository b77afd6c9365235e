"""When an image is pulled, and how long after a failure it is tried again. Pure.

Source: Kubernetes' documentation, "Images" (imagePullPolicy, ImagePullBackOff).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from executor.images.reference import normalise

BACK_OFF_S: Final = 10.0
"""After the first failure, as kubelet waits; each further one doubles it."""
BACK_OFF_MAX_S: Final = 300.0


class PullPolicy(StrEnum):
    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


def default_policy(name: str) -> PullPolicy:
    """Kubernetes' for a container that names none: Always for the tag `latest` or none, else IfNotPresent."""
    full = normalise(name)
    return PullPolicy.ALWAYS if full.endswith(":latest") and "@" not in full else PullPolicy.IF_NOT_PRESENT


def back_off_s(failures: int, retry_after_s: float = 0.0) -> float:
    """Seconds between the `failures`-th failure and the next try, as long as the registry asks for within limits."""
    own = min(BACK_OFF_MAX_S, BACK_OFF_S * float(2 ** min(max(failures, 1) - 1, 8)))
    return max(own, min(retry_after_s, BACK_OFF_MAX_S))
