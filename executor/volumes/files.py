"""The files of a configMap, secret, downwardAPI or projected volume, which change all at once.

    ..2026_11_30_04_05_06.1a2b3c4d/app.conf     the files
    ..data -> ..2026_11_30_04_05_06.1a2b3c4d    replaced by one rename
    app.conf -> ..data/app.conf

A program that watches `..data`, or reads several files through one open directory, sees old files or new ones, never
some of each. Source: Kubernetes, pkg/volume/util/atomic_writer.go (its layout and its order of steps).
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from executor.spec.volume_files import Files

DATA: Final = "..data"
_NEW_DATA: Final = "..data_tmp"
DIRECTORY_MODE: Final = 0o755
_GROUP_READS: Final = 0o440
_GROUP_ENTERS: Final = 0o2110
"""And setgid: what is made below belongs to the group too. Both as kubelet adds them for fsGroup."""


def write(directory: Path, files: Files, gid: int | None = None) -> None:
    """Make `directory` show `files`, of the group `gid` (fsGroup). Raises OSError."""
    if not directory.is_dir():
        directory.mkdir(mode=DIRECTORY_MODE, parents=True)
        _own_directory(directory, gid)
    fresh = directory / f"..{time.strftime('%Y_%m_%d_%H_%M_%S', time.gmtime())}.{secrets.token_hex(4)}"
    before = os.readlink(directory / DATA) if (directory / DATA).is_symlink() else ""  # noqa: PTH115 a name
    try:
        _write_all(fresh, files, gid)
        _point(directory / DATA, directory / _NEW_DATA, fresh.name)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _show(directory, {path.partition("/")[0] for path in files})
    if before:
        shutil.rmtree(directory / before)


def _write_all(fresh: Path, files: Files, gid: int | None) -> None:
    fresh.mkdir()
    _own_directory(fresh, gid)
    for path, file in files.items():
        target = fresh / path
        for above in reversed(target.relative_to(fresh).parents[:-1]):
            if not (fresh / above).is_dir():
                (fresh / above).mkdir()
                _own_directory(fresh / above, gid)
        target.touch(mode=0o600)
        target.write_bytes(file.content)
        if gid is not None:
            os.chown(target, -1, gid)
        target.chmod(file.mode | (0 if gid is None else _GROUP_READS))


def _own_directory(directory: Path, gid: int | None) -> None:
    """The umask of this process has no effect."""
    if gid is not None:
        os.chown(directory, -1, gid)
    directory.chmod(DIRECTORY_MODE | (0 if gid is None else _GROUP_ENTERS))


def _point(link: Path, scratch: Path, target: str) -> None:
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target)
    scratch.rename(link)


def _show(directory: Path, names: Iterable[str]) -> None:
    """One link for each name at the top; those of names that are gone are removed."""
    wanted = set(names)
    for path in directory.iterdir():
        if path.is_symlink() and path.name != DATA and path.name not in wanted:
            path.unlink()
    for name in sorted(wanted):
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"{DATA}/{name}")
