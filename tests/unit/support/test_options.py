from __future__ import annotations

from pathlib import Path

from tests.support.mesos.options import AgentOptions


def test_a_posix_agent_touches_no_cgroup() -> None:
    environment = AgentOptions().environment("mpe/mesos")
    assert environment["MESOS_ISOLATION"] == "posix/cpu,posix/mem"
    assert "MESOS_CGROUPS_ROOT" not in environment
    assert "MESOS_NETWORK_CNI_CONFIG_DIR" not in environment


def test_a_linux_agent_with_networks() -> None:
    environment = AgentOptions(launcher="linux", cni_config_dir=Path("/cni")).environment("mpe/mesos")
    assert environment["MESOS_CGROUPS_ROOT"] == "mpe/mesos"
    assert environment["MESOS_ISOLATION"] == "cgroups/cpu,cgroups/mem,filesystem/linux,network/cni"
    assert environment["MESOS_NETWORK_CNI_CONFIG_DIR"] == "/cni"


def test_flags_of_ones_own_win() -> None:
    options = AgentOptions(executor_reregistration_timeout_s=0.5, extra={"MESOS_RECOVER": "cleanup", "MESOS_X": "1"})
    environment = options.environment("")
    assert environment["MESOS_EXECUTOR_REREGISTRATION_TIMEOUT"] == "500ms"
    assert (environment["MESOS_RECOVER"], environment["MESOS_X"]) == ("cleanup", "1")
