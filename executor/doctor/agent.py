"""The Mesos agent's flags: which of them do harm to pods. Source: docs/configuration/agent.md of Mesos 1.11.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from executor.config import Config
from executor.doctor import agentdisk, variables
from executor.doctor.finding import Finding, failed, passed, skipped, warned
from executor.mesos.agent_flags import AgentFlags

_SKEW_S = 5.0
_RETRY_S = 2.0
_PORTS = "ports:[31000-32000]"


def judge(answer: AgentFlags, config: Config, ephemeral: Mapping[str, str]) -> list[Finding]:
    """Pure. `ephemeral` is what the kernel says of local ports (node.ephemeral_ports)."""
    flags = answer.flags
    return [
        *_isolation(flags, config),
        _priority(flags, config),
        _controller(flags),
        _estimator(flags, config),
        *_provider(flags, config),
        _time_out(flags),
        _grace(flags, config),
        _root(flags, config),
        variables.judge(flags, config),
        _ports(offered_ports(flags), ephemeral),
        agentdisk.check(flags, config.disk),
        _skew(answer.skew_s),
    ]


def _isolation(flags: Mapping[str, str], config: Config) -> list[Finding]:
    isolators = {each.strip() for each in flags.get("isolation", "").split(",")}
    found = []
    if flags.get("launcher", "linux") != "linux" or not {"cgroups/cpu", "cgroups/mem"} <= isolators | _all(isolators):
        text = (
            "executors get no cgroup of their own: Mesos neither accounts for pods nor ends them with a dead executor"
        )
        found.append(warned("agent.isolation", text, "--launcher=linux --isolation=cgroups/cpu,cgroups/mem"))
    else:
        found.append(passed("agent.isolation", "executors have a cgroup of their own, and pods live in it"))
    if "namespaces/pid" in isolators:
        text = "the executor would live in a pid namespace and see none of its pods' processes"
        found.append(failed("agent.pid_namespace", text, "take namespaces/pid out of --isolation"))
    directory = flags.get("network_cni_config_dir", "")
    if directory and directory.rstrip("/") != config.cni.config_dir.rstrip("/"):
        text = f"the agent reads networks from {directory}, this program from {config.cni.config_dir}"
        found.append(failed("agent.cni_config_dir", text, "[cni] config_dir must be the agent's"))
    elif directory:
        found.append(passed("agent.cni_config_dir", f"both read networks from {directory}"))
    return found


def _all(isolators: set[str]) -> set[str]:
    return {"cgroups/cpu", "cgroups/mem"} if "cgroups/all" in isolators else set()


def _priority(flags: Mapping[str, str], config: Config) -> Finding:
    if flags.get("revocable_cpu_low_priority", "true") == "false":
        return passed("agent.revocable_cpu_low_priority", "revocable cpus do not lower a container's weight")
    guarded = config.cgroups.guard_weight
    guard = "the executor restores it ([cgroups] guard_weight)" if guarded else "nothing restores it"
    text = f"one revocable cpu drops the CPU weight of the whole executor to 10 shares a cpu; {guard}"
    return warned("agent.revocable_cpu_low_priority", text, "start the agent with --no-revocable_cpu_low_priority")


def _controller(flags: Mapping[str, str]) -> Finding:
    name = flags.get("qos_controller", "")
    if not name:
        return passed("agent.qos_controller", "no QoS controller kills executors")
    text = f"{name} kills whole executors: one that serves both classes loses its regular pods too"
    hint = "run revocable pods under an ExecutorID of their own (executor-info --class revocable)"
    return warned("agent.qos_controller", text, hint)


def _estimator(flags: Mapping[str, str], config: Config) -> Finding:
    name = flags.get("resource_estimator", "")
    if name and config.lending.owners:
        text = f"each estimate of {name} replaces what the lender of this node offers"
        return failed("agent.resource_estimator", text, "start the agent without --resource_estimator, or lend nothing")
    if name:
        return passed("agent.resource_estimator", name)
    text = "no resource estimator: unless a resource provider lends, no revocable resources are offered"
    return passed("agent.resource_estimator", text)


def _provider(flags: Mapping[str, str], config: Config) -> list[Finding]:
    """Whether the agent lets the lender in. An agent without --agent_features has all of them."""
    if not config.lending.owners:
        return []
    features = flags.get("agent_features", "")
    if features and "RESOURCE_PROVIDER" not in features:
        text = "the agent takes no resource provider, so the lender of this node offers nothing"
        return [failed("agent.resource_provider", text, "add RESOURCE_PROVIDER to --agent_features, or leave that out")]
    return [passed("agent.resource_provider", "the agent takes resource providers: the lender can offer")]


def subscribed(types: Sequence[str], config: Config) -> list[Finding]:
    """From the types of the resource providers that are subscribed at the agent. Pure."""
    name = "agent.providers"
    if types:
        return [passed(name, f"resource providers are subscribed: {', '.join(sorted(types))}")]
    if not config.lending.owners:
        return []
    text = "no resource provider is subscribed: the lender of this node offers nothing"
    return [warned(name, text, "does mesos-pod-executor-lend.service run? see `lending`, and its log")]


def _time_out(flags: Mapping[str, str]) -> Finding:
    limit_s = _seconds(flags.get("executor_reregistration_timeout", "2secs"))
    if limit_s is not None and limit_s < _RETRY_S:
        text = f"executors have {limit_s:g} s to come back after a restart of the agent"
        hint = "--executor_reregistration_timeout=2secs or more, at most 15secs"
        return warned("agent.executor_reregistration_timeout", text, hint)
    return passed("agent.executor_reregistration_timeout", flags.get("executor_reregistration_timeout", "2secs"))


def _grace(flags: Mapping[str, str], config: Config) -> Finding:
    limit_s = _seconds(flags.get("executor_shutdown_grace_period", "5secs"))
    if limit_s is not None and limit_s < config.pods.termination_grace_s:
        wanted_s = config.pods.termination_grace_s
        text = f"pods want {wanted_s:g} s to end, an ExecutorInfo without shutdown_grace_period gives {limit_s:g} s"
        hint = "set shutdown_grace_period in the ExecutorInfo (executor-info does)"
        return warned("agent.executor_shutdown_grace_period", text, hint)
    return passed("agent.executor_shutdown_grace_period", flags.get("executor_shutdown_grace_period", "5secs"))


def _root(flags: Mapping[str, str], config: Config) -> Finding:
    root, own = flags.get("cgroups_root", "mesos").strip("/"), config.cgroups.root.strip("/")
    if own and f"{own}/".startswith(f"{root}/"):
        text = f"[cgroups] root {own} lies in the agent's cgroups_root, where the agent destroys what it does not know"
        return failed("agent.cgroups_root", text, "choose another [cgroups] root")
    watched = config.lending.agent_cgroup.strip("/")
    if config.lending.owners and watched != root:
        text = f"the agent's containers are in {root}, the lender looks for them in {watched or 'no cgroup'}"
        return warned("agent.cgroups_root", text, f'[lending] agent_cgroup = "/{root}"')
    return passed("agent.cgroups_root", root)


def offered_ports(flags: Mapping[str, str]) -> list[tuple[int, int]]:
    """Pure."""
    match = re.search(r"ports[^:]*:\[([^\]]*)\]", flags.get("resources", "") or _PORTS)
    return _spans(match[1]) if match else []


def _ports(offered: Sequence[tuple[int, int]], ephemeral: Mapping[str, str]) -> Finding:
    """A connection of the node's own may have taken a host port that is offered."""
    given = re.findall(r"\d+", ephemeral.get("ip_local_port_range", ""))
    low, high = (int(given[0]), int(given[1])) if len(given) > 1 else (1, 0)
    spared = _spans(ephemeral.get("ip_local_reserved_ports", ""))
    common = [(max(begin, low), min(end, high)) for begin, end in offered if begin <= high and low <= end]
    taken = [f"{begin}-{end}" for begin, end in common if not any(a <= begin and end <= b for a, b in spared)]
    if taken:
        text = f"offered ports {', '.join(taken)} are also given to outgoing connections"
        return warned("agent.ports", text, "add the offered ports to net.ipv4.ip_local_reserved_ports")
    return passed("agent.ports", "no offered port is given to outgoing connections")


def _spans(text: str) -> list[tuple[int, int]]:
    return [(int(begin), int(end or begin)) for begin, end in re.findall(r"(\d+)\s*(?:-\s*(\d+))?", text)]


def _skew(skew_s: float | None) -> Finding:
    if skew_s is None:
        return skipped("agent.clock", "the agent does not tell its time")
    if abs(skew_s) > _SKEW_S:
        text = f"the agent's clock differs by {skew_s:+.0f} s"
        return warned("agent.clock", text, "synchronise the clocks: times in statuses and logs cannot be compared")
    return passed("agent.clock", "the agent's clock is the same")


def _seconds(text: str) -> float | None:
    """The duration in Mesos's own words for durations (stout/duration.hpp)."""
    match = re.fullmatch(r"([0-9.]+)(ns|us|ms|secs|mins|hrs|days|weeks)", text)
    if match is None:
        return None
    factor = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "secs": 1, "mins": 60, "hrs": 3600, "days": 86400, "weeks": 604800}
    return float(match[1]) * factor[match[2]]
