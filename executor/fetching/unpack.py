"""Archives into a directory: nothing of them leads out of it, and their number and size are bounded.

Each name is opened below the directory without following a link, so that a link in an archive is what it says to the
task, and nothing to the executor. Regular files, directories and links are unpacked; devices and FIFOs are refused.
Neither owners nor set-id bits are taken over.
Source of the names of archives: src/launcher/fetcher.cpp of Mesos 1.11 (extract).
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, Protocol

from executor.errors import Failure, reason
from executor.own_directory import Opened, ensure_below, open_directory

ENTRIES_MAX: Final = 500_000
LINK_MAX: Final = 4096
CHUNK_BYTES: Final = 1 << 20
_TAR: Final = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
_REFUSED: Final = (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK)
_OTHER_KIND: Final = "is neither a file, a directory nor a link"
_FAULTS: Final = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, ValueError, RuntimeError)
"""What the libraries raise for what is no such archive, or is damaged, encrypted or of an unknown method."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """At most so many bytes, none at the end."""


@dataclass
class Room:
    """How many bytes may still be written."""

    left_bytes: int

    def spend(self, size_bytes: int, name: str) -> None:
        """Raises Failure."""
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            hint = "give the task a larger disk resource"
            raise Failure("is larger than the disk that the task may use", subject=name, hint=hint)


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked."""
    return name.endswith((*_TAR, ".zip", ".gz"))


def unpack(file: int, name: str, directory: int, room: Room) -> None:
    """The archive that is open as `file` into the open `directory`. Raises Failure."""
    try:
        with os.fdopen(os.dup(file), "rb") as opened:
            if name.endswith(_TAR):
                _unpack_tar(opened, directory, room)
            elif name.endswith(".zip"):
                _unpack_zip(opened, directory, room)
            else:
                plain = os.path.basename(name).removesuffix(".gz")  # noqa: PTH119 no path of this process
                with gzip.open(opened) as content:
                    _write(content, directory, [plain], 0o644, room)
    except _FAULTS as error:
        raise Failure(f"cannot be unpacked: {error}", subject=name) from error
    except MemoryError as error:
        raise Failure("cannot be unpacked in the memory of its helper", subject=name) from error
    except OSError as error:
        where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
        raise Failure(f"cannot be unpacked: {reason(error)}{where}", subject=name) from error


def _unpack_tar(opened: IO[bytes], directory: int, room: Room) -> None:
    with tarfile.open(fileobj=opened, mode="r:*") as archive:
        for number, member in enumerate(archive):
            _count(number, member.name)
            parts = _parts(member.name)
            if member.isdir():
                os.close(ensure_below(directory, *parts))
            elif member.issym():
                _link(directory, parts, member.linkname)
            elif member.islnk():
                _hard_link(directory, parts, _parts(member.linkname))
            elif member.isreg() and (content := archive.extractfile(member)) is not None:
                _write(content, directory, parts, member.mode, room)
            else:
                raise Failure(_OTHER_KIND, subject=member.name)
            archive.members = []  # type: ignore[attr-defined] # tarfile keeps every one


def _unpack_zip(opened: IO[bytes], directory: int, room: Room) -> None:
    with zipfile.ZipFile(opened) as archive:
        for number, member in enumerate(archive.infolist()):
            _count(number, member.filename)
            parts, mode = _parts(member.filename), member.external_attr >> 16
            if member.is_dir() or stat.S_ISDIR(mode):
                os.close(ensure_below(directory, *parts))
            elif stat.S_IFMT(mode) in _REFUSED:
                raise Failure(_OTHER_KIND, subject=member.filename)
            elif stat.S_ISLNK(mode):
                with archive.open(member) as content:
                    _link(directory, parts, os.fsdecode(content.read(LINK_MAX)))
            else:
                with archive.open(member) as content:
                    _write(content, directory, parts, stat.S_IMODE(mode) or 0o644, room)


def _count(number: int, name: str) -> None:
    if number >= ENTRIES_MAX:
        raise Failure(f"is one of more than {ENTRIES_MAX} files", subject=name)


def _parts(name: str) -> list[str]:
    """Raises Failure for a name that leads upwards. One with a / at its beginning is below the directory, as in tar."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise Failure("leads out of the sandbox", subject=name)
    return parts


@contextlib.contextmanager
def _fresh(directory: int, parts: list[str]) -> Iterator[int]:
    """The directory above, in which nothing has this name any more. Raises Failure, OSError."""
    if not parts:
        raise Failure("has no name", subject="a file of the archive")
    with Opened(ensure_below(directory, *parts[:-1])) as above:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(parts[-1], dir_fd=above)
        yield above


def _write(content: Readable, directory: int, parts: list[str], mode: int, room: Room) -> None:
    with _fresh(directory, parts) as above:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(parts[-1], flags, 0o600, dir_fd=above), "wb") as file:
            while chunk := content.read(CHUNK_BYTES):
                room.spend(len(chunk), "/".join(parts))
                file.write(chunk)
            os.fchmod(file.fileno(), mode & 0o777)


def _link(directory: int, parts: list[str], target: str) -> None:
    with _fresh(directory, parts) as above:
        os.symlink(target, parts[-1], dir_fd=above)


def _hard_link(directory: int, parts: list[str], target: list[str]) -> None:
    if not target:
        raise Failure("links to nothing", subject="/".join(parts))
    source = os.dup(directory)
    for name in target[:-1]:
        with Opened(source) as above:
            source = open_directory(above, name)
    with Opened(source) as found, _fresh(directory, parts) as above:
        os.link(target[-1], parts[-1], src_dir_fd=found, dst_dir_fd=above, follow_symlinks=False)
