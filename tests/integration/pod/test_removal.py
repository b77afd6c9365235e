"""Trees with mounts in them, by openat2 and without it: what is mounted is neither removed nor counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.root

PROGRAM = """
import json, sys
from pathlib import Path
from executor.disk.removal import Removal
from executor.own_directory import OwnDirectory
from executor.disk.walk import Walk

def through(job):
    while not job.turn():
        pass
    return job

path = Path(sys.argv[1])
count = through(Walk(path)).count
removal = through(Removal(OwnDirectory.at(str(path.parent)), path.name))
print(json.dumps({"entries": count.entries, "bytes": count.bytes.total(), "left": removal.failures.text()}))
"""
WITHOUT = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=openat2:error=ENOSYS")


@pytest.mark.parametrize("before", [(), WITHOUT], ids=["openat2", "without"])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_mounts_are_not_crossed(tmp_path: Path, before: tuple[str, ...], kind: str) -> None:
    point, outside = tmp_path / "v" / "a" / "point", tmp_path / "outside"
    for directory in (point, outside, tmp_path / "v" / "b" / "c"):
        directory.mkdir(parents=True)
    source = ["--bind", outside] if kind == "bind" else ["-t", "tmpfs", "none"]
    subprocess.run(["mount", *source, point], check=True)
    try:
        (point / "kept").write_bytes(b"x" * 1_000_000)
        line = [*before, sys.executable, "-c", PROGRAM, str(tmp_path / "v")]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["entries"] == 4 and told["bytes"] < 100_000
        assert told["left"] == "v/a/point: Invalid cross-device link (EXDEV, another mount)"
        assert (point / "kept").stat().st_size == 1_000_000
        assert [path.name for path in (tmp_path / "v").iterdir()] == ["a"]
    finally:
        subprocess.run(["umount", point], check=True)
