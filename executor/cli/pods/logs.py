"""`logs`: a container's output, read from the files that the executor names.

The two streams are files of their own, so their order against each other is not known: all of stdout comes before all
of stderr, except for what arrives while following.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

import click

from executor.cli import complete
from executor.cli.executors.client import Client, segment
from executor.cli.pods import lookup
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound, reason
from executor.output.endedlogs import reading
from executor.output.places import Reading, moved_bytes, older
from executor.own_directory import OwnDirectory

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
    client, document = lookup.find(session, pod)
    chosen = lookup.container(document, container)
    if reason := document.get("logs_removed"):
        hint = "see [retention] in check-config"
        message = f"its log files were removed after its end, by the limit on {reason}"
        raise NotFound(message, subject=f"{document['pod']}/{chosen['name']}", hint=hint)
    wanted = [name for name in ("stdout", "stderr") if stream in ("all", name) and (chosen.get("log") or {}).get(name)]
    if not wanted:
        hint = f"see its state: mesos-pod-executor inspect {document['pod']}"
        raise NotFound("has no log file yet", subject=f"{document['pod']}/{chosen['name']}", hint=hint)
    with ExitStack() as stack:
        stack.enter_context(reading(OwnDirectory.at(str(Path(chosen["log"][wanted[0]]).parent))))
        files = [stack.enter_context(closing(LogFile(name, Path(chosen["log"][name])))) for name in wanted]
        for file in files:
            _print(file, file.begin(tail, everything=everything), as_json=as_json, last=not follow)
        if follow:
            _follow(client, document["pod"], chosen["name"], files, as_json=as_json)


def _follow(client: Client, pod: str, container: str, files: list[LogFile], *, as_json: bool) -> None:
    polls, running = 0, True
    while running:
        time.sleep(_POLL_S)
        polls += 1
        if polls % _CHECKS_EVERY == 0:
            running = _runs(client, pod, container)
        for file in files:
            _print(file, file.more(), as_json=as_json, last=not running)


def _runs(client: Client, pod: str, container: str) -> bool:
    try:
        document = client.get(f"/v1/pods/{segment(pod)}")
    except NotFound:
        return False
    return any(each["name"] == container and each["state"] != "exited" for each in document["containers"])


class LogFile:
    """One stream's file, read from where the last read ended; survives its rotation.

    Places are counted from the first byte that the container ever wrote, so that no rotation shifts them.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._directory = OwnDirectory.at(str(path.parent))
        self._file: BinaryIO | None = None
        self._at = self._moved_bytes = 0
        self._missed_bytes = 0
        self._rest = b""

    def begin(self, tail: int | None = None, *, everything: bool = False) -> Iterator[bytes]:
        """From the beginning, the oldest file's or this one's, or the last `tail` lines; nothing if it is not there."""
        with Reading(self._directory, self._path.name):
            if not self._open():
                return iter(())
            self._at = self._moved_bytes = moved_bytes(self._directory, self._path.name)
            if tail is not None and self._file is not None:
                self._at += _offset_of_last(self._file, tail)
            elif everything:
                self._at = 0  # what is gone of it is counted as missed
        return self.more()

    def more(self) -> Iterator[bytes]:
        """What was written since."""
        if self._file is None:
            yield from self.begin()
        else:
            yield from self._blocks()

    def whole_lines(self, blocks: Iterator[bytes], *, last: bool) -> Iterator[bytes]:
        """The blocks with their lines whole; what has no end yet is kept for the next time, unless this is the last."""
        for block in blocks:
            lines, newline, self._rest = (self._rest + block).rpartition(b"\n")
            if newline:
                yield lines + newline
        if last:
            yield self._rest

    def missed(self) -> int:
        """Bytes that were rotated away before they were read, since this was last asked."""
        missed_bytes, self._missed_bytes = self._missed_bytes, 0
        return missed_bytes

    def close(self) -> None:
        """The file; a second call does nothing."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _open(self) -> bool:
        """Whether there is a file. Raises NotFound if it cannot be read."""
        try:
            file = self._opened(self._path.name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise NotFound(f"cannot be read: {reason(error)}", subject=str(self._path), hint="run as root") from error
        self.close()
        self._file = file
        return True

    def _opened(self, name: str) -> BinaryIO:
        """Raises OSError."""
        return open(self._directory.open_file(name, os.O_RDONLY), "rb", buffering=0)  # noqa: PTH123  a descriptor

    def _renamed(self) -> bool:
        """Whether another file has its name now."""
        try:
            with self._opened(self._path.name) as now:
                return self._file is not None and not os.path.sameopenfile(now.fileno(), self._file.fileno())
        except OSError:
            return False

    def _blocks(self) -> Iterator[bytes]:
        """Blocks that end at a line's end where one is in sight."""
        while block := self._read():
            self._at += len(block)
            yield block

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        with Reading(self._directory, self._path.name):
            moved = moved_bytes(self._directory, self._path.name)
            if self._at < moved and (block := self._read_older(moved)):
                return block
            self._skip_to(moved)
            if moved != self._moved_bytes or self._renamed():
                if moved == self._moved_bytes and (block := _block(self._file, self._at - moved)):
                    return block  # not our rotation: the rest of what another program has moved
                self._at = moved
                if not self._open():
                    return b""
            self._moved_bytes = moved
            if self._at > moved + os.fstat(self._file.fileno()).st_size:  # another process has emptied it
                self._at = moved
            return _block(self._file, self._at - moved)

    def _read_older(self, end: int) -> bytes:
        """From the older file that holds this place, or the next one; `end` is where the latest of them ends."""
        pieces = []
        for name, size_bytes in self._older():
            pieces.append((end - size_bytes, end, name))
            end -= size_bytes
        for begin, beyond, name in reversed(pieces):
            if self._at < beyond:
                self._skip_to(begin)
                with self._opened(name) as file:
                    return _block(file, self._at - begin)
        return b""

    def _skip_to(self, place: int) -> None:
        if self._at < place:
            self._missed_bytes += place - self._at
            self._at = place

    def _older(self) -> Iterator[tuple[str, int]]:
        """The names of the files that rotation has kept, the latest first, with their sizes."""
        for number in count(1):
            name = older(self._path.name, number)
            try:
                with self._opened(name) as file:
                    size_bytes = os.fstat(file.fileno()).st_size
            except FileNotFoundError:
                return
            yield name, size_bytes


def _block(file: BinaryIO, offset: int) -> bytes:
    """From there on; it ends with the last line that ends in it, if there is one."""
    block = os.pread(file.fileno(), _BLOCK_BYTES, offset)
    return block[: block.rfind(b"\n") + 1] or block


def _print(file: LogFile, blocks: Iterator[bytes], *, as_json: bool, last: bool) -> None:
    if as_json:
        blocks = file.whole_lines(blocks, last=last)
    stream = sys.stdout.buffer if file.name == "stdout" or as_json else sys.stderr.buffer
    for block in blocks:
        if as_json:
            _print_lines(file, block)
        else:
            stream.write(block)
            stream.flush()
    if missed_bytes := file.missed():
        click.echo(f"{missed_bytes} bytes of {file.name} are not there any more: they were rotated away", err=True)


def _print_lines(file: LogFile, block: bytes) -> None:
    for text in block.decode(errors="replace").splitlines():
        output.json_line({"stream": file.name, "line": text})


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
