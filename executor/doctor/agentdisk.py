"""What the agent does about an executor that uses much disk, and whether pods are ended before it. Pure.

Source: docs/isolators/disk-du.md and disk-xfs.md, docs/configuration/agent.md of Mesos 1.11.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from executor.config.disk import DiskSection
from executor.disk import agentquota
from executor.doctor.finding import Finding, failed, passed, warned
from executor.duration import seconds

CHECK: Final = "agent.disk_quota"
_INTERVAL: Final = "15secs"
_LOOKS: Final = 5
"""This program should have looked at free space as often before the agent looks once."""


def check(flags: Mapping[str, str], config: DiskSection) -> Finding:
    """Whether the agent ends an executor for the disk of one pod. `flags` are the agent's. Pure."""
    isolators = {each.strip() for each in flags.get("isolation", "").split(",")}
    if not agentquota.enforces(flags):
        text = "the agent ends no executor for its disk"
        held = "; pods are held to theirs by [disk] enforce" if config.enforce else ", and [disk] enforce is off"
        return passed(CHECK, text + held)
    if not config.enforce or config.agent_quota == "no":
        text = "the agent ends an executor with all its pods when one of them fills the disk, and nothing prevents it"
        return failed(CHECK, text, "set [disk] enforce = true and agent_quota = ask")
    if agentquota.QUOTAS in isolators:
        text = "disk/xfs holds all pods of an executor to one quota: the kernel refuses all their writes when it is met"
        return warned(CHECK, text, "give tasks and the ExecutorInfo more disk than they use")
    interval = flags.get("container_disk_watch_interval", _INTERVAL)
    if seconds(interval, subject="container_disk_watch_interval") < _LOOKS * config.interval_s:
        text = f"the agent counts an executor's disk each {interval}; one that writes quickly may not be ended before"
        return warned(CHECK, text, f"--container_disk_watch_interval={_INTERVAL}, or a lower [disk] interval_s")
    return passed(CHECK, f"the agent counts an executor's disk each {interval}; a pod over its limit is ended before")
