"""What `stats` and `top` show on a terminal."""

from __future__ import annotations

import pytest

from tests.support.control_node import Node
from tests.unit.cli.on_terminal import followed_on_terminal


@pytest.mark.parametrize("command", ["stats", "top"])
def test_what_follows_names_the_key_that_ends_it(node: Node, command: str) -> None:
    node.executor("a")
    words = "q ends it"
    assert words in followed_on_terminal(node, 80, command, until=lambda shown: words in shown)
