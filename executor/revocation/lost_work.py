"""How much work the end of a pod would throw away: all since its start, or since its last checkpoint if it saves one.

The file is the pod's to write, so it is only looked at: no link leads out of the volume, its content is not read, and
its time counts only between the pod's start and now.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from executor.beneath import open_path
from executor.own_directory import Opened, open_directory
from executor.spec import checkpoint
from executor.volumes.empty_dir import VOLUMES

if TYPE_CHECKING:
    from executor.revocation.pod import Pod


def lost_work_s(pod: Pod) -> float:
    """In seconds. A checkpoint that is not there yet is none."""
    place = checkpoint.of(pod.spec.annotations)
    if place is None:
        return pod.age_s
    volume, path = place
    try:
        with (
            pod.files.opened() as own,
            Opened(open_directory(own, VOLUMES)) as volumes,
            Opened(open_directory(volumes, volume)) as root,
            Opened(open_path(root, path)) as file,
        ):
            saved_s = os.fstat(file).st_mtime
    except OSError:
        return pod.age_s
    return min(pod.age_s, max(0.0, time.time() - saved_s))
