"""How much of this node a Mesos role may use: a value of [roles] limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from executor.config.checks import refusal
from executor.errors import InvalidTask

HELP = 'a limit: {cpus = 4, mem = "8Gi"}, in a variable cpus:4;mem:8Gi, with one of the two at least'


@dataclass(frozen=True)
class RoleLimit:
    """None: as much as there is."""

    cpus: float | None = None
    mem_bytes: int | None = None

    @classmethod
    def of(cls, value: object) -> Self:
        """From a table of the configuration, or a text like Mesos's own resources. Raises ValueError."""
        from executor import quantity  # most nodes limit no role

        fields = _fields(value)
        if not fields or not fields.keys() <= {"cpus", "mem"}:
            raise ValueError(refusal(value, HELP))
        try:
            cpus = quantity.cores(fields["cpus"], subject="cpus") if "cpus" in fields else None
            mem_bytes = quantity.size(fields["mem"], subject="mem") if "mem" in fields else None
        except InvalidTask as error:
            raise ValueError(f"{refusal(value, HELP)}: {error}") from error
        if mem_bytes == 0:
            raise ValueError(refusal(value, HELP))
        return cls(cpus, mem_bytes)

    def __str__(self) -> str:
        """As `of` takes it."""
        cpus = [] if self.cpus is None else [f"cpus:{self.cpus:.10g}"]
        return ";".join(cpus + ([] if self.mem_bytes is None else [f"mem:{self.mem_bytes}"]))


def _fields(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        pairs = [part.partition(":") for part in value.split(";")]
        return {name.strip(): text.strip() for name, _, text in pairs}
    plain = isinstance(value, Mapping) and all(type(each) in (int, float, str) for each in value.values())
    return value if isinstance(value, Mapping) and plain else {}
