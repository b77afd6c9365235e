"""On which disks regular pods come before revocable ones: where requests are ordered by the weights of cgroups.

Sources: Documentation/block/bfq-iosched.rst; cgroup-v2.rst, io.cost.qos.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cgroups import Hierarchies, Mode
from executor.doctor.finding import Finding, passed

_CHECK = "node.disk_weights"


def check(blocks: Path = Path("/sys/block")) -> list[Finding]:
    """The disks of this node. Raises CgroupError."""
    schedulers = {path.parts[-3]: _text(path) for path in sorted(blocks.glob("*/queue/scheduler"))}
    numbers = {_text(path).strip(): path.parent.name for path in blocks.glob("*/dev")}
    hierarchies = Hierarchies.discover()
    cost = _text(hierarchies.unified / "io.cost.qos") if hierarchies.unified else ""
    return [judge(schedulers, numbers, cost if hierarchies.mode is Mode.V2 else "")]


def judge(schedulers: Mapping[str, str], numbers: Mapping[str, str], cost: str) -> Finding:
    """`schedulers`: the text of queue/scheduler by disk; `numbers`: disks by MAJOR:MINOR; `cost`: the text of
    io.cost.qos. Pure.
    """
    by_bfq = {disk: "bfq" for disk, text in schedulers.items() if "[bfq]" in text}
    enabled = [line.split()[0] for line in cost.splitlines() if "enable=1" in line.split()]
    found = {numbers.get(number, number): "io.cost" for number in enabled} | by_bfq
    if not found:
        text = "no disk serves regular pods before revocable ones: that takes the scheduler bfq, or io.cost"
        return passed(_CHECK, f"{text}; [cgroups] revocable_io_max holds on every disk")
    disks = ", ".join(f"{disk} ({how})" for disk, how in sorted(found.items()))
    return passed(_CHECK, f"regular pods come before revocable ones on {disks}")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
