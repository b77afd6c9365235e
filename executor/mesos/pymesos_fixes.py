"""pymesos 0.3.15's executor driver, each of its defects overridden here. Import it late: it costs 15 to 20 ms.

What stays pymesos': the thread and how it is started, woken and stopped; the SUBSCRIBE request; the HTTP answer as it
is parsed. Each override names the defect that it is for. Two defects are corrected elsewhere: no update is kept until
it is acknowledged, and an acknowledgement forgets its whole task (updates); sendStatusUpdate blocks its caller
(outbox, sender).

Invariants: nothing here touches the process (no signal handler, no killpg, no interrupt of the main thread); every
failure of the connection is a MesosFailure; no lock is held while waiting. Must be imported in the main thread.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import select
import signal
import socket
import time
from http.client import HTTPException
from threading import Thread
from typing import Any

from executor.errors import MesosFailure
from executor.log import get_logger
from executor.mesos import event_json
from executor.mesos.connection import ANSWER_TIMEOUT_S, CallConnection, connect, failure
from executor.mesos.environment import API_PATH, Environment
from executor.mesos.outbox import Call, Outbox
from executor.mesos.recordio import Records
from executor.mesos.session import Session

# Defect: importing pymesos.process replaces the SIGINT handler. It is put back, and no signal falls in between.
_handler = signal.getsignal(signal.SIGINT)
_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    from pymesos import MesosExecutorDriver
    from pymesos.process import Connection, HttpParser, Process
finally:
    if _handler is not None:
        signal.signal(signal.SIGINT, _handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask)

# Defect: importing pymesos gives it a handler of its own on stderr, beside the program's log.
logging.getLogger("pymesos").handlers.clear()

log = get_logger(__name__)

READ_BYTES = 64 << 10


class _Subscription(Connection):  # type: ignore[misc] # pymesos has no types
    """The connection of the event stream."""

    _stream_id: str | None
    _request: memoryview

    def __init__(self, driver: ExecutorDriver) -> None:
        # Defects: its constructor knows only IPv4 addresses, and leaks the socket when connecting fails.
        self._environment = driver.environment
        self._addr = self._environment.agent_endpoint
        self._sock = connect(self._environment)
        self._sock.settimeout(0)
        self.connected = True
        self._parser = HttpParser()
        self._records = Records()
        self._callback = driver
        self._stream_id = None
        self._request = memoryview(driver.gen_request())
        self._response = b""

    def write(self) -> bool:
        """Defects: copies the rest of the request for each send; an error is logged with a traceback, not reported."""
        try:
            self._request = self._request[self._sock.send(self._request) :]
        except BlockingIOError:
            pass
        except OSError as error:
            raise failure(self._environment, f"cannot send: {error}") from error
        return True

    def read(self) -> bool:
        """Reads once. Raises MesosFailure when the stream has ended or makes no sense.

        Defects: 4 KiB a read; copies the rest of its buffer for each event; a frame that is not RecordIO waits without
        end; a refusal, a garbled stream or an event that fails ends the thread and interrupts the process.
        """
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError as error:
            raise failure(self._environment, f"cannot receive: {error}") from error
        parsed = self._parser.execute(data, len(data))
        if self._stream_id is None and self._parser.is_headers_complete():
            self._check_answer(ended=not data)
        if self._stream_id is not None:
            self._process(self._parser.recv_body())
        if self._parser.get_errno() and data:
            raise failure(self._environment, f"the answer is not HTTP: {self._parser.get_error()}")
        if not data or parsed < len(data) or self._parser.is_message_complete():
            raise failure(self._environment, "the agent closed the event stream")
        return True

    def _check_answer(self, *, ended: bool) -> None:
        status = self._parser.get_status_code()
        if status == 200 and self._parser.is_chunked():
            headers = {name.lower(): value for name, value in self._parser.get_headers().items()}
            self._stream_id = headers.get("mesos-stream-id", "")
            self._callback.stream_id = self._stream_id
        elif ended or self._parser.is_message_complete():
            text = self._parser.recv_body().decode(errors="replace")
            self._callback.session.refused(status, text)
            raise failure(self._environment, f"SUBSCRIBE was answered by HTTP {status}: {text}")

    def _process(self, body: bytes) -> None:
        for record in self._records.feed(body):
            self._callback.process_event(event_json.read(record))


class ExecutorDriver(MesosExecutorDriver):  # type: ignore[misc] # pymesos has no types
    """Two threads: pymesos' own follows the event stream (`start` to `stop`), the sender's calls `post`."""

    stream_id: str | None
    _started: bool
    _wakeup_fds: Any
    _io_thread: Thread | None

    def __init__(self, environment: Environment, session: Session, outbox: Outbox) -> None:
        # Defect: the constructor reads os.environ itself and takes MESOS_CHECKPOINT "0" for true.
        Process.__init__(self, master=environment.agent_endpoint)
        self.environment = environment
        self.session = session
        self._outbox = outbox
        self._master = environment.agent_endpoint
        self.framework_id = {"value": environment.framework_id}
        self.executor_id = {"value": environment.executor_id}
        self.tasks: dict[str, Any] = {}
        self.updates: dict[str, Any] = {}
        self._calls: CallConnection | None = None
        self._calls_stale = False

    def gen_request(self) -> bytes:
        """Defects: nothing is in `updates`, no authentication token, and only the path of a lone agent."""
        self.tasks, self.updates = self._outbox.carry()
        request: bytes = super().gen_request()
        path, rest = request.split(b" HTTP/1.1\r\n", 1)
        head = path.replace(API_PATH.encode(), self.environment.api_path.encode()) + b" HTTP/1.1\r\n"
        return head + "".join(f"{name}: {value}\r\n" for name, value in self._authorization().items()).encode() + rest

    def _authorization(self) -> dict[str, str]:
        token = self.environment.authentication_token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def on_event(self, event: Any) -> None:
        """Defects: a kill loses its policy, a launch of a known task and foreign ids are assertions that end the
        process, SUBSCRIBED loses the container id, SHUTDOWN closes the stream so that no last update gets out.
        """
        self.session.received(event)

    def on_close(self) -> None:
        """Defect: without checkpointing it kills the process group after a sleep; the executor decides when
        its process ends.
        """
        self.stream_id = None
        self._outbox.hold()
        # A call under way would wait for the answer of an agent that is gone. Only its own thread closes it.
        self._calls_stale = True
        sock = self._calls.sock if self._calls else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        """Defects: select() fails from descriptor 1024 on; sleeps 2 to 15 s and cannot be woken, but does not pause at
        all after a lost stream or a 503; the first exception interrupts the main thread; no recovery time-out.
        """
        try:
            while self._started:
                try:
                    self._follow()
                except MesosFailure as error:
                    pause_s = self.session.lost(error) if self._started else None
                    if pause_s is None:
                        break
                    self._wait(None, pause_s)
        except Exception:  # the thread's boundary: without it the executor can only end in order
            log.exception("a defect ended the connection to the agent", code="mesos.driver_failed")
            self.session.shutdown("a defect in the executor's driver")
        finally:
            self._started = False
            self._close_wakeup()

    def _follow(self) -> None:
        """Subscribes and reads events until stopped. Raises MesosFailure when the stream is lost."""
        subscription = _Subscription(self)
        deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
        try:
            while self._started:
                left_s = None if self.session.subscribed else deadline_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise failure(self.environment, f"no answer to SUBSCRIBE in {ANSWER_TIMEOUT_S:g} s")
                ready = self._wait(subscription, left_s)
                if ready & select.POLLOUT:
                    subscription.write()
                if ready & ~select.POLLOUT:
                    subscription.read()
        finally:
            subscription.close()

    def _wait(self, subscription: _Subscription | None, timeout_s: float | None) -> int:
        """The poll events of the subscription; also ends when woken by `stop`."""
        poll, wakeup = select.poll(), self._wakeup_fds[0]
        poll.register(wakeup, select.POLLIN)
        if subscription is not None:
            poll.register(subscription.fileno(), select.POLLIN | (select.POLLOUT if subscription.want_write() else 0))
        ready = dict(poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)))
        if ready.pop(wakeup, 0):
            os.read(wakeup, select.PIPE_BUF)
        return sum(ready.values())

    def _close_wakeup(self) -> None:
        with self._lock:
            for descriptor in self._wakeup_fds:
                os.close(descriptor)
            self._wakeup_fds = None

    def join(self, timeout_s: float | None = None) -> None:
        """Defect: cannot be bounded."""
        if self._io_thread is not None:
            self._io_thread.join(timeout_s)

    def post(self, call: Call) -> tuple[int, str]:
        """Sends a call and waits for the answer's status and body; for the sender's thread only. Raises MesosFailure.

        Defect (_send): holds the driver's lock meanwhile, mixes its headers up between calls, loses the status.
        """
        document = {
            "type": call.type,
            "framework_id": self.framework_id,
            "executor_id": self.executor_id,
            call.type.lower(): call.body,
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._authorization()}
        if self._calls_stale:
            self._calls_stale = False
            self.hang_up()
        self._calls = self._calls or CallConnection(self.environment)
        try:
            self._calls.request("POST", self.environment.api_path, json.dumps(document).encode(), headers)
            answer = self._calls.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, HTTPException, MesosFailure) as error:
            self.hang_up()
            raise failure(self.environment, f"no answer to {call.type}: {error!r}") from error

    def hang_up(self) -> None:
        """Closes the calls' connection; for the sender's thread, and for any other once that has ended."""
        calls, self._calls = self._calls, None
        if calls is not None:
            calls.close()
