"""What this node's lender shows of itself, for the commands that print it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from executor import bounded_json
from executor.cli.documents.fault import fault
from executor.cli.documents.lending import Lending
from executor.cli.session import Session
from executor.errors import Failure, NotFound, reason
from executor.lending import files, status


def directory(session: Session) -> Path:
    """Where the lender of this node keeps its accounts."""
    return Path(session.configuration().node.state_dir, "lending")


def now(session: Session) -> dict[str, Any]:
    """The lender's document. Raises NotFound where none runs, Failure."""
    path = session.run_dir / status.FILE
    document: dict[str, Any]
    try:
        if not files.is_held(directory(session)):  # a killed lender leaves an old document
            raise FileNotFoundError
        document = bounded_json.loads(path.read_bytes(), bounded_json.RECORD)
    except FileNotFoundError as error:
        hint = "mesos-pod-executor-lend.service runs it; see lending.md"
        raise NotFound("no lender runs on this node", subject=str(path), hint=hint) from error
    except (OSError, ValueError) as error:
        raise Failure(f"cannot be read: {reason(error)}", subject=str(path), hint="run as root") from error
    if lacking := fault(Lending, document):
        hint = "the lender may be of another version than this command: restart mesos-pod-executor-lend"
        raise Failure(f"cannot be used: {lacking}", subject=str(path), hint=hint)
    return document
