"""The resource provider against agents that refuse, lie, stall and die."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import MesosFailure
from executor.mesos.operator import Keys, Operator
from executor.mesos.operator.holdings import event
from executor.mesos.provider import Provider, UnknownProvider
from tests.unit.mesos.test_operator import Handler, server

SUBSCRIBED = {"type": "SUBSCRIBED", "subscribed": {"provider_id": {"value": "p-1"}}}
PUBLISH = {"type": "PUBLISH_RESOURCES", "publish_resources": {"uuid": {"value": "dQ=="}, "resources": []}}


class Calls:
    """An agent that sends these events to a subscriber, and remembers what it is told."""

    def __init__(self, *events: Any, status: int = 202) -> None:
        self.events, self.status = events, status
        self.heard: list[str] = []

    def __call__(self, handler: Handler, kind: str) -> None:
        self.heard.append(kind)
        if kind == "SUBSCRIBE":
            handler.stream(*self.events)
        else:
            handler.reply(self.status, b"no")


def test_a_launch_is_answered_while_the_stream_is_read() -> None:
    agent = Calls(SUBSCRIBED, PUBLISH, {"type": "TEARDOWN"}, {"odd": 1})
    with server(agent) as endpoint:
        provider = Provider(endpoint)
        events = provider.events()
        seen = [next(events) for _ in agent.events]
        with pytest.raises(MesosFailure, match="ended the stream"):
            next(events)
    assert seen == ["SUBSCRIBED", "PUBLISH_RESOURCES", "TEARDOWN", ""]
    assert provider.id == "p-1" and agent.heard == ["SUBSCRIBE", "UPDATE_PUBLISH_RESOURCES_STATUS"]


def test_a_stream_that_ends_at_once_means_that_the_id_is_not_known() -> None:
    with server(Calls()) as endpoint:
        with pytest.raises(UnknownProvider, match="does not know the provider old"):
            list(Provider(endpoint, identity="old").events())
        with pytest.raises(MesosFailure, match="ended the stream"):
            list(Provider(endpoint).events())


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "SUBSCRIBED"},
        {"type": "SUBSCRIBED", "subscribed": None},
        {"type": "SUBSCRIBED", "subscribed": {"provider_id": []}},
        {"type": "PUBLISH_RESOURCES", "publish_resources": 1},
        ["SUBSCRIBED"],
    ],
)
def test_an_odd_event_ends_the_subscription_or_is_passed_over(odd: Any) -> None:
    with server(Calls(odd)) as endpoint, pytest.raises(MesosFailure):
        list(Provider(endpoint).events())


def test_what_is_no_recordio_is_refused() -> None:
    def answer(handler: Handler, _: str) -> None:
        handler.reply(200, b"99999999999\n" + b"x" * 100)

    with server(answer) as endpoint, pytest.raises(MesosFailure, match="RecordIO"):
        list(Provider(endpoint).events())


@pytest.mark.parametrize(("status", "hint"), [(401, "credential_file"), (403, "credential_file"), (500, "")])
def test_a_refused_offer_is_a_failure(status: int, hint: str) -> None:
    with server(Calls(status=status)) as endpoint, pytest.raises(MesosFailure, match=f"HTTP {status}: no") as error:
        Provider(endpoint, identity="p-1").offer(cpus=1.5, mem_mib=0)
    assert hint in error.value.hint


def test_an_agent_that_is_gone_is_a_failure() -> None:
    with server(Calls()) as endpoint:
        pass
    provider = Provider(endpoint, identity="p-1")
    with pytest.raises(MesosFailure, match="does not answer"):
        provider.offer(cpus=1, mem_mib=1)
    with pytest.raises(MesosFailure, match="does not answer"):
        list(provider.events())


def test_messages_name_the_keys_of_the_section_that_is_used() -> None:
    with server(lambda handler, _: handler.reply(403)) as endpoint:
        operator = Operator(endpoint, keys=Keys("[lending] agent", "[lending] credential_file"))
        for ask in (operator.held, operator.providers, operator.use):
            with pytest.raises(MesosFailure) as error:
                ask()
            assert "[lending] credential_file" in error.value.hint


def test_odd_answers_of_an_agent_are_failures() -> None:
    odd = server(lambda handler, _: handler.reply(200, b'{"get_state": 1}'))
    with odd as endpoint, pytest.raises(MesosFailure, match="not an operator API"):
        Operator(endpoint).held()
    with pytest.raises(MesosFailure):
        event(b'{"task_added": {"task": {"resources": {}}}}')
    found = event(b'{"type": "TASK_ADDED", "task_added": {"task": {"task_id": {"value": "a\xff"}}}}')
    assert found.task_added is not None and found.task_added.task.task_id.value == "a\ufffd"
