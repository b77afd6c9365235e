"""The log writer: one process beside the executor that moves output from FIFOs to log files.

    shim ──▶ FIFO ──▶ a thread's buffer ──▶ <container>.stdout ──▶ .1 ──▶ .2

A turn is one read of one stream, at most TURN_BYTES, and its write; then the other streams come, however much this one
still has. A write may hang with its disk, so it holds up one thread and one file only: after HANG_S other threads read
that stream and drop what they read, until the write returns. What the disk refuses is dropped as well. Both are
counted (slots.py), and the next turn tries again.

It ends when the executor's end of its socket is closed, after it has written what is on its way. It runs with a
minimum of imports: its memory is that of an empty interpreter and its buffers. Started by `process.py`.
"""

from __future__ import annotations

import os
import select
import sys
import time
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, socket
from _thread import allocate_lock, start_new_thread

from executor.output import slots
from executor.output.flow import Log, Stream
from executor.output.logfile import LogFile
from executor.output.slots import Slots
from executor.output.wire import MESSAGE_MAX_BYTES, Open, pack_ended, unpack

TYPE_CHECKING = False  # typing's own would cost a megabyte
if TYPE_CHECKING:
    from collections.abc import Callable

TURN_BYTES = 128 << 10
CROWDED_S = 0.1
"""When every thread has been busy for this long, one more is started."""
TICK_S = 0.25
THREADS = 2
DRAIN_S = 5.0
"""How long the output of containers that outlive the executor is still written."""
_INT_BYTES = 4
_READY = select.EPOLLIN | select.EPOLLONESHOT


class Writer:
    def __init__(self, control: socket, counters: Slots) -> None:
        self._control = control
        self._slots = counters
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._streams: dict[int, Stream] = {}
        self._by_slot: dict[int, Stream] = {}
        self._logs: dict[str, Log] = {}
        self._lock = allocate_lock()
        """Guards all that is here; held for moments only, never over a read or a write."""
        self._threads = self._waiting = 0
        self._busy = self._asleep = False

    def serve(self) -> None:
        """Until the executor's end of the socket is closed and what is on its way is written."""
        for _ in range(THREADS):
            self._add_thread()
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            self._asleep = not self._busy
            for file, _ in poll.poll(TICK_S * 1e3 if self._busy else None):
                if file == self._wake:
                    os.eventfd_read(self._wake)
                elif not self._take():
                    self._drain()
                    return
            self._asleep = False
            self._look()

    # --- what the executor says ------------------------------------------------------------------------------

    def _take(self) -> bool:
        """One message; False at the end."""
        try:
            data, files = _receive(self._control)
        except ConnectionResetError:  # the executor did not read everything
            return False
        if not data:
            return False
        message = unpack(data)
        if isinstance(message, Open):
            self._open(message, files[0])
        elif (stream := self._by_slot.get(message.slot)) is not None:
            stream.closing = True
            self._start(self._turn, stream, bytearray(TURN_BYTES))
        return True

    def _open(self, message: Open, fifo: int) -> None:
        with self._lock:
            log = self._logs.get(message.path)
            if log is None:
                file = LogFile(message.directory, message.name, message.max_bytes, message.files, stream=message.stream)
                log = self._logs[message.path] = Log(message.path, file, self._watch)
            log.users += 1
            stream = self._streams[fifo] = self._by_slot[message.slot] = Stream(fifo, message.slot, log)
            stream.turn = self
        if not self._start(self._first_turn, stream, message.run):
            self._pass_on(stream, self)

    def _drain(self) -> None:
        """The executor has ended, and its pods are being ended."""
        deadline_s = time.monotonic() + DRAIN_S
        while self._streams and time.monotonic() < deadline_s:
            time.sleep(TICK_S / 10)
            self._look()

    # --- turns -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        buffer = bytearray(TURN_BYTES)
        while True:
            ((fifo, events),) = self._epoll.poll(None, 1)
            with self._lock:
                self._waiting -= 1
                stream = self._streams.get(fifo)
            if stream is not None:
                self._turn(stream, buffer, hung_up=bool(events & select.EPOLLHUP))
            with self._lock:
                if self._waiting >= THREADS:
                    self._threads -= 1
                    return
                self._waiting += 1

    def _first_turn(self, stream: Stream, run: bool) -> None:  # noqa: FBT001  start_new_thread passes no keywords
        """The file is there from the beginning, also of a container that writes nothing."""
        stream.log.open(run=run)
        self._pass_on(stream, self)

    def _turn(self, stream: Stream, buffer: bytearray, *, hung_up: bool = False) -> None:
        """`hung_up`: the FIFO has no writer any more. A stream that is being closed is read to its end at once."""
        turn = object()
        with self._lock:
            if stream.turn is not None:
                return
            stream.turn = turn
        while True:
            count = stream.read(buffer)
            if count:
                self._put(stream, buffer, count)
            elif hung_up or stream.closing:
                self._end(stream, turn)
                return
            if not (count and stream.closing and stream.turn is turn):
                break
        self._pass_on(stream, turn)

    def _put(self, stream: Stream, buffer: bytearray, count: int) -> None:
        self._count(stream, (slots.READ, count))
        written_bytes, rotated_bytes, number = stream.log.put(buffer, count)
        self._note_error(stream, number)
        dropped_bytes = count - written_bytes
        self._count(
            stream, (slots.WRITTEN, written_bytes), (slots.DROPPED, dropped_bytes), (slots.ROTATED, rotated_bytes)
        )

    def _count(self, stream: Stream, *counts: tuple[int, int]) -> None:
        with self._lock:
            if self._by_slot.get(stream.slot) is stream:  # a write may hang for longer than its stream
                for cell, count in counts:
                    self._slots.add(stream.slot, cell, count)

    def _note_error(self, stream: Stream, number: int) -> None:
        with self._lock:
            if self._by_slot.get(stream.slot) is stream:
                self._slots.set(stream.slot, slots.ERRNO, number)

    def _pass_on(self, stream: Stream, turn: object) -> None:
        """The next turn is that of the thread which finds something to read, if it was `turn` until now."""
        with self._lock:
            if stream.turn is not turn:
                return  # it took too long; others go on
            stream.turn = None
            if not stream.closing:
                self._arm(stream.fifo)
                return
        self._start(self._turn, stream, bytearray(TURN_BYTES))

    def _arm(self, fifo: int) -> None:
        try:
            self._epoll.modify(fifo, _READY)
        except FileNotFoundError:
            self._epoll.register(fifo, _READY)

    def _end(self, stream: Stream, turn: object) -> None:
        """Everything of it is read, and written or dropped."""
        stream.log.end_line()
        with self._lock:
            if stream.turn is not turn:
                return
            del self._streams[stream.fifo], self._by_slot[stream.slot]
            os.close(stream.fifo)
            log = stream.log
            log.users -= 1
            if last := not log.users:
                del self._logs[log.path]
        if last:
            log.close()
        self._say_ended(stream.slot)

    def _say_ended(self, slot: int) -> None:
        try:
            self._control.send(pack_ended(slot))
        except OSError:
            return  # the executor has ended

    # --- writes that take long -------------------------------------------------------------------------------

    def _watch(self) -> None:
        """A write has begun: `_look` is called until there is none any more."""
        self._busy = True
        if self._asleep:
            os.eventfd_write(self._wake, 1)

    def _look(self) -> None:
        """At writes that take long."""
        now_s, longest_s = time.monotonic(), 0.0
        self._busy = False
        with self._lock:
            streams = list(self._streams.values())
        hanging = {stream.log for stream in streams if stream.log.hangs(now_s)}
        for stream in streams:
            if since_s := stream.log.since_s:
                self._busy = True
                longest_s = max(longest_s, now_s - since_s)
            if stream.log in hanging and (turn := stream.turn) is not None:
                self._pass_on(stream, turn)
        if longest_s > CROWDED_S and not self._waiting and self._threads < len(streams) + THREADS:
            self._add_thread()

    def _add_thread(self) -> None:
        with self._lock:
            self._threads += 1
            self._waiting += 1
        if not self._start(self._work):
            with self._lock:
                self._threads -= 1
                self._waiting -= 1

    @staticmethod
    def _start(work: Callable[..., None], *arguments: object) -> bool:
        """Whether a thread could be had for it. A defect in it ends the process, which the executor replaces: a thread
        that is missing would not be noticed.
        """

        def to_the_end() -> None:
            try:
                work(*arguments)
            except BaseException as defect:  # noqa: BLE001
                sys.excepthook(type(defect), defect, defect.__traceback__)
                os._exit(70)

        try:
            start_new_thread(to_the_end, ())
        except RuntimeError:
            return False
        return True


def _receive(control: socket) -> tuple[bytes, list[int]]:
    """A datagram and the descriptors beside it."""
    data, ancillary, _, _ = control.recvmsg(MESSAGE_MAX_BYTES, CMSG_SPACE(_INT_BYTES), MSG_CMSG_CLOEXEC)
    return data, [int.from_bytes(each[:_INT_BYTES], sys.byteorder) for _, _, each in ancillary]


def main(control: int, memory: int) -> None:
    """The process; `control` and `memory` are its ends of the socket and of the counters."""
    with open("/proc/self/comm", "w") as name:  # noqa: PTH123
        name.write("mpe-log-writer")
    Writer(socket(fileno=control), Slots(memory)).serve()
    os._exit(0)  # a thread may hang in a write
