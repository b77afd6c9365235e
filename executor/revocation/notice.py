"""The notice of a revocation: a file that every container of a victim finds at /run/mesos-pod-executor/notice.json.

    {"id": "r-1", "reason": "spark wants its cores", "deadline": "2026-01-01T00:00:05.000Z", "grace_s": 5.0}

It appears whole (by a rename, so that inotify's IN_MOVED_TO is the sign), before SIGTERM; at the deadline comes
SIGKILL. A revocation that ends sooner replaces it, one that ends later does not. The directory is mounted read-only.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from executor import bounded_json
from executor.log import timestamp
from executor.oci.mounts import NOTICE
from executor.revocation.request import Request

FILE = "notice.json"


def write(pod_dir: Path, request: Request, now: datetime) -> bool:
    """Whether the pod's containers can read of this or an earlier end now. Raises OSError."""
    directory = pod_dir / NOTICE
    if not directory.is_dir():  # it is being launched, and nobody runs there yet
        return False
    deadline = now + timedelta(seconds=request.grace_s)
    told = _told(directory / FILE)
    if told is not None and told <= deadline:
        return True
    document = {
        "id": request.id,
        "reason": request.reason,
        "deadline": timestamp(deadline),
        "grace_s": request.grace_s,
    }
    new = directory / f".{FILE}"
    new.write_text(json.dumps(document) + "\n")
    new.chmod(0o644)
    new.replace(directory / FILE)
    return True


def _told(path: Path) -> datetime | None:
    """The deadline of a notice that is there."""
    try:
        return datetime.fromisoformat(bounded_json.loads(path.read_bytes())["deadline"]).astimezone(UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return None
