"""A log that threads share, and the state of a writer's thread, as the kernel tells it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from executor.output import flow
from executor.output.logfile import LogFile
from executor.own_directory import OwnDirectory


def test_a_thread_may_end_while_its_state_is_read() -> None:
    """Its open file then fails with ESRCH, which once ended the log writer."""
    stop = threading.Event()
    ids: list[int] = []

    def threads() -> None:
        while not stop.is_set():
            thread = threading.Thread(target=lambda: ids.append(threading.get_native_id()))
            thread.start()
            thread.join()

    starter = threading.Thread(target=threads)
    starter.start()
    try:
        deadline_s = time.monotonic() + 1
        while time.monotonic() < deadline_s:
            for thread in ids[-3:]:
                flow._is_running(thread)
    finally:
        stop.set()
        starter.join()


def test_a_running_and_a_waiting_thread() -> None:
    assert flow._is_running(threading.get_native_id())
    waiting = threading.Thread(target=(event := threading.Event()).wait)
    waiting.start()
    time.sleep(0.05)
    assert waiting.native_id is not None
    assert not flow._is_running(waiting.native_id)
    event.set()
    waiting.join()


def test_a_write_is_announced_once_it_can_be_seen(tmp_path: Path) -> None:
    """One that was announced before was not looked at again, if the look came first: no one saw that it hung."""
    seen: list[float] = []
    file = LogFile(OwnDirectory.at(str(tmp_path)), "log", 1 << 20, 1, stream="stdout")
    log = flow.Log(str(tmp_path / "log"), file, lambda: seen.append(log.since_s))
    log.open()
    assert log.put(bytearray(b"line\n"), 5)[0] == 5
    log.end_line()
    assert len(seen) == 3 and all(seen) and not log.since_s
    log.close()
