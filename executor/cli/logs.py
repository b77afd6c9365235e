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
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from executor.cli import output
from executor.cli.client import Client, segment
from executor.cli.pods import find
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound

_POLL_S: Final = 0.2
_CHECKS_EVERY: Final = 5  # polls between two questions whether the container still runs
_BLOCK_BYTES: Final = 64 << 10


@click.command("logs")
@click.argument("pod")
@click.argument("container", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on until the container has ended.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="Only the last N lines of each stream.")
@click.option("--stream", type=click.Choice(["all", "stdout", "stderr"]), default="all", show_default=True)
@json_option
@pass_session
def command(
    session: Session, pod: str, container: str, *, follow: bool, tail: int | None, stream: str, as_json: bool
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
        yield from _blocks(self._file)
        if self._rotated():
            self.close()
            yield from self.begin(None)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _rotated(self) -> bool:
        if self._file is None:
            return False
        try:
            now = self._path.stat()
        except OSError:
            return False
        then = os.fstat(self._file.fileno())
        return now.st_ino != then.st_ino or now.st_size < self._file.tell()


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
