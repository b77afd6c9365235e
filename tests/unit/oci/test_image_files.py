"""Which directories make up the root file system of a container that has not run yet."""

from __future__ import annotations

import pytest

from executor.containerd.types import Mount
from executor.oci.image_files import layers

OVERLAY = ("index=off", "workdir=/s/3/work", "upperdir=/s/3/fs", "lowerdir=/s/2/fs:/s/1/fs", "userxattr")


@pytest.mark.parametrize(
    ("mount", "found"),
    [
        (Mount("overlay", "overlay", OVERLAY), (["/s/2/fs", "/s/1/fs"], ["index=off", "userxattr"])),
        (Mount("overlay", "overlay", ("lowerdir=/s/1/fs", "upperdir=/u", "workdir=/w")), (["/s/1/fs"], [])),
        (Mount("bind", "/s/1/fs", ("rw", "rbind")), (["/s/1/fs"], [])),
    ],
)
def test_layers(mount: Mount, found: tuple[list[str], list[str]]) -> None:
    assert layers([mount]) == found
