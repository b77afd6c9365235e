"""The io controller, blkio in v1: a weight against other groups, and the most that a group may read and write.

A weight counts where a disk's requests are ordered by weights: by the scheduler BFQ (`io.bfq.weight`, v1:
`blkio.bfq.weight`), by CFQ before Linux 5.0 (`blkio.weight`, from 10), or by `io.cost` (`io.weight`, v2). The weights
here, 1 to 100, mean the same to all. A limit always holds. v1 has it for the processes in the very group only, and not
for those below it (cgroup-v1/blkio-controller.rst, "Hierarchical Cgroups"), and there it holds for direct writes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cgroups.controller import write_present
from cgroups.files import Directory
from cgroups.mounts import Mode

WEIGHT_MIN, WEIGHT_DEFAULT = 1, 100
_CFQ_V1, _CFQ_MIN = "blkio.weight", 10
_WEIGHTS = {Mode.V2: ("io.weight", "io.bfq.weight"), Mode.V1: ("blkio.bfq.weight", _CFQ_V1)}
_MAX = "io.max"


@dataclass(frozen=True)
class IoMax:
    """What may be read from a disk and written to it; None: any amount. Bytes, and requests, in a second."""

    rbps: int | None = None
    wbps: int | None = None
    riops: int | None = None
    wiops: int | None = None


_FILES_V1 = {
    "rbps": "blkio.throttle.read_bps_device",
    "wbps": "blkio.throttle.write_bps_device",
    "riops": "blkio.throttle.read_iops_device",
    "wiops": "blkio.throttle.write_iops_device",
}
_OCI_V1 = {
    "rbps": "throttleReadBpsDevice",
    "wbps": "throttleWriteBpsDevice",
    "riops": "throttleReadIOPSDevice",
    "wiops": "throttleWriteIOPSDevice",
}


@dataclass(frozen=True, kw_only=True)
class Io:
    """None leaves a setting as it is. `max`: by the number of the disk, MAJOR:MINOR; a disk that is not named keeps its
    limit. Raises ValueError for a weight out of range.
    """

    weight: int | None = None
    max: Mapping[str, IoMax] | None = None

    controller = "io"

    def __post_init__(self) -> None:
        if self.weight is not None and not WEIGHT_MIN <= self.weight <= WEIGHT_DEFAULT:
            raise ValueError(f"io weight {self.weight} is not within {WEIGHT_MIN}..{WEIGHT_DEFAULT}")

    def values(self, mode: Mode) -> dict[str, str]:
        """File to text; a line of a limit is a write of its own."""
        dialect = Mode.V2 if mode is Mode.V2 else Mode.V1
        values = {} if self.weight is None else dict.fromkeys(_WEIGHTS[dialect], str(self.weight))
        if self.weight is not None and _CFQ_V1 in values:
            values[_CFQ_V1] = str(max(self.weight, _CFQ_MIN))
        if self.max:
            values |= _limits_v2(self.max) if dialect is Mode.V2 else _limits_v1(self.max)
        return values

    def write(self, directory: Directory, mode: Mode) -> list[str]:
        """Applies, and returns the files that this kernel does not have; of a weight's one suffices."""
        values = self.values(mode)
        missing = [file for file in values if not directory.has(file)]
        for file, text in values.items():
            for line in text.splitlines() if file not in missing else ():
                write_present(directory, {file: line})
        weights = [file for file in values if file.endswith("weight")]
        has_weight = any(file not in missing for file in weights)
        return [file for file in missing if not (has_weight and file in weights)]


def oci(limits: Mapping[str, IoMax]) -> dict[str, list[dict[str, int]]]:
    """The limits as `linux.resources.blockIO` of the OCI runtime-spec, for a container of v1. Pure."""
    found: dict[str, list[dict[str, int]]] = {}
    for device, limit in limits.items():
        major, minor = map(int, device.split(":"))
        for name, rate in vars(limit).items():
            if rate is not None:
                found.setdefault(_OCI_V1[name], []).append({"major": major, "minor": minor, "rate": rate})
    return found


def _limits_v2(limits: Mapping[str, IoMax]) -> dict[str, str]:
    lines = (
        f"{device} " + " ".join(f"{name}={'max' if rate is None else rate}" for name, rate in vars(limit).items())
        for device, limit in limits.items()
    )
    return {_MAX: "\n".join(lines)}


def _limits_v1(limits: Mapping[str, IoMax]) -> dict[str, str]:
    """0 takes a limit away."""
    return {
        file: "\n".join(f"{device} {getattr(limit, name) or 0}" for device, limit in limits.items())
        for name, file in _FILES_V1.items()
    }
