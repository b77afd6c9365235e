"""The configuration section [retention]. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.config.key import key


@dataclass(frozen=True)
class RetentionSection:
    """How long the logs of ended pods are kept; those that ended first go first."""

    most_pods: int = key(100, "The logs of how many ended pods are kept.", least=0, most=100000)
    age_s: float = key(86400.0, "How long they are kept, seconds; 0: no limit.", least=0, most=31536000)
    free_percent: float = key(
        10.0, "They are removed while less than this part of the file system is free; 0: no limit.", least=0, most=99
    )
    least_pods: int = key(
        10, "So many pods that ended last keep theirs, at any age and any free space.", least=0, most=100000
    )
