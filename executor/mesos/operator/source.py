"""The tasks that Mesos knows: a master's stream of events, or an agent that is asked in an interval. Blocking."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from executor.errors import InvalidConfig, MesosFailure
from executor.mesos.operator.client import NotAMaster, Operator
from executor.mesos.operator.messages import Event, State


class Source:
    """The first of `endpoints` that answers. `interval_s` is how often an agent is asked. Raises InvalidConfig for an
    endpoint that is none, and for no endpoint at all.
    """

    def __init__(self, endpoints: Sequence[str], authorization: str, interval_s: float) -> None:
        if not endpoints:
            raise InvalidConfig("has no endpoint", subject="[dns] mesos", hint="list the masters")
        self._operators = [Operator(endpoint, authorization) for endpoint in endpoints]
        self._interval_s = interval_s

    @property
    def endpoints(self) -> str:
        """All of them, for messages."""
        return ", ".join(each.endpoint for each in self._operators)

    def follow(self) -> Iterator[State | Event]:
        """The whole state, then each change. Ends in MesosFailure; the caller then calls it again."""
        silent: list[str] = []
        for operator in self._operators:
            spoke = False
            try:
                for item in self._follow(operator):
                    spoke = True
                    yield item
            except MesosFailure as error:
                if spoke:
                    raise
                silent.append(str(error))
        raise MesosFailure("; ".join(silent))

    def _follow(self, operator: Operator) -> Iterator[State | Event]:
        try:
            events = operator.subscribe()
        except NotAMaster:
            while True:
                yield operator.state()
                time.sleep(self._interval_s)
        for event in events:
            yield event if event.subscribed is None else event.subscribed.get_state
