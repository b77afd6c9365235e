"""Which disks order requests by the weights of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.doctor import disk_weights
from executor.doctor.disk_weights import judge

NUMBERS = {"8:0": "sda", "259:0": "nvme0n1"}
COST = "8:0 enable=0 ctrl=auto\n259:0 enable=1 ctrl=user rpct=95.00 rlat=10000\n"


@pytest.mark.parametrize(
    ("sda", "cost", "words"),
    [
        ("[mq-deadline] bfq none\n", "", "no disk serves regular pods before"),
        ("mq-deadline [bfq] none\n", "", "on sda (bfq)"),
        ("[none]\n", COST, "on nvme0n1 (io.cost)"),
        ("[bfq]\n", COST, "on nvme0n1 (io.cost), sda (bfq)"),
        ("[none]\n", "8:16 enable=1\n", "on 8:16 (io.cost)"),
    ],
)
def test_the_disks_with_an_order(sda: str, cost: str, words: str) -> None:
    found = judge({"sda": sda, "nvme0n1": "[none]\n"}, NUMBERS, cost)
    assert found.verdict == "pass" and words in found.message


def test_disks_are_read_from_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "sdx/queue").mkdir(parents=True)
    (tmp_path / "sdx/queue/scheduler").write_text("none [bfq]\n")
    (tmp_path / "sdx/dev").write_text("8:0\n")
    (found,) = disk_weights.check(tmp_path)
    assert "sdx (bfq)" in found.message
