"""The metrics of a real executor: scraped by a real Prometheus, over the port, the socket and the textfile."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from executor.metrics import catalog
from tests.observability.conftest import METRICS_PORT
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.usefixtures("scheduler")]

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
RULES = PACKAGING / "prometheus/mesos-pod-executor.rules.yml"
DASHBOARD = PACKAGING / "grafana/mesos-pod-executor.json"
PROMETHEUS_PORT = 9478


class Prometheus:
    """A real one, which scrapes the executor's port twice a second and evaluates the alert rules."""

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def value(self, expression: str) -> float:
        (sample,) = self.query(expression)
        return float(sample["value"][1])

    def alerts(self) -> dict[str, str]:
        """Name and state of what is pending or firing."""
        return {each["labels"]["alertname"]: each["state"] for each in self._get("alerts")["alerts"]}

    def _get(self, path: str, **query: str) -> Any:
        status, text = get(PROMETHEUS_PORT, f"/api/v1/{path}?{urlencode(query)}")
        answer = json.loads(text)
        assert status == 200 and answer["status"] == "success", answer
        return answer["data"]


def get(port: int, path: str, method: str = "GET", host: str = "127.0.0.1", named: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request(method, path, headers={"host": named or f"{host}:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def prometheus(rig: Rig, scheduler: Scheduler) -> Iterator[Prometheus]:
    directory = rig.directory / "prometheus"
    directory.mkdir()
    rules = RULES.read_text().replace("for: 15m", "for: 0s").replace("for: 5m", "for: 0s")
    (directory / "rules.yml").write_text(rules)
    targets = [{"targets": [f"127.0.0.1:{METRICS_PORT}"]}]
    configuration = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "mesos-pod-executor", "static_configs": targets}],
    }
    (directory / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML
    options = {
        "config.file": directory / "prometheus.yml",
        "storage.tsdb.path": directory / "data",
        "web.listen-address": f"127.0.0.1:{PROMETHEUS_PORT}",
    }
    line = ["prometheus", *(f"--{key}={value}" for key, value in options.items())]
    with (directory / "log").open("w") as log, subprocess.Popen(line, stdout=log, stderr=log) as process:
        try:
            assert wait_for(_is_ready, 30), (directory / "log").read_text()
            server = Prometheus()
            assert wait_for(lambda: server.query('up{job="mesos-pod-executor"} == 1') or None, 30), "no scrape"
            yield server
        finally:
            process.terminate()
            process.wait(20)


def _is_ready() -> bool | None:
    with contextlib.suppress(OSError):
        return get(PROMETHEUS_PORT, "/-/ready")[0] == 200 or None
    return None


def test_prometheus_takes_every_metric(prometheus: Prometheus) -> None:
    shown = {each["metric"]["__name__"] for each in prometheus.query('{__name__=~"mesos_pod_executor_.+"}')}
    for metric in (*catalog.FROM_EVENTS, *catalog.WHEN_ASKED):
        name = metric.full_name + ("_count" if metric.kind is catalog.Kind.HISTOGRAM else "")
        assert name in shown or metric in (catalog.LEAKS, catalog.PODS_ENDED), f"{name} came later, or never"
    assert prometheus.value('mesos_pod_executor_pods{class="regular",state="running"}') == 2
    assert prometheus.value('sum(mesos_pod_executor_class_cpus{class="regular"})') == pytest.approx(0.2)
    assert prometheus.value("mesos_pod_executor_launch_phase_seconds_count{phase='network'}") >= 2


def test_a_revocation_is_seen(rig: Rig, scheduler: Scheduler, prometheus: Prometheus) -> None:
    names = [f"m{number}" for number in range(3)]
    before = prometheus.value("mesos_pod_executor_revocation_victims_total")
    scheduler.launch([rig.pod(name, revocable=True) for name in names], rig.executor())
    for name in names:
        scheduler.wait_status(name, "TASK_RUNNING", 30)
    receipt = rig.json("revoke", "--all")
    for name in names:
        scheduler.wait_status(name, "TASK_GONE", 30)
    freed = wait_for(
        lambda: True if prometheus.value("mesos_pod_executor_revocation_victims_total") == before + 3 else None, 10
    )
    assert freed
    preempted = 'mesos_pod_executor_pods_ended_total{reason="REASON_CONTAINER_PREEMPTED",outcome="TASK_GONE"}'
    assert wait_for(lambda: prometheus.query(f"{preempted} >= 3") or None, 10)
    assert prometheus.value("mesos_pod_executor_revocation_seconds_sum") >= receipt["time_to_free_ms"] / 1e3 - 1e-3


def test_the_alert_rules_are_valid_and_stay_silent_on_a_healthy_node(prometheus: Prometheus) -> None:
    checked = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = subprocess.run(
        ["promtool", "test", "rules", str(RULES.with_name("mesos-pod-executor.test.yml"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    time.sleep(1)
    assert prometheus.alerts() == {}


def test_an_alert_fires_when_its_event_comes(rig: Rig, scheduler: Scheduler, prometheus: Prometheus) -> None:
    """Any code will do that can be brought about: a refused launch."""
    scheduler.launch([rig.pod("bad", spec={"hostPID": "x"})], rig.executor())
    scheduler.wait_status("bad", "TASK_FAILED", 30)
    assert wait_for(lambda: "MesosPodExecutorLaunchesRefused" in prometheus.alerts() or None, 20), prometheus.alerts()


def test_every_panel_of_the_dashboard_has_data(rig: Rig, scheduler: Scheduler, prometheus: Prometheus) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(targets) > 10
    for target in targets:
        expression = target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
        assert prometheus.query(expression), f"nothing for {expression}"


def test_the_port_is_for_reading_metrics_on_loopback_only(rig: Rig) -> None:
    status, text = get(METRICS_PORT, "/metrics")
    assert status == 200 and "mesos_pod_executor_info{" in text and text.endswith("\n")
    assert get(METRICS_PORT, "/metrics", "HEAD") == (200, "")
    assert get(METRICS_PORT, "/v1/pods")[0] == 404
    assert get(METRICS_PORT, "/metrics", "POST")[0] == 405
    assert get(METRICS_PORT, "/metrics", named="node.example.org")[0] == 403
    (bridge,) = [line.split()[3] for line in _addresses() if " mpe0 " in line]
    with pytest.raises(ConnectionRefusedError):
        get(METRICS_PORT, "/metrics", host=bridge.split("/")[0])


def _addresses() -> list[str]:
    return subprocess.run(["ip", "-4", "-o", "addr"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_textfile_is_for_node_exporter(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "pods.prom"
    rig.command("metrics", "--textfile", str(path))
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["pods.prom"]
    with path.open() as text:
        checked = subprocess.run(
            ["promtool", "check", "metrics"], stdin=text, capture_output=True, text=True, check=False
        )
    assert "error" not in checked.stderr.lower() and checked.returncode in (0, 3), checked.stderr
    lines = path.read_text().splitlines()
    assert "mesos_pod_executor_executors_up 1" in lines
    assert all('executor="mixed"' in line for line in lines if line.startswith("mesos_pod_executor_pods{"))
    assert rig.command("metrics", "--textfile", str(tmp_path / "none/x"), check=False).returncode == 1
