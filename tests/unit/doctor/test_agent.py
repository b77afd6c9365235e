"""Which of an agent's flags are found fault with: judged from the flags as a real agent prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from executor.config import CgroupsSection, CniSection, Config, PodsSection
from executor.config.disk import DiskSection
from executor.config.lending import LendingSection
from executor.doctor import agent, variables
from executor.doctor.finding import Verdict
from executor.mesos.agent_flags import AgentFlags

GOOD = {
    "launcher": "linux",
    "isolation": "cgroups/cpu,cgroups/mem,filesystem/linux,network/cni",
    "network_cni_config_dir": "/etc/cni/net.d",
    "revocable_cpu_low_priority": "false",
    "executor_reregistration_timeout": "2secs",
    "executor_shutdown_grace_period": "1mins",
    "cgroups_root": "mesos",
    "resource_estimator": "org_apache_mesos_FixedResourceEstimator",
    "resources": "cpus:8;ports:[31000-32000]",
}
DU = {"isolation": f"{GOOD['isolation']},disk/du", "enforce_container_disk_quota": "true"}
EPHEMERAL = {"ip_local_port_range": "32768\t60999\n", "ip_local_reserved_ports": "\n"}


def bad(
    flags: Mapping[str, str] = MappingProxyType({}),
    *,
    config: Config | None = None,
    ephemeral: Mapping[str, str] = EPHEMERAL,
    skew_s: float | None = 0.0,
) -> dict[str, Verdict]:
    answer = AgentFlags({**GOOD, **flags}, skew_s)
    findings = agent.judge(answer, config or Config(), ephemeral)
    return {each.check: each.verdict for each in findings if each.verdict is not Verdict.PASS}


def test_nothing_to_complain_about() -> None:
    assert bad() == {}


def test_an_estimator_takes_the_place_of_the_lender() -> None:
    lending = Config(lending=LendingSection(owners=("spark",)))
    assert bad(config=lending) == {"agent.resource_estimator": Verdict.FAIL}
    assert bad({"resource_estimator": ""}, config=lending) == {}


def test_an_agent_without_the_feature_takes_no_lender() -> None:
    features = '{"capabilities":[{"type":"MULTI_ROLE"},{"type":"HIERARCHICAL_ROLE"}%s]}'
    without = {"resource_estimator": "", "agent_features": features % ""}
    lending = Config(lending=LendingSection(owners=("spark",)))
    assert bad(without, config=lending) == {"agent.resource_provider": Verdict.FAIL}
    assert bad(without | {"agent_features": features % ',{"type":"RESOURCE_PROVIDER"}'}, config=lending) == {}
    assert bad(without) == {}, "nobody lends here"


def test_the_lender_looks_where_the_agent_makes_containers() -> None:
    other = {"resource_estimator": "", "cgroups_root": "aurora"}
    lending = LendingSection(owners=("spark",))
    assert bad(other, config=Config(lending=lending)) == {"agent.cgroups_root": Verdict.WARN}
    assert bad(other, config=Config(lending=replace(lending, agent_cgroup="/aurora"))) == {}
    assert bad(other) == {}, "nobody lends here"


def test_a_lender_that_is_not_subscribed_is_named() -> None:
    lending = Config(lending=LendingSection(owners=("spark",)))
    (found,) = agent.subscribed([], lending)
    assert found.verdict is Verdict.WARN and "offers nothing" in found.message
    (found,) = agent.subscribed(["org.b", "org.a"], lending)
    assert found.verdict is Verdict.PASS and "org.a, org.b" in found.message
    assert agent.subscribed([], Config()) == []


@pytest.mark.parametrize(
    ("flags", "check", "verdict"),
    [
        ({"launcher": "posix"}, "agent.isolation", Verdict.WARN),
        ({"isolation": "cgroups/cpu,posix/mem"}, "agent.isolation", Verdict.WARN),
        ({"isolation": "cgroups/all,namespaces/pid"}, "agent.pid_namespace", Verdict.FAIL),
        ({"network_cni_config_dir": "/opt/mesos/cni"}, "agent.cni_config_dir", Verdict.FAIL),
        ({"revocable_cpu_low_priority": "true"}, "agent.revocable_cpu_low_priority", Verdict.WARN),
        ({"qos_controller": "org_apache_mesos_LoadQoSController"}, "agent.qos_controller", Verdict.WARN),
        ({"executor_reregistration_timeout": "500ms"}, "agent.executor_reregistration_timeout", Verdict.WARN),
        ({"executor_shutdown_grace_period": "5secs"}, "agent.executor_shutdown_grace_period", Verdict.WARN),
        ({"isolation": f"{GOOD['isolation']},disk/xfs"}, "agent.disk_quota", Verdict.WARN),
        (DU | {"container_disk_watch_interval": "2secs"}, "agent.disk_quota", Verdict.WARN),
        ({"resources": "cpus:8;ports(eng):[31000-32999]"}, "agent.ports", Verdict.WARN),
    ],
)
def test_each_flag(flags: dict[str, str], check: str, verdict: Verdict) -> None:
    assert bad(flags) == {check: verdict}


def test_flags_against_this_programs_configuration() -> None:
    config = replace(Config(), cgroups=CgroupsSection(root="/mesos/own"), cni=CniSection(config_dir="/etc/cni/net.d/"))
    assert bad(config=config) == {"agent.cgroups_root": Verdict.FAIL}
    assert bad(config=replace(Config(), pods=PodsSection(termination_grace_s=90.0))) == {
        "agent.executor_shutdown_grace_period": Verdict.WARN
    }


def test_a_quota_of_the_agents_needs_limits_here() -> None:
    slow = DU | {"container_disk_watch_interval": "15secs"}
    assert bad(slow) == bad(slow | {"enforce_container_disk_quota": "false"}) == {}
    for disk in (DiskSection(enforce=False), DiskSection(agent_quota="no")):
        assert bad(slow, config=replace(Config(), disk=disk)) == {"agent.disk_quota": Verdict.FAIL}
        assert bad(config=replace(Config(), disk=disk)) == {}


def test_reserved_ports_are_safe_to_offer() -> None:
    wide = {"resources": "ports:[32000-33999]"}
    assert bad(wide) == {"agent.ports": Verdict.WARN}
    assert bad(wide, ephemeral=EPHEMERAL | {"ip_local_reserved_ports": "8080,32768-33999"}) == {}
    assert bad(wide, ephemeral=EPHEMERAL | {"ip_local_reserved_ports": "33000-33999"}) == {"agent.ports": Verdict.WARN}
    assert bad(wide, ephemeral={}) == {}


def test_an_agent_whose_clock_differs() -> None:
    assert bad(skew_s=-60.0) == {"agent.clock": Verdict.WARN}
    assert bad(skew_s=None) == {"agent.clock": Verdict.SKIP}


@pytest.mark.parametrize(
    "flags", [{}, {"resources": "cpus:1"}, {"isolation": ""}, {"executor_shutdown_grace_period": "?"}]
)
def test_flags_that_are_missing_or_strange_break_nothing(flags: dict[str, str]) -> None:
    assert agent.judge(AgentFlags(flags, None), Config(), {})


@pytest.mark.parametrize(
    ("given", "verdict", "words"),
    [
        ("", "pass", ""),
        ('{"PATH": "/bin", "MESOS_POD_EXECUTOR_LOG_LEVEL": "debug"}', "pass", ""),
        ('{"MESOS_POD_EXECUTOR_NODE_RUN_DIR": "/tmp/x"}', "warn", "MESOS_POD_EXECUTOR_NODE_RUN_DIR"),
        ('{"MESOS_POD_EXECUTOR_LOG_LEVLE": "debug"}', "warn", "MESOS_POD_EXECUTOR_LOG_LEVLE"),
        ("[" * 10000, "pass", ""),
        ("[1]", "pass", ""),
    ],
)
def test_variables_that_the_agent_gives_to_executors(given: str, verdict: str, words: str) -> None:
    found = variables.judge({"executor_environment_variables": given}, Config())
    assert found.verdict == verdict and words in found.message
