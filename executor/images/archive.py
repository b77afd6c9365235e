"""The file of an image archive: a tar, perhaps compressed, whose members are read where they lie.

Blocking code, to be used from a thread. Every fault of the file is an ImageFailure that names it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from executor.errors import ImageFailure

_DOCUMENT_MAX_BYTES = 8 << 20


class Archive:
    """An open archive; a context manager. Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._faults():
            self._tar = tarfile.open(path, "r:*")  # noqa: SIM115  closed by __exit__
        try:
            with self._faults():
                self._members = {member.name.removeprefix("./"): member for member in self._tar}
        except ImageFailure:
            self._tar.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def require(self, member: str) -> None:
        """ImageFailure if `member` is not in the archive."""
        if member not in self._members:
            raise self.failure(f"{member} is missing in the archive")

    @contextmanager
    def open(self, member: str) -> Iterator[IO[bytes]]:
        """The content of a member, following a link within the archive."""
        self.require(member)
        with self._faults():
            stream = self._tar.extractfile(self._members[member])
            if stream is None:
                raise self.failure(f"{member} is not a file")
            with stream:
                yield stream

    def read(self, member: str) -> bytes:
        """A document as a whole: at most 8 MiB."""
        with self.open(member) as stream:
            data = stream.read(_DOCUMENT_MAX_BYTES + 1)
        if len(data) > _DOCUMENT_MAX_BYTES:
            raise self.failure(f"{member} is larger than {_DOCUMENT_MAX_BYTES} bytes")
        return data

    def subject(self, member: str) -> str:
        """How errors name a member."""
        return f"{self.path}: {member}"

    def failure(self, message: str) -> ImageFailure:
        """An error that names the file."""
        return ImageFailure(message, subject=str(self.path))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, EOFError, OSError, KeyError) as error:
            raise self.failure(f"cannot read the image archive: {error}") from error
        except MemoryError as error:  # xz may ask for 4 GiB in 64 bytes
            raise self.failure("reading the image archive takes more memory than there is") from error
