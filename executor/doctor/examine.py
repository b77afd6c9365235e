"""All areas of the preflight, one after the other. A check that breaks is a finding of its own; the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.config import Config
from executor.doctor import (
    agent,
    disk_weights,
    groups,
    kernel,
    launcher,
    lending,
    memory_events,
    naming,
    network,
    node,
    policy,
    portuse,
    resolving,
    runtime,
    settings,
)
from executor.doctor.finding import Finding, failed, skipped, warned
from executor.errors import ExecutorError, MesosFailure
from executor.mesos import agent_flags
from executor.node.inventory import Inventory, inventory

if TYPE_CHECKING:
    from executor.containerd import Containerd


async def examine(config: Config, endpoints: Sequence[str], *, demanded: bool) -> list[Finding]:
    """`endpoints` are where the agent may be; one that was `demanded` must answer."""
    endpoint, flags, of_agent = agent_findings(config, endpoints, demanded=demanded)
    work_dir = flags.get("work_dir", "")
    async with AsyncExitStack() as stack:
        containerd, error = await _connect(config, stack)
        found = _tried("kernel", kernel.check) + _tried("kernel", settings.check) + _tried("node", disk_weights.check)
        found += _tried("cgroups", lambda: groups.check(config.cgroups.root))
        found += await runtime.check(config, containerd, error)
        found += _tried("network", lambda: network.check(config)) + await network.status(config)
        found += await _survey(config, containerd, endpoint)
    servers = _servers(config)
    found += _tried("network", resolving.check) + _tried("policy", lambda: policy.check(config))
    found += _tried("lending", lambda: lending.check(config))
    found += await asyncio.to_thread(_tried, "dns", lambda: naming.check(config.dns, servers, _dns_path()))
    found += of_agent + (_tried("agent", lambda: _beside_agent(config, endpoint, flags)) if flags else [])
    return found + _tried("node", lambda: node.check(config, work_dir))


def _tried(area: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except (ExecutorError, OSError, ValueError) as error:
        return [failed(f"{area}.check", f"cannot be looked at: {error}", "run doctor as root; report it")]


async def _connect(config: Config, stack: AsyncExitStack) -> tuple[Containerd | None, str]:
    from executor.containerd import Containerd

    try:
        client = await Containerd.connect(config.containerd.address, config.containerd.namespace)
    except ExecutorError as error:
        return None, str(error)
    return await stack.enter_async_context(client), ""


async def _survey(config: Config, containerd: Containerd | None, endpoint: str) -> list[Finding]:
    try:
        found: Inventory = await inventory(config, containerd)
    except ExecutorError as error:
        return [failed("node.left_overs", f"cannot be counted: {error}", error.hint)]
    containers = await asyncio.to_thread(_containers, config, endpoint)  # after the addresses that they hold
    return [*network.ledger(found, containers), *node.left_overs(found)]


def _containers(config: Config, endpoint: str) -> frozenset[str] | None:
    """The agent's; None if it does not tell."""
    from executor.mesos import operator

    try:
        authorization = operator.credential(Path(config.dns.credential_file))
        return operator.Operator(endpoint, authorization).containers() if endpoint else None
    except MesosFailure:
        return None


def _beside_agent(config: Config, endpoint: str, flags: Mapping[str, str]) -> list[Finding]:
    """What the agent needs of this node's networks and ports."""
    from executor.cni.config.catalog import Catalog

    mesos_roots = portuse.roots(flags, config.cgroups.root)
    found = [portuse.check(agent.offered_ports(flags), mesos_roots, _containers(config, endpoint))]
    found.append(launcher.check(flags))
    found += _providers(config, endpoint)
    found += memory_events.check(flags)
    if directories := flags.get("network_cni_plugins_dir", ""):
        own = [each for each in Catalog(Path(config.cni.config_dir)).networks() if each.derived]
        places = [Path(each) for each in directories.split(":")]
        found += network.plugins(own, places, "agent.cni_plugins_dir", "the agent's --network_cni_plugins_dir")
    return found


def _providers(config: Config, endpoint: str) -> list[Finding]:
    """Nothing where the agent does not tell."""
    from executor.mesos import operator

    try:
        authorization = operator.credential(Path(config.dns.credential_file))
        found = operator.Operator(endpoint, authorization).providers()
    except MesosFailure:
        return []
    return agent.subscribed([each.type for each in found], config)


def agent_findings(
    config: Config, endpoints: Sequence[str], *, demanded: bool
) -> tuple[str, dict[str, str], list[Finding]]:
    """Where it is, its flags, and what is to be said of them."""
    from executor.mesos import operator

    error, known = "no endpoint is known", False
    for endpoint in endpoints:
        try:
            answer = agent_flags.read(endpoint, operator.credential(Path(config.dns.credential_file)))
        except MesosFailure as failure:
            absent = isinstance(failure.__cause__, ConnectionRefusedError)  # an endpoint that is only a guess
            error, known = str(failure), known or not absent
            continue
        if "launcher" in answer.flags:  # a master has flags as well
            return endpoint, dict(answer.flags), agent.judge(answer, config, node.ephemeral_ports())
        error = f"{endpoint} is no agent"
    hint = "start the agent, or correct the address" if demanded else "does the agent run? name it: --agent HOST:PORT"
    finding = failed if demanded else warned if known else skipped
    return "", {}, [finding("agent.flags", f"the agent's flags are unknown: {error}", hint)]


def _dns_path() -> str:
    from executor.dns.dnsmasq import PATH

    return PATH


def _servers(config: Config) -> tuple[str, ...]:
    """The configured addresses, or the nameservers that the networks give to their pods and tasks."""
    from executor.cni.config.catalog import Catalog

    if config.dns.listen:
        return config.dns.listen
    try:
        networks = Catalog(Path(config.cni.config_dir)).networks()
    except ExecutorError:
        return ()
    named: list[Any] = [(plugin.get("dns") or {}).get("nameservers") for each in networks for plugin in each.plugins]
    return tuple(dict.fromkeys(str(server) for servers in named if isinstance(servers, list) for server in servers))
