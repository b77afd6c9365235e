"""The VOLUMEs of an image, in a container whose root file system is read only.

With a root that can be written to, a VOLUME is a directory of it and needs nothing. With a read-only root the directory
is mounted on itself, and so can be written to. What the image has there, its owner and its mode are kept. What is
written is part of the container's own layer, which goes with the container, so each start begins with the image's
content, as in containerd's CRI plugin. A VOLUME that is not in the image is an empty directory of the pod. A volume of
the pod on the same path wins.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.errors import ImageFailure
from executor.oci import image_files
from executor.spec.model import ContainerSpec

if TYPE_CHECKING:
    from executor.containerd.types import Mount
    from executor.images.model import Image

VOLUMES_MAX: Final = 64
KERNEL: Final = ("/dev", "/proc", "/sys")
"""A container has its own there, and runc relies on /dev/null: the image's could be a link."""
ROOT: Final = "rootfs"
"""The root file system of the container, relative to its bundle, as in the OCI document."""


def wanted(image_volumes: Sequence[str], container: ContainerSpec) -> tuple[str, ...]:
    """The image's paths that must be mounted. Raises ImageFailure for more than VOLUMES_MAX. Pure."""
    if not container.security.read_only_root:
        return ()
    taken = {mount.path for mount in container.mounts}
    found = dict.fromkeys(posixpath.normpath(f"/{path.lstrip('/')}") for path in image_volumes)
    if len(found) > VOLUMES_MAX:
        message = f"has {len(found)} VOLUMEs, which is more than {VOLUMES_MAX}"
        raise ImageFailure(message, subject=f"image {container.image}", hint="mount an emptyDir on them")
    return tuple(path for path in found if path not in taken and path != "/" and path not in KERNEL)


async def sources(
    image: Image, layers: Sequence[Mount], container: ContainerSpec, empty: Callable[[str], Path]
) -> Mapping[str, str]:
    """By its path, what to mount on each: relative to the bundle, or what `empty` makes for a name. Raises
    ImageFailure, TimedOut, OSError.
    """
    paths = wanted(image.config.volumes, container)
    if not paths:
        return {}
    real = await image_files.real_directories(layers, [path.lstrip("/") for path in paths], image=image.name)
    found = {}
    for number, (path, directory) in enumerate(zip(paths, real, strict=True)):
        if directory is None:
            found[path] = str(empty(f"{container.name}-{number}"))
        elif directory != "/" and directory not in KERNEL:
            found[directory] = f"{ROOT}{directory}"
    return found
