"""The alert rules: each is about metrics and codes that there are, is tested to fire and to be silent, and is in the
runbook. Prometheus' own promtool runs those tests in the suite `observability`. So with the dashboard: its metrics.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from executor.cli.main import COMMANDS
from executor.log.codes import CODES
from executor.metrics import catalog
from tests.support.sources import ROOT

DIRECTORY = ROOT / "packaging/prometheus"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((DIRECTORY / "mesos-pod-executor.rules.yml").read_text())["groups"]
    for rule in group["rules"]
}
TESTS = yaml.safe_load((DIRECTORY / "mesos-pod-executor.test.yml").read_text())["tests"]
CASES = [case for test in TESTS for case in test["alert_rule_test"]]
RUNBOOK = (ROOT / "packaging/doc/runbook.md").read_text()


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tested_both_ways_and_explained(alert: str) -> None:
    own = [case for case in CASES if case["alertname"] == alert]
    assert any(case.get("exp_alerts") for case in own), "no test in which it fires"
    assert any(not case.get("exp_alerts") for case in own), "no test in which it is silent"
    assert f"`{alert}`" in RUNBOOK
    assert ALERTS[alert]["labels"]["severity"] in ("page", "ticket")


def test_tests_are_of_alerts_that_there_are() -> None:
    assert {case["alertname"] for case in CASES} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_about_what_the_executor_has(alert: str) -> None:
    expression = ALERTS[alert]["expr"]
    names = {each.full_name for each in catalog.ALL}
    used = set(re.findall(rf"{catalog.PREFIX}_\w+", expression))
    assert used or "node_textfile_mtime_seconds" in expression, "node_exporter's own, of the file of the executors"
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in used} <= names
    for pattern in re.findall(r'code=~?"([^"]+)"', expression):
        assert any(re.fullmatch(pattern, code) for code in CODES), pattern


@pytest.mark.parametrize("alert", ALERTS)
def test_the_commands_that_an_alert_names_are_there(alert: str) -> None:
    text = ALERTS[alert]["annotations"]["description"]
    assert set(re.findall(r"`mesos-pod-executor ([\w-]+)", text)) <= set(COMMANDS)


def test_the_dashboard_is_about_metrics_that_there_are() -> None:
    """A panel may show a 0 where a node has no such metric, so a wrong name would not be seen."""
    text = (ROOT / "packaging/grafana/mesos-pod-executor.json").read_text()
    used = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(rf"{catalog.PREFIX}_\w+", text)}
    assert used - {each.full_name for each in catalog.ALL} == set()
    assert any(name.startswith(f"{catalog.PREFIX}_lending_") for name in used)
