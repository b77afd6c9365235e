"""Where tasks are learnt from: a master's stream of events, or an agent that is asked again and again. Blocking."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from executor.dns.messages import Event, State
from executor.dns.operator import NotAMaster, Operator
from executor.errors import InvalidConfig, MesosFailure


class Source:
    """The first of `endpoints` that answers. `interval_s` is how often an agent is asked."""

    def __init__(self, endpoints: Sequence[str], authorization: str, interval_s: float) -> None:
        if not endpoints:
            raise InvalidConfig("names nobody to ask", subject="[dns] mesos", hint="list the masters")
        self._operators = [Operator(endpoint, authorization) for endpoint in endpoints]
        self._interval_s = interval_s

    @property
    def endpoints(self) -> str:
        return ", ".join(each.endpoint for each in self._operators)

    def follow(self) -> Iterator[State | Event]:
        """First the whole state, then what changes; ends in MesosFailure, after which it is to be called again."""
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
