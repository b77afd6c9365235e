"""The guest's second disk: the checkout as it is now, with byte code of the guest's Python, Mesos, and the command."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support import fresh
from tests.support.sources import GENERATED, ROOT
from tests.support.vm.image import Image, format_disk, inside, scratch, store

DISK_BYTES = 600 << 20
COMMAND = ".build/vm-command"


def make(image: Image, disk: Path, command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Raises ImageError."""
    with scratch(store()) as root:
        fresh.copy_checkout(root)
        checkout = root / fresh.CHECKOUT.lstrip("/")
        shutil.copytree(GENERATED, checkout / GENERATED.relative_to(ROOT), dirs_exist_ok=True)
        shutil.copytree(ROOT / ".build/mesos", checkout / ".build/mesos")
        (checkout / ".build/venv").symlink_to("/opt/venv")
        settings = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
        line = f"cd {fresh.CHECKOUT}\nexec {shlex.join(command)}\n"
        (checkout / COMMAND).write_text("".join(settings) + line)
        _compile(image, checkout)
        format_disk(checkout, disk, DISK_BYTES)


def _compile(image: Image, checkout: Path) -> None:
    """By the guest's Python in its root, for it takes eleven times as long in the guest."""
    compileall = ["-m", "compileall", "-q", "-j", "0", "executor", "cgroups", "tests", "packaging"]
    inside(image.root, "/usr/bin/python3", *compileall, checkout=checkout)
