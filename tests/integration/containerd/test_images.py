"""containerd's records of images: names, targets and labels."""

from __future__ import annotations

import pytest

from executor.containerd import Containerd
from executor.containerd.types import Descriptor
from executor.errors import NotFound

NAME = "example.org/app:1"
TARGET = Descriptor("application/vnd.oci.image.manifest.v1+json", f"sha256:{'a' * 64}", 7)


async def test_labels_change_without_the_target_and_containerd_goes_on(client: Containerd) -> None:
    """A request without a target crashed containerd 2.1, with every pod's launch on the node."""
    await client.images.put(NAME, TARGET, {"kept": "1", "changed": "1"})
    await client.images.set_labels(NAME, {"changed": "2"})
    found = await client.images.get(NAME)
    assert (found.target, found.labels) == (TARGET, {"kept": "1", "changed": "2"})
    other = Descriptor(TARGET.media_type, f"sha256:{'b' * 64}", 8)
    await client.images.put(NAME, other, {"changed": "3"})
    found = await client.images.get(NAME)
    assert (found.target, found.labels) == (other, {"kept": "1", "changed": "3"})
    await client.images.delete(NAME, sync=True)
    with pytest.raises(NotFound):
        await client.images.set_labels(NAME, {"changed": "4"})
    assert await client.version()
