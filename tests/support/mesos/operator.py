"""Mesos' v1 operator interface of a master or an agent (docs/operator-http-api.md): reads, and draining an agent."""

from __future__ import annotations

from typing import Any, cast

from tests.support.mesos.http import Message, call


class Operator:
    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def call(self, kind: str, body: Message | None = None) -> Message:
        """Any call by its type: `call("GET_STATE")["get_state"]`; raises http.CallError."""
        message: Message = {"type": kind}
        if body is not None:
            message[kind.lower()] = body
        return call(self._endpoint, "/api/v1", message)

    def state(self) -> Message:
        return cast(Message, self.call("GET_STATE")["get_state"])

    def containers(self, *, nested: bool = False) -> list[Message]:
        """An agent's containers, with their status and resource statistics."""
        answer = self.call("GET_CONTAINERS", {"show_nested": nested, "show_standalone": False})
        return cast(list[Message], answer["get_containers"].get("containers", []))

    def agents(self) -> list[Message]:
        return cast(list[Message], self.call("GET_AGENTS")["get_agents"].get("agents", []))

    def tasks(self) -> Message:
        """A master's tasks by what they are: `pending_tasks`, `tasks`, `unreachable_tasks`, `completed_tasks`."""
        return cast(Message, self.call("GET_TASKS")["get_tasks"])

    def flags(self) -> dict[str, str]:
        flags = self.call("GET_FLAGS")["get_flags"]["flags"]
        return {flag["name"]: flag.get("value", "") for flag in flags}

    def drain(self, agent_id: str, *, max_grace_s: float | None = None, mark_gone: bool = False) -> None:
        """KILL every task of the agent; offers of it stop until `reactivate`."""
        body: dict[str, Any] = {"agent_id": {"value": agent_id}, "mark_gone": mark_gone}
        if max_grace_s is not None:
            seconds = int(max_grace_s)
            body["max_grace_period"] = {"seconds": seconds, "nanos": round((max_grace_s - seconds) * 1e9)}
        self.call("DRAIN_AGENT", body)

    def reactivate(self, agent_id: str) -> None:
        self.call("REACTIVATE_AGENT", {"agent_id": {"value": agent_id}})
