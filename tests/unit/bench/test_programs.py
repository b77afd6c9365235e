from __future__ import annotations

import pytest

from tests.bench.peers.programs import CommandFailed, NotInstalled, find, many, run


def test_a_program_that_is_absent_is_one_line_with_the_hint() -> None:
    with pytest.raises(NotInstalled) as caught:
        find("no-such-program")
    assert str(caught.value) == "no-such-program is not installed: packaging/prepare --with bench"


def test_a_command_that_fails_says_what_it_printed() -> None:
    assert run(["sh", "-c", "echo fine"]) == "fine\n"
    with pytest.raises(CommandFailed, match=r"exited with 3: no$") as caught:
        many([["true"], ["sh", "-c", "echo no >&2; exit 3"]])
    assert caught.value.output == "no"
