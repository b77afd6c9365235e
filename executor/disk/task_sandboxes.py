"""The sandboxes of the Mesos tasks of a pod that has ended: how large they are, and their removal with its logs.

Blocking: for a thread.
"""

from __future__ import annotations

import contextlib
import os

from executor.disk.removal import Removal
from executor.disk.walk import Walk
from executor.errors import Failure
from executor.names import PODS, TASKS
from executor.own_directory import OwnDirectory


def size_bytes(pod: OwnDirectory) -> int:
    """The size of all sandboxes in the directory of the pod; 0 where there are none. Raises OSError."""
    walk = Walk(OwnDirectory(pod.base, *pod.names, TASKS))
    try:
        while not walk.turn():
            pass
    finally:
        walk.close()
    return walk.count.bytes.total()


def remove(pod: OwnDirectory) -> None:
    """The sandboxes in the directory of the pod, and the links to them. Raises Failure, OSError."""
    removal = Removal(pod, TASKS)
    try:
        while not removal.turn():
            pass
    finally:
        removal.close()
    _unlink(pod)
    if removal.failures.count:
        raise Failure(f"cannot be removed: {removal.failures.text()}", subject=pod.path)


def _unlink(pod: OwnDirectory) -> None:
    """Those of other pods stay, also where a task of theirs has the same id."""
    begin = f"../{PODS}/{pod.names[-1]}/"
    try:
        links = OwnDirectory(pod.base, TASKS).open()
    except FileNotFoundError:
        return
    try:
        for entry in list(os.scandir(links)):
            with contextlib.suppress(OSError):  # it is not a link
                if os.readlink(entry.name, dir_fd=links).startswith(begin):
                    os.unlink(entry.name, dir_fd=links)
    finally:
        os.close(links)
