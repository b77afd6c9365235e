"""What an exec's request may be, and the process that it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidRequest
from executor.pod.container.execs import Request, parse, process_spec

SPEC = {
    "process": {
        "args": ["httpd"],
        "env": ["PATH=/bin", "TERM=dumb", "A=b"],
        "cwd": "/srv",
        "user": {"uid": 7, "gid": 7},
        "terminal": True,
        "consoleSize": {"width": 1, "height": 1},
        "noNewPrivileges": True,
    }
}


@pytest.mark.parametrize(
    ("document", "subject"),
    [
        (None, "exec"),
        ([], "exec"),
        ({"command": ["x"], "user": "root"}, "exec"),
        ({}, "command"),
        ({"command": "ls"}, "command"),
        ({"command": []}, "command"),
        ({"command": ["a", 1]}, "command"),
        ({"command": ["a\0b"]}, "command"),
        ({"command": ["x" * (1 << 20)]}, "command"),
        ({"command": ["x"], "container": 1}, "container"),
        ({"command": ["x"], "terminal": 1}, "terminal"),
        ({"command": ["x"], "stdin": "yes"}, "stdin"),
        ({"command": ["x"], "columns": 80}, "columns, rows"),
        ({"command": ["x"], "columns": 80, "rows": 0}, "columns, rows"),
        ({"command": ["x"], "columns": 80, "rows": 1 << 16}, "columns, rows"),
        ({"command": ["x"], "columns": "80", "rows": 24}, "columns, rows"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(document: Any, subject: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(document)
    assert refused.value.subject == subject


def test_a_request_in_full() -> None:
    document = {
        "command": ["sh", "-l"],
        "container": "app",
        "terminal": True,
        "stdin": True,
        "columns": 80,
        "rows": 24,
    }
    assert parse(document) == Request(("sh", "-l"), "app", True, True, (80, 24))
    assert parse({"command": ["ls"]}) == Request(("ls",))


def test_the_process_is_the_containers_with_another_command() -> None:
    process = process_spec(SPEC, Request(("ls", "-l")))
    assert process == {
        "args": ["ls", "-l"],
        "env": ["PATH=/bin", "A=b"],
        "cwd": "/srv",
        "user": {"uid": 7, "gid": 7},
        "noNewPrivileges": True,
    }


def test_a_terminal_has_a_type_and_a_size() -> None:
    process = process_spec(SPEC, Request(("sh",), terminal=True, size=(80, 24)))
    assert process["consoleSize"] == {"width": 80, "height": 24}
    assert process["env"] == ["PATH=/bin", "A=b", "TERM=xterm"]
