"""The objects that a pod may name, and that its framework sends with it: config maps, secrets and claims. Pure.

What a secret holds is in no repr, so that no log line and no message of an error has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

DATA_MAX_BYTES: Final = 1024 * 1024
"""The size of one ConfigMap or Secret, as in Kubernetes (api/core/v1/types.go, MaxSecretSize)."""
VOLUME_FILES_MAX_BYTES: Final = 4 * DATA_MAX_BYTES
"""The size of all files that the volumes of one pod show: they are held in memory."""
VOLUME_PAGES_MAX_BYTES: Final = 2 * VOLUME_FILES_MAX_BYTES
"""The size of the memory that these files need: each file and each directory has whole pages."""
PAGE_BYTES: Final = 4096


class DataKind(StrEnum):
    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"  # noqa: S105 the name of a kind


@dataclass(frozen=True)
class KeyedData:
    """A ConfigMap or a Secret. `binary` are the keys of a ConfigMap's binaryData, which no variable can have."""

    kind: DataKind
    name: str
    values: Mapping[str, bytes] = field(repr=False)
    binary: frozenset[str] = frozenset()
    immutable: bool = False
    type: str = ""
    """The type of a Secret: `Opaque`, `kubernetes.io/dockerconfigjson`, ..."""


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim. `volume` is the id of the Mesos volume that it means; `request_bytes` what it must
    have at least.
    """

    name: str
    volume: str
    request_bytes: int = 0


@dataclass(frozen=True)
class Objects:
    """By name."""

    config_maps: Mapping[str, KeyedData] = field(default_factory=dict)
    secrets: Mapping[str, KeyedData] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    unreadable: frozenset[tuple[str, str]] = frozenset()
    """Kind and name of those that were sent along and have faults, so that a pod that names them has no further one."""

    def data(self, kind: DataKind, name: str) -> KeyedData | None:
        """The ConfigMap or Secret with this name, if it came with the pod."""
        return (self.config_maps if kind is DataKind.CONFIG_MAP else self.secrets).get(name)
