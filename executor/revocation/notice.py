"""The notice of a revocation: a file that every container of a victim finds at /run/mesos-pod-executor/notice.json.

    {"id": "r-1", "reason": "spark wants its cores", "deadline": "2026-01-01T00:00:05.000Z", "grace_s": 5.0}

It appears whole (by a rename, so that inotify's IN_MOVED_TO is the sign), before SIGTERM; at the deadline comes
SIGKILL. A revocation that ends sooner replaces it, one that ends later does not. The directory is mounted read-only.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta

from executor import bounded_json
from executor.log import timestamp
from executor.oci.mounts import NOTICE
from executor.own_directory import Opened, OwnDirectory, open_directory, open_file
from executor.revocation.request import Request

FILE = "notice.json"


def write(pod: OwnDirectory, request: Request, now: datetime) -> bool:
    """Whether the pod's containers can read of this or an earlier end now; `pod` is its directory. Raises OSError."""
    try:
        with pod.opened() as above:
            opened = Opened(open_directory(above, NOTICE))
    except FileNotFoundError:  # it is being launched, and no container runs yet
        return False
    with opened as directory:
        deadline = now + timedelta(seconds=request.grace_s)
        known = _written_deadline(directory)
        if known is None or known > deadline:
            _write(directory, request, deadline)
    return True


def _write(directory: int, request: Request, deadline: datetime) -> None:
    document = {
        "id": request.id,
        "reason": request.reason,
        "deadline": timestamp(deadline),
        "grace_s": request.grace_s,
    }
    new = f".{FILE}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new, dir_fd=directory)
    with os.fdopen(open_file(directory, new, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(json.dumps(document) + "\n")
    os.rename(new, FILE, src_dir_fd=directory, dst_dir_fd=directory)


def _written_deadline(directory: int) -> datetime | None:
    """The deadline of a notice that is there."""
    try:
        with os.fdopen(open_file(directory, FILE, os.O_RDONLY), "rb") as file:
            data = file.read(bounded_json.DOCUMENT.size_bytes + 1)
        return datetime.fromisoformat(bounded_json.loads(data)["deadline"]).astimezone(UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return None
