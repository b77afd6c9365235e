"""What a test can tell an agent, and the MESOS_* variables that say it (docs/configuration/agent.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.support.patience import SLOW, patient

REREGISTRATION_MAX_S = 15.0 / SLOW
"""More than 15 s the agent refuses."""
CGROUPS_ISOLATION = ("cgroups/cpu", "cgroups/mem")
POSIX_ISOLATION = ("posix/cpu", "posix/mem")


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """`launcher="linux"` puts every executor into a cgroup of its own; the posix one only into a session.

    `estimator` makes revocable resources changeable by `MesosAgent.set_revocable`; leave it off where a
    RevocableProvider is used, because each report of an estimator replaces all revocable resources of the agent.
    `cni_config_dir` turns on the network/cni isolator (and needs the linux launcher). `extra` is any other flag of
    mesos-agent in its MESOS_* form.
    """

    resources: str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]"
    attributes: str = ""
    launcher: Literal["posix", "linux"] = "posix"
    isolation: tuple[str, ...] | None = None
    cni_config_dir: Path | None = None
    cni_plugins_dir: Path = Path("/usr/lib/cni")
    estimator: bool = False
    revocable_cpu_low_priority: bool = True
    recover: Literal["reconnect", "cleanup"] = "reconnect"
    executor_registration_timeout_s: float = 60.0
    executor_reregistration_timeout_s: float = 2.0
    executor_shutdown_grace_period_s: float = 5.0
    recovery_timeout_s: float = 60.0
    extra: Mapping[str, str] = field(default_factory=dict)

    def isolators(self) -> tuple[str, ...]:
        if self.isolation is not None:
            return self.isolation
        if self.launcher == "posix":
            return POSIX_ISOLATION
        return CGROUPS_ISOLATION + (("filesystem/linux", "network/cni") if self.cni_config_dir else ())

    def environment(self, cgroups_root: str) -> dict[str, str]:
        """The variables, without those that depend on where the agent's files are."""
        reregistration_s = min(self.executor_reregistration_timeout_s, REREGISTRATION_MAX_S)
        values = {
            "MESOS_RESOURCES": self.resources,
            "MESOS_ATTRIBUTES": self.attributes,
            "MESOS_LAUNCHER": self.launcher,
            "MESOS_ISOLATION": ",".join(self.isolators()),
            "MESOS_CGROUPS_ROOT": cgroups_root if self.launcher == "linux" else "",
            "MESOS_NETWORK_CNI_CONFIG_DIR": str(self.cni_config_dir or ""),
            "MESOS_NETWORK_CNI_PLUGINS_DIR": str(self.cni_plugins_dir) if self.cni_config_dir else "",
            "MESOS_REVOCABLE_CPU_LOW_PRIORITY": str(self.revocable_cpu_low_priority).lower(),
            "MESOS_RECOVER": self.recover,
            "MESOS_EXECUTOR_REGISTRATION_TIMEOUT": duration(self.executor_registration_timeout_s),
            "MESOS_EXECUTOR_REREGISTRATION_TIMEOUT": duration(reregistration_s),
            "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": duration(self.executor_shutdown_grace_period_s),
            "MESOS_RECOVERY_TIMEOUT": duration(self.recovery_timeout_s),
        }
        return {key: value for key, value in values.items() if value} | dict(self.extra)


def duration(seconds: float) -> str:
    """Mesos' text form of a duration, in whole milliseconds: of a limit of time, which a slow machine needs longer."""
    return f"{round(patient(seconds) * 1000)}ms"


FIXED = {
    "MESOS_CONTAINERIZERS": "mesos",
    "MESOS_HTTP_COMMAND_EXECUTOR": "true",
    "MESOS_SYSTEMD_ENABLE_SUPPORT": "false",
    "MESOS_REGISTRY": "in_memory",
    "MESOS_REGISTRATION_BACKOFF_FACTOR": "10ms",
    "MESOS_ALLOCATION_INTERVAL": "100ms",
    "MESOS_QOS_CORRECTION_INTERVAL_MIN": "200ms",
    "MESOS_OVERSUBSCRIBED_RESOURCES_INTERVAL": "500ms",
}
"""For master and agent alike: nothing of systemd, a registry that dies with the master, and haste."""
