"""What was attached, on disk: one file per interface of a pod, `<state_dir>/<container id>/<ifname>.json`.

Invariants: a record stands before the first plugin is started and until the last DEL has succeeded, so that a crash
at any moment leaves something that can be undone; it holds the very configuration that was used, so that an edited or
removed file does not break DEL; a file is written whole or not at all (temporary file, fsync, rename). Nothing
without a record here is ever DELed.
Owns: `state_dir`. The Mesos agent's own records (<runtime_dir>/isolators/network/cni) are never read or written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from executor import bounded_json
from executor.cni.attachment import Json
from executor.errors import NetworkFailure, reason

_FORMAT = 1
_SUFFIX = ".json"


@dataclass(frozen=True)
class Record:
    """`order` is the position among the pod's interfaces; `complete`: ADD has succeeded and `result` is the last
    plugin's, else what the chain had come to, and `fault` what ended it: Fault.words of its plugin.
    """

    container_id: str
    ifname: str
    network: str
    netns: str
    file: str
    order: int
    document: Json
    capability_args: Json = field(default_factory=dict)
    args: Json = field(default_factory=dict)
    cni_args: str = ""
    complete: bool = False
    result: Json | None = None
    fault: str = ""

    @property
    def version(self) -> str:
        """The CNI version that the configuration was used with."""
        return str(self.document["cniVersion"])

    @property
    def subject(self) -> str:
        """Network, file, interface and pod, for messages."""
        return f"network {self.network} ({self.file}), {self.ifname} of {self.container_id}"


class Cache:
    """What this process has saved it knows without its files, so that it undoes what it has made if these are gone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._saved: dict[tuple[str, str], Record] = {}

    def save(self, record: Record) -> None:
        """Raises NetworkFailure."""
        folder = self._directory / record.container_id
        with _translated(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = json.dumps({"format": _FORMAT, **asdict(record)})
            _write_atomically(folder / f"{record.ifname}{_SUFFIX}", text)
        self._saved[record.container_id, record.ifname] = record

    def remove(self, record: Record) -> None:
        """Missing is success."""
        folder = self._directory / record.container_id
        with _translated(folder):
            (folder / f"{record.ifname}{_SUFFIX}").unlink(missing_ok=True)
        self._saved.pop((record.container_id, record.ifname), None)
        self.tidy(record.container_id)

    def tidy(self, container_id: str) -> None:
        """Removes a directory without records, and what a crash left in it while the first was written."""
        folder = self._directory / container_id
        with _translated(folder):
            if folder.is_dir() and not any(_is_record(path) for path in folder.iterdir()):
                shutil.rmtree(folder)

    def of(self, container_id: str) -> tuple[Record, ...]:
        """In the order of attaching. Raises NetworkFailure if a record cannot be read."""
        folder = self._directory / container_id
        with _translated(folder):
            paths = sorted(folder.iterdir()) if folder.is_dir() else []
        saved = [record for (owner, _), record in tuple(self._saved.items()) if owner == container_id]
        known = {f"{record.ifname}{_SUFFIX}" for record in saved}
        found = [_read(path) for path in paths if _is_record(path) and path.name not in known]
        return tuple(sorted([*saved, *found], key=lambda record: record.order))

    def readable(self) -> tuple[tuple[Record, ...], tuple[NetworkFailure, ...]]:
        """All records, and an error for each container that has one that cannot be read."""
        records: list[Record] = []
        failures: list[NetworkFailure] = []
        with _translated(self._directory):
            names = sorted(path.name for path in self._directory.iterdir()) if self._directory.is_dir() else []
        for name in names:
            try:
                records += self.of(name)
            except NetworkFailure as failure:
                failures.append(failure)
        return tuple(records), tuple(failures)


def _is_record(path: Path) -> bool:
    return path.suffix == _SUFFIX  # ".eth0.json.new" is one that was being written at a crash


def _read(path: Path) -> Record:
    try:
        values = bounded_json.loads(path.read_bytes(), bounded_json.RECORD)
        if values.pop("format") != _FORMAT:
            raise ValueError("another format")
        record = Record(**values)
        if not isinstance(record.document["plugins"], list) or not record.version:
            raise ValueError("no configuration")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "undo the attachment by hand (host-local address, veth, port rules), then remove the file"
        raise NetworkFailure(f"unreadable record of an attachment: {error}", subject=str(path), hint=hint) from error
    return record


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "look at the disk and the rights of the executor's state directory"
        raise NetworkFailure(
            f"cannot keep the record of an attachment: {reason(error)}", subject=str(path), hint=hint
        ) from error
