"""`exec`: a further command in a pod's container, with this terminal's or these streams' input and output.

The executor makes the FIFOs and the process; the bytes go straight between the FIFOs and this process. Hanging up
ends the command.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import signal
import struct
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from executor.cli import complete
from executor.cli.executors.client import Client, segment
from executor.cli.exits import Unreachable, Unreadable
from executor.cli.pods import lookup
from executor.cli.printing import output
from executor.cli.printing.written import Written, written
from executor.cli.session import Session, json_option, pass_session
from executor.errors import ExecutorError, Failure

_BLOCK_BYTES: Final = 64 << 10
_QUIET_S: Final = 0.5
"""Output that comes later than this after the command's end belongs to processes that it left behind."""
_OPEN_S: Final = 5.0


_TAKES_CONTAINER: Final = re.compile(r"--container|-[it]*c")


def separated(words: Sequence[str]) -> list[str]:
    """With `--` before the command where it was left out: the command begins with the second word that is not an
    option of ours. Pure.
    """
    positional = index = 0
    while index < len(words) and words[index] != "--":
        if _TAKES_CONTAINER.fullmatch(words[index]):
            index += 1
        elif not words[index].startswith("-"):
            positional += 1
            if positional == 2:
                return [*words[:index], "--", *words[index:]]
        index += 1
    return list(words)


class _WithCommand(click.Command):
    """Its last words are a command with options of its own."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, separated(args))


@click.command("exec", cls=_WithCommand)
@click.argument("pod", shell_complete=complete.pods)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND [ARGUMENT]...")
@click.option(
    "-c",
    "--container",
    default="",
    help="The container; can be left out where there is one.",
    shell_complete=complete.containers,
)
@click.option("-i", "--stdin", is_flag=True, help="Pass standard input on.")
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give the command a terminal, which is yours as it is.")
@click.option("--raw", is_flag=True, help="Print on a terminal what the command writes as it is, colours and all.")
@json_option
@pass_session
def command(
    session: Session, /, pod: str, argv: tuple[str, ...], *, terminal: bool, as_json: bool, **options: Any
) -> int:
    """Run a command in a pod's container, as its user and within its limits.

    A terminal gets text only: no colours, nothing that could steer it; with --tty or --raw it gets everything.

    The exit code is the command's (128 + the signal's number if it was killed), or one of this program's if it could
    not be run; a message on standard error tells then.
    """
    if terminal and as_json:
        raise click.UsageError("--tty and --json do not go together")
    if terminal and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("--tty needs a terminal on standard input and output")
    client, document = lookup.find(session, pod)
    body = {
        "command": list(argv),
        "container": lookup.container(document, options["container"])["name"],
        "terminal": terminal,
        "stdin": options["stdin"],
    }
    body |= _size() if terminal else {}
    news = client.session(f"/v1/pods/{segment(document['pod'])}/exec", body)
    collected: dict[str, list[bytes]] | None = {"stdout": [], "stderr": []} if as_json else None
    with contextlib.closing(news):  # type: ignore[type-var]
        printed = written(raw=terminal or options["raw"])
        code = _Conversation(client, news, collected, printed).run(terminal=terminal)
    if collected is not None:
        texts = {name: b"".join(blocks).decode(errors="replace") for name, blocks in collected.items()}
        output.json_document({"exit_code": code, **texts})
    return code


class _Conversation:
    def __init__(
        self,
        client: Client,
        news: Iterator[dict[str, Any]],
        collected: dict[str, list[bytes]] | None,
        printed: Mapping[str, Written],
    ) -> None:
        self._client = client
        self._printed = printed
        self._news = news
        self._collected = collected
        self._id = ""

    def run(self, *, terminal: bool) -> int:
        """The command's exit code. Raises what the executor answers."""
        streams = self._next("id")
        self._id = streams["id"]
        outputs = [self._reader(name, streams[name]) for name in ("stdout", "stderr") if name in streams]
        self._next("pid")  # the shim has opened the FIFOs
        with self._raw() if terminal else contextlib.nullcontext():
            if "stdin" in streams:
                threading.Thread(target=self._feed, args=(streams["stdin"],), daemon=True).start()
            code = int(self._next("exit_code")["exit_code"])
            for each in outputs:
                each.finish()
            for stream in self._printed.values():
                stream.end()
        return code

    def _next(self, key: str) -> dict[str, Any]:
        try:
            line = next(self._news)
        except StopIteration:
            hint = "is it alive? see mesos-pod-executor events"
            raise Unreachable("ended the session", subject=f"executor {self._client.id}", hint=hint) from None
        if "error" in line:
            raise Failure(line["error"]["message"], subject=line["error"]["subject"], hint=line["error"]["hint"])
        if key not in line:
            raise Unreadable(f"its line of the session has no {key}", subject=f"executor {self._client.id}")
        return line

    def _reader(self, name: str, path: str) -> _Reader:
        if self._collected is not None:
            return _Reader(path, self._collected[name].append)
        return _Reader(path, self._printed[name].block)

    def _feed(self, path: str) -> None:
        """Ours to its standard input, to the end of ours or its life."""
        with contextlib.suppress(OSError, ExecutorError):
            descriptor = _open_writer(path)
            try:
                while block := os.read(0, _BLOCK_BYTES):
                    _write_all(descriptor, block)
            finally:
                os.close(descriptor)
            self._change({"stdin": "closed"})

    @contextlib.contextmanager
    def _raw(self) -> Iterator[None]:
        """The terminal passes every key on, and its size is the command's."""
        before = termios.tcgetattr(0)
        previous = signal.signal(signal.SIGWINCH, lambda *_: self._resize())
        try:
            tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead is for the command
            yield
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
            signal.signal(signal.SIGWINCH, previous)

    def _resize(self) -> None:
        if size := _size():
            with contextlib.suppress(ExecutorError):  # it may have ended
                self._change(size)

    def _change(self, body: object) -> None:
        self._client.put(f"/v1/execs/{self._id}", body)


class _Reader:
    """One FIFO to one of our streams, in a thread of its own."""

    def __init__(self, path: str, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # no end is seen before the shim has come
        os.set_blocking(self._descriptor, True)
        self._waits_since = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """After the command's end: until everything is read, or what it left behind is quiet."""
        os.close(self._writer)
        self._waits_since = time.monotonic()
        while self._thread.is_alive() and time.monotonic() - self._waits_since < _QUIET_S:
            self._thread.join(0.05)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while block := os.read(self._descriptor, _BLOCK_BYTES):
                self._waits_since = float("inf")
                self._take(block)
                self._waits_since = time.monotonic()


def _size() -> dict[str, int]:
    """The size of our terminal; empty where it has none."""
    rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8)))
    return {"columns": columns, "rows": rows} if rows and columns else {}


def _open_writer(path: str) -> int:
    deadline_s = time.monotonic() + _OPEN_S
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
            continue
        os.set_blocking(descriptor, True)
        return descriptor


def _write_all(descriptor: int, block: bytes) -> None:
    while block:
        block = block[os.write(descriptor, block) :]
