"""Which runtime `auto` means, by the node's cgroups and what crun says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups import Hierarchies, Mode
from executor.node import runtime_choice
from executor.node.runtime_choice import allows_the_console, choose, chosen

CRUN = "/usr/bin/crun"


@pytest.mark.parametrize(
    ("mode", "crun", "version", "program", "why"),
    [
        (Mode.V2, CRUN, "crun version 1.21\ncommit: 10269840\n", CRUN, "cgroup v2 is alone, and crun 1.21"),
        (Mode.V2, CRUN, "crun version 1.20.0.0.0.1-abc", CRUN, "1.20 or later"),
        (Mode.V2, CRUN, "crun version 2.0", CRUN, "crun 2.0"),
        (Mode.V2, CRUN, "crun version 1.8.1", "runc", "is 1.8, older than 1.20"),
        (Mode.V2, CRUN, "", "runc", "does not tell its version"),
        (Mode.V2, None, "", "runc", "is not installed"),
        (Mode.HYBRID, CRUN, "crun version 1.21", "runc", "cgroups are hybrid"),
        (Mode.V1, CRUN, "crun version 1.21", "runc", "cgroups are v1"),
    ],
)
def test_the_choice(mode: Mode, crun: str | None, version: str, program: str, why: str) -> None:
    found = choose(mode, crun, version)
    assert found.program == program and why in found.why


def test_crun_is_not_chosen_where_its_containers_would_have_the_nodes_console() -> None:
    found = choose(Mode.V2, CRUN, "crun version 1.21", "Operation not permitted")
    assert found.program == "runc" and "console" in found.why and found.why.endswith("Operation not permitted")


@pytest.mark.parametrize(
    ("program", "allows"), [("runc", False), ("/usr/sbin/runc", False), ("crun", True), ("/opt/my-runc", True)]
)
def test_which_programs_may_open_the_console(program: str, allows: bool) -> None:
    assert allows_the_console(program) is allows


def test_what_is_configured_is_taken(tmp_path: Path) -> None:
    assert chosen("/opt/runc", Hierarchies(unified=tmp_path)).program == "/opt/runc"
    assert chosen("crun", Hierarchies({"cpu": tmp_path})).program == "crun"


def test_a_node_with_v1_asks_no_program(tmp_path: Path) -> None:
    assert chosen("auto", Hierarchies({"cpu": tmp_path}, tmp_path)).program == "runc"


@pytest.mark.parametrize(("body", "text"), [("echo crun version 1.22", "crun version 1.22\n"), ("exit 3", "")])
def test_the_version_of_a_program(tmp_path: Path, body: str, text: str) -> None:
    program = tmp_path / "crun"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    assert runtime_choice._version(str(program)) == text
    assert runtime_choice._version(str(tmp_path / "none")) == ""
