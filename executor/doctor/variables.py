"""Variables that the agent gives to every executor, as if they were the operator's word: for this program they are not.

Source: docs/configuration/agent.md of Mesos 1.11.0 (--executor_environment_variables); `config_trust` says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from executor.config import DEFAULT_PATH, Config
from executor.config.for_executor import judge_over
from executor.doctor.finding import Finding, passed, warned

_CHECK = "agent.executor_environment_variables"


def judge(flags: Mapping[str, str], config: Config) -> Finding:
    """Pure. Whether all variables that set configuration keys take effect for an executor."""
    judged = judge_over(config, _variables(flags.get("executor_environment_variables", "")), source=str(DEFAULT_PATH))
    names = [each.variable for each in judged.ineffective] + [fault.subject for fault in judged.faults]
    if not names:
        return passed(_CHECK, "no variable of the agent is without effect for an executor's configuration")
    problem = f"without effect for executors, or not understood by them: {', '.join(sorted(names))}"
    hint = f"write the keys in {DEFAULT_PATH}: variables of an executor are its framework's"
    return warned(_CHECK, problem, hint)


def _variables(text: str) -> dict[str, str]:
    """The variables of the flag, a JSON object; empty if it is none."""
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in document.items()} if isinstance(document, dict) else {}
