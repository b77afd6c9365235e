"""The state of a writer's thread, as the kernel tells it."""

from __future__ import annotations

import threading
import time

from executor.output import flow


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
