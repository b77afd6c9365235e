"""An agent that listens and does not answer is a warning; where nothing listens, nothing is known."""

from __future__ import annotations

import socket

from executor.config import Config
from executor.doctor.examine import agent_findings
from executor.doctor.finding import Verdict


def verdict(endpoint: str, *, demanded: bool = False) -> Verdict:
    _, _, (finding,) = agent_findings(Config(), [endpoint], demanded=demanded)
    assert finding.check == "agent.flags" and ("start the agent" if demanded else "does the agent run?") in finding.hint
    return finding.verdict


def test_one_that_is_frozen_is_not_hidden() -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        endpoint = f"127.0.0.1:{frozen.getsockname()[1]}"
        assert verdict(endpoint) is Verdict.WARN
    assert verdict(endpoint) is Verdict.SKIP
    assert verdict(endpoint, demanded=True) is Verdict.FAIL
