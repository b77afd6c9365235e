"""A secret of the environment is gone from all of /proc once it was taken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TAKES = """
import os, subprocess
from pathlib import Path
from executor.process.initial_environment import erase

for name in ("TOKEN", "ABSENT"):
    erase(name)
    os.environ.pop(name, None)
print(Path("/proc/self/environ").read_bytes().replace(b"\\0", b"\\n").decode())
print("child", subprocess.run(["env"], capture_output=True, text=True).stdout)
print("kept", os.environ["AFTER"], os.environ["TOKEN_2"])
"""


@pytest.mark.parametrize("secret", ["s3cret", "s3cret" * 1000, ""])
def test_the_value_is_gone_and_no_other(secret: str) -> None:
    environ = {"BEFORE": "1", "TOKEN": secret, "TOKEN_2": "2", "AFTER": "3", "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", TAKES],
        env={**environ, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "s3cret" not in done.stdout
    for kept in ("BEFORE=1", "TOKEN_2=2", "AFTER=3", "kept 3 2"):
        assert kept in done.stdout
