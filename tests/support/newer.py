"""Programs of a newer Debian in the place of the installed ones. Standard library only, as it runs before the venv."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.support.node import PLUGINS, V1
from tests.support.suites import ROOT

OPTIONS = {"containerd": ("1.7", "2.1"), "cni": ("1.9",), "runtime": ("runc-1.3", "crun")}
"""Options that name programs of a newer Debian, and their values."""


def place(newer: Sequence[tuple[str, str]], scratch: Path) -> None:
    """The programs come first in PATH, a runtime by the name runc; plugins cover the installed ones in each sandbox."""
    for kind, version in newer:
        programs = ROOT / ".build" / kind / version / "bin"
        if kind == "cni":
            os.environ[PLUGINS] = str(programs)
            continue
        if kind == "runtime":
            (scratch / "runc").symlink_to(programs / version.partition("-")[0])
            programs = scratch
            if version == "crun":
                os.environ[V1] = "1"  # on a hybrid machine it refuses every container
        os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
