"""The files of a configMap, secret, downwardAPI or projected volume, which change all at once.

    ..2026_11_30_04_05_06.1a2b3c4d/app.conf     the files
    ..data -> ..2026_11_30_04_05_06.1a2b3c4d    replaced by one rename
    app.conf -> ..data/app.conf

A program that watches `..data`, or reads several files through one open directory, sees old files or new ones, never
some of each. Source: Kubernetes, pkg/volume/util/atomic_writer.go (its layout and its order of steps).

Containers see the volume read only. One with the right to mount can change that, so work goes by descriptor and never
through a symbolic link, and of what `..data` names only a directory of old files is removed, at any depth.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from executor.own_directory import DIRECTORY, Opened, make_directory, open_directory
from executor.spec.volume_files import Files

DATA: Final = "..data"
_NEW_DATA: Final = "..data_tmp"
_VERSION: Final = re.compile(r"\.\.[0-9]{4}(_[0-9]{2}){5}\.[0-9a-f]{8}")
_REMOVED: Final = "..old"
DIRECTORY_MODE: Final = 0o755
_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_GROUP_READS: Final = 0o440
_GROUP_ENTERS: Final = 0o2110
"""And setgid: what is made below belongs to the group too. Both as kubelet adds them for fsGroup."""


def write(directory: Path, files: Files, gid: int | None = None) -> None:
    """Make `directory` show `files`, of the group `gid` (fsGroup). What fails leaves the old files. Raises OSError."""
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    with Opened(os.open(directory, DIRECTORY)) as volume:
        _own_directory(volume, gid)
        fresh = f"..{time.strftime('%Y_%m_%d_%H_%M_%S', time.gmtime())}.{secrets.token_hex(4)}"
        before = _shown(volume)
        try:
            _write_all(volume, fresh, files, gid)
            _point(volume, fresh)
        except OSError:
            with contextlib.suppress(OSError):
                _remove(volume, fresh)
            raise
        _show(volume, {path.partition("/")[0] for path in files})
        if before:
            _remove(volume, before)


def _shown(volume: int) -> str:
    """The directory of the files that are shown now; empty where there is none."""
    try:
        name = os.readlink(DATA, dir_fd=volume)
    except OSError:
        return ""
    return name if _VERSION.fullmatch(name) else ""


def _write_all(volume: int, fresh: str, files: Files, gid: int | None) -> None:
    with Opened(_made(volume, fresh, gid)) as top:
        for path, file in files.items():
            *above, name = path.split("/")
            with Opened(_made_below(top, above, gid)) as parent:
                descriptor = os.open(name, _FILE, 0o600, dir_fd=parent)
                with os.fdopen(descriptor, "wb") as opened:
                    opened.write(file.content)
                    if gid is not None:
                        os.fchown(descriptor, -1, gid)
                    os.fchmod(descriptor, file.mode | (0 if gid is None else _GROUP_READS))


def _made_below(top: int, names: Iterable[str], gid: int | None) -> int:
    directory = os.dup(top)
    for name in names:
        with Opened(directory) as above:
            directory = _made(above, name, gid)
    return directory


def _made(above: int, name: str, gid: int | None) -> int:
    """A descriptor of a directory, which is made unless it is there."""
    make_directory(above, name)
    directory = open_directory(above, name)
    _own_directory(directory, gid)
    return directory


def _own_directory(directory: int, gid: int | None) -> None:
    """The mode does not depend on the umask of this process."""
    if gid is not None:
        os.fchown(directory, -1, gid)
    os.fchmod(directory, DIRECTORY_MODE | (0 if gid is None else _GROUP_ENTERS))


def _point(volume: int, fresh: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_NEW_DATA, dir_fd=volume)
    os.symlink(fresh, _NEW_DATA, dir_fd=volume)
    os.rename(_NEW_DATA, DATA, src_dir_fd=volume, dst_dir_fd=volume)


def _show(volume: int, wanted: set[str]) -> None:
    """One link for each name at the top; those of names that are gone are removed."""
    links = {name for name in _names(volume) if _is(stat.S_ISLNK, volume, name)}
    for name in links - wanted - {DATA}:
        os.unlink(name, dir_fd=volume)
    for name in sorted(wanted - links):
        os.symlink(f"{DATA}/{name}", name, dir_fd=volume)


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in entries]


def _is(kind: Callable[[int], bool], directory: int, name: str) -> bool:
    return kind(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _remove(volume: int, name: str) -> None:
    """A directory of the volume. Each directory in it is moved up to the volume first: two descriptors are open at any
    depth.
    """
    waiting, moved = [name], 0
    while waiting:
        with Opened(open_directory(volume, waiting[-1])) as directory:
            for each in _names(directory):
                if not _is(stat.S_ISDIR, directory, each):
                    os.unlink(each, dir_fd=directory)
                    continue
                moved += 1
                up = f"{_REMOVED}-{name}-{moved}"
                os.rename(each, up, src_dir_fd=directory, dst_dir_fd=volume)
                waiting.insert(0, up)
        os.rmdir(waiting.pop(), dir_fd=volume)
