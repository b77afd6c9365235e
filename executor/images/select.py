"""From an image's digest to the manifest that this node runs, through indexes and indexes in them. Pure.

Where the documents come from, a registry or the node, is the caller's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from executor.containerd.types import Descriptor
from executor.errors import ImageFailure
from executor.images import manifest as documents
from executor.images.platforms import Platform

INDEXES_MAX: Final = 4
"""How deep indexes may stand in indexes."""
DOCUMENTS_MAX: Final = 16
"""How many documents one choice may read."""

Read = Callable[[Descriptor], Awaitable[Mapping[str, object] | None]]
"""Reads one document; None if it is not there."""


@dataclass(frozen=True)
class Selected:
    """`path` leads from the image's target over indexes to the manifest, which is its last."""

    path: tuple[Descriptor, ...]
    manifest: documents.Manifest


async def select(target: Descriptor, read: Read, platforms: Sequence[Platform], *, subject: str) -> Selected:
    """ImageFailure: NoVariantError, an unknown form, indexes that are too deep, a document that is not there."""
    return await _Selection(read, platforms, subject).at((target,))


class _Selection:
    def __init__(self, read: Read, platforms: Sequence[Platform], subject: str) -> None:
        self._read = read
        self._platforms = platforms
        self._subject = subject
        self._documents = 0

    async def at(self, path: tuple[Descriptor, ...]) -> Selected:
        value = await self._document(path[-1])
        documents.check_form(value, path[-1].media_type, subject=self._subject)
        if not documents.is_index(path[-1].media_type, value):
            return Selected(path, documents.manifest_of(value, subject=self._subject))
        if len(path) > INDEXES_MAX:
            raise ImageFailure(f"its indexes are nested deeper than {INDEXES_MAX}", subject=self._subject)
        failures: list[ImageFailure] = []  # what is not there might be usable: it says more than what is not
        for choice in documents.choices(value, self._platforms, subject=self._subject):
            try:
                return await self.at((*path, choice))
            except (documents.NoVariantError, AbsentError) as error:
                failures.append(error)
        raise min(failures, key=lambda error: not isinstance(error, AbsentError))  # `choices` gives one at least

    async def _document(self, target: Descriptor) -> Mapping[str, object]:
        self._documents += 1
        if self._documents > DOCUMENTS_MAX:
            raise ImageFailure(f"its indexes lead to more than {DOCUMENTS_MAX} documents", subject=self._subject)
        value = await self._read(target)
        if value is None:
            raise AbsentError(f"its content {target.digest} is not on this node", subject=self._subject)
        return value


class AbsentError(ImageFailure):
    """A document that an index names is not where it was looked for."""
