"""What the demo prints of its story, and of the pods on its node."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.rig import Rig


class Story:
    """Lines with the time since the beginning; on standard error when the last line is for a program."""

    def __init__(self, *, quiet: bool) -> None:
        self._begin = time.monotonic()
        self._out = sys.stderr if quiet else sys.stdout

    def tell(self, text: str) -> None:
        print(f"{time.monotonic() - self._begin:6.2f} s  {text}", file=self._out, flush=True)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            cells = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
            print(f"          {cells}".rstrip(), file=self._out, flush=True)


def show(rig: Rig, story: Story) -> list[dict[str, Any]]:
    """The pods with the pids that the kernel has in their cgroups."""
    pods = rig.pods()
    for pod in pods:
        pod["processes"] = rig.processes(pod)
    rows = [("POD", "NAME", "CLASS", "STATE", "IP", "PIDS")]
    rows += [
        (
            pod["pod"],
            pod["name"],
            pod["class"],
            pod["state"],
            ", ".join(pod["ips"]),
            ", ".join(str(pid) for pid, _ in pod["processes"]),
        )
        for pod in sorted(pods, key=lambda pod: (pod["class"], pod["name"]))
    ]
    story.table(rows)
    return pods


def pids(pods: Sequence[dict[str, Any]], pod_class: str) -> list[int]:
    return sorted(pid for pod in pods if pod["class"] == pod_class for pid, _ in pod["processes"])
