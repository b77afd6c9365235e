"""What is kept of a command's output."""

from __future__ import annotations

from executor.exec.process import process_spec
from executor.exec.run import Tail


def test_the_end_of_the_output_is_kept() -> None:
    tail = Tail(4)
    for data in (b"ab", b"cdefgh", b"i"):
        tail.add(data)
    assert tail.text() == "fghi"


def test_what_is_no_text_is_replaced() -> None:
    tail = Tail(100)
    tail.add(b"caf\xe9")
    assert tail.text() == "caf\ufffd"


def test_a_further_process_has_no_terminal_and_runs_as_the_first_does() -> None:
    first = {"args": ["httpd"], "user": {"uid": 7}, "terminal": True, "consoleSize": {"width": 1, "height": 1}}
    assert process_spec(first, ("ls", "/")) == {"args": ["ls", "/"], "user": {"uid": 7}}
