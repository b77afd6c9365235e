"""The users of the node's images as numbers, each looked up once in the image's files. Owns: what was found there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from executor.log import get_logger
from executor.oci import image_files
from executor.oci.users import Accounts, UserIds, needs_accounts, needs_name, user_ids

if TYPE_CHECKING:
    from executor.containerd.types import Mount
    from executor.images.model import Image

log = get_logger(__name__)

KNOWN_MAX: Final = 64
_FILES = ("etc/passwd", "etc/group")


class ImageUsers:
    """By the user and the chain id of the layers, which always means the same files; the last ones are remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], UserIds] = {}

    async def ids(self, image: Image, mounts: Sequence[Mount], user: str, *, subject: str) -> UserIds:
        """What `user` (see users.user_ids) is in `image`, of which `mounts` are a fresh snapshot's.

        Raises ImageFailure, TimedOut.
        """
        if not needs_accounts(user):
            return user_ids(user, Accounts(), subject=subject)
        key = (image.chain_id, user)
        found = self._known.pop(key, None)
        if found is None:
            texts = await _texts(image, mounts, user, subject)
            found = await asyncio.to_thread(_look_up, user, texts, subject)  # long files take long
        if not image.is_node:  # its users may change
            self._known[key] = found
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return found


async def _texts(image: Image, mounts: Sequence[Mount], user: str, subject: str) -> list[bytes | None]:
    """A user that is a number, or none, needs no file: one that cannot be used counts as one that is not there."""
    try:
        return await image_files.read(mounts, _FILES, image=image.name)
    except image_files.UnusableFile as error:
        if needs_name(user):
            raise
        log.warning("the image's users are not known", code="pod.users_unknown", what=subject, error=error)
        return [None] * len(_FILES)


def _look_up(user: str, texts: Sequence[bytes | None], subject: str) -> UserIds:
    passwd, group = (None if text is None else text.decode(errors="replace") for text in texts)
    return user_ids(user, Accounts(passwd, group), subject=subject)
