"""`logs`: a container's output, read from the files that the executor names.

The two streams are files of their own, so their order against each other is not known: all of stdout comes before all
of stderr, except for what arrives while following.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from executor.cli import complete, output
from executor.cli.client import Client, segment
from executor.cli.pods import find
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound
from executor.pod.logfiles import older

_POLL_S: Final = 0.2
_CHECKS_EVERY: Final = 5  # polls between two questions whether the container still runs
_BLOCK_BYTES: Final = 64 << 10


@click.command("logs")
@click.argument("pod", shell_complete=complete.pods)
@click.argument("container", default="", shell_complete=complete.containers)
@click.option("-f", "--follow", is_flag=True, help="Go on until the container has ended.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="Only the last N lines of each stream.")
@click.option("-a", "--all", "everything", is_flag=True, help="Begin with the older files that rotation has kept.")
@click.option("--stream", type=click.Choice(["all", "stdout", "stderr"]), default="all", show_default=True)
@json_option
@pass_session
def command(
    session: Session,
    pod: str,
    container: str,
    *,
    follow: bool,
    tail: int | None,
    everything: bool,
    stream: str,
    as_json: bool,
) -> None:
    """Print what a pod's CONTAINER wrote; the name can be left out where there is one."""
    client, document = find(session, pod)
    chosen = _choose(document, container)
    wanted = [name for name in ("stdout", "stderr") if stream in ("all", name) and (chosen.get("log") or {}).get(name)]
    if not wanted:
        raise NotFound("has no log file yet", subject=f"{document['pod']}/{chosen['name']}")
    with ExitStack() as stack:
        files = [stack.enter_context(closing(LogFile(name, Path(chosen["log"][name])))) for name in wanted]
        for file in files:
            if everything and tail is None:
                _print(file, file.before(), as_json=as_json)
            _print(file, file.begin(tail), as_json=as_json)
        if follow:
            _follow(client, document["pod"], chosen["name"], files, as_json=as_json)


def _choose(document: dict[str, Any], name: str) -> dict[str, Any]:
    containers: list[dict[str, Any]] = document.get("containers", [])
    names = ", ".join(output.clean(each["name"]) for each in containers)
    if not name and len(containers) > 1:
        raise click.UsageError(f"{document['pod']} has several containers, name one: {names}")
    for each in containers:
        if name in ("", each["name"]):
            return each
    raise NotFound("no such container", subject=f"{document['pod']}/{name}", mend=f"it has: {names or 'none'}")


def _follow(client: Client, pod: str, container: str, files: list[LogFile], *, as_json: bool) -> None:
    polls, running = 0, True
    while running:
        time.sleep(_POLL_S)
        polls += 1
        if polls % _CHECKS_EVERY == 0:
            running = _runs(client, pod, container)
        for file in files:
            _print(file, file.more(), as_json=as_json)


def _runs(client: Client, pod: str, container: str) -> bool:
    try:
        document = client.get(f"/v1/pods/{segment(pod)}")
    except NotFound:
        return False
    return any(each["name"] == container and each["state"] != "exited" for each in document["containers"])


class LogFile:
    """One stream's file, read from where the last read ended; survives its rotation."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._file: BinaryIO | None = None
        self._older = _identity(older(path, 1))

    def before(self) -> Iterator[bytes]:
        """What rotation has moved to older files, oldest first."""
        numbers = [int(each.suffix[1:]) for each in self._path.parent.glob(f"{glob.escape(self._path.name)}.[0-9]*")]
        for number in sorted(numbers, reverse=True):
            with contextlib.suppress(FileNotFoundError), older(self._path, number).open("rb") as file:
                yield from _blocks(file)

    def begin(self, tail: int | None) -> Iterator[bytes]:
        """From the beginning, or the last `tail` lines; nothing if the file is not there yet."""
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return iter(())
        except OSError as error:
            raise NotFound(f"cannot be read: {error.strerror}", subject=str(self._path), mend="run as root") from error
        if tail is not None:
            self._file.seek(_offset_of_last(self._file, tail))
        return _blocks(self._file)

    def more(self) -> Iterator[bytes]:
        """What was written since."""
        if self._file is None:
            yield from self.begin(None)
            return
        if self._rotated():
            yield from self._rest()
        if self._file is not None:
            yield from _blocks(self._file)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _rotated(self) -> bool:
        """Whether another file has its name, its front went to a new `.1`, or it is shorter than what was read."""
        if self._file is None:
            return False
        if self._moved():
            return True
        before, self._older = self._older, _identity(older(self._path, 1))
        return self._older not in (0, before) or os.fstat(self._file.fileno()).st_size < self._file.tell()

    def _moved(self) -> bool:
        """Whether the file was renamed, as other programs rotate."""
        now = _identity(self._path)
        return self._file is not None and now not in (0, os.fstat(self._file.fileno()).st_ino)

    def _rest(self) -> Iterator[bytes]:
        """What of the older file was not read yet; then the file is at where it goes on."""
        if self._file is None:
            return
        if self._moved():
            yield from _blocks(self._file)
            self.close()
            yield from self.begin(None)
            self._older = _identity(older(self._path, 1))
            return
        position, moved = self._file.tell(), 0
        with contextlib.suppress(FileNotFoundError), older(self._path, 1).open("rb") as file:
            moved = os.fstat(file.fileno()).st_size
            if position < moved:
                file.seek(position)
                yield from _blocks(file)
        self._file.seek(max(0, position - moved))


def _identity(path: Path) -> int:
    """Of the file at `path`; 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _print(file: LogFile, blocks: Iterator[bytes], *, as_json: bool) -> None:
    stream = sys.stdout.buffer if file.name == "stdout" or as_json else sys.stderr.buffer
    for block in blocks:
        if as_json:
            for text in block.decode(errors="replace").splitlines():
                output.json_line({"stream": file.name, "line": text})
        else:
            stream.write(block)
            stream.flush()


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file in blocks that end at a line's end where one is in sight."""
    while block := file.read(_BLOCK_BYTES):
        yield block + (b"" if block.endswith(b"\n") else file.readline(_BLOCK_BYTES))


def _offset_of_last(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin, searched from the end."""
    position = file.seek(0, os.SEEK_END)
    missing = lines + 1  # the newline before the first of them
    last = True
    while position > 0 and lines:
        size = min(_BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        if last and not block.endswith(b"\n"):
            missing -= 1
        last = False
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            missing -= 1
            if missing == 0:
                return position + at + 1
    return position
