"""The scheduler API, as `run` speaks it."""

from __future__ import annotations

import pytest

from executor.errors import MesosFailure
from executor.mesos.scheduler import Framework
from tests.unit.mesos.test_operator import Handler, agent, server


def test_an_agent_in_the_place_of_a_master_is_named() -> None:
    with server(agent) as endpoint, pytest.raises(MesosFailure, match="HTTP 400") as caught:
        next(Framework(endpoint, {"user": "root", "name": "run"}).events())
    assert caught.value.subject == endpoint and "may be an agent" in caught.value.hint


def test_what_a_master_refuses_has_no_such_hint() -> None:
    def master(handler: Handler, _: str) -> None:
        handler.reply(400, b"Failed to validate scheduler::Call: Expecting 'framework_info' to be present")

    with server(master) as endpoint, pytest.raises(MesosFailure, match="framework_info") as caught:
        next(Framework(endpoint, {"user": "root", "name": "run"}).events())
    assert caught.value.hint == ""
