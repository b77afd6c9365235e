"""How a network is used for one request: its plugins and its CNI version, before any plugin attaches anything."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from executor.cni.attachment import NetworkRequest
from executor.cni.config import version
from executor.cni.config.capability import capability_args, demanded
from executor.cni.config.catalog import Catalog
from executor.cni.config.conflist import Network
from executor.cni.config.demands import fitted
from executor.cni.plugins.failure import INSTALL
from executor.cni.plugins.plugin import Plugins
from executor.errors import NetworkFailure


async def plan(catalog: Catalog, plugins: Plugins, request: NetworkRequest) -> Network:
    """The network with the plugins that this request needs besides, and only the CNI versions that all of them speak. A
    plugin that is not installed is a NetworkFailure.

    Only VERSION is run, and only where the configuration leaves a choice. Raises InvalidConfig, NotFound,
    NetworkFailure.
    """
    network = catalog.get(request.network)
    network = fitted(network, demanded(capability_args(request)), lambda kind: plugins.find(kind) is not None)
    for kind in network.types:
        if plugins.find(kind) is None:
            raise NetworkFailure(
                f"plugin {kind} is not in {plugins.directories}", subject=network.subject, hint=INSTALL
            )
    return network if len(network.versions) == 1 else await _negotiated(plugins, network)


async def _negotiated(plugins: Plugins, network: Network) -> Network:
    spoken = await asyncio.gather(*(plugins.versions(kind) for kind in network.types))
    least = version.CHAINING if len(network.plugins) > 1 else version.SPEC_VERSIONS[0]
    common = version.newest_first(set(network.versions).intersection(*spoken))
    usable = tuple(each for each in common if version.at_least(each, least))
    if not usable:
        listed = "; ".join(f"{kind}: {', '.join(each)}" for kind, each in zip(network.types, spoken, strict=True))
        message = f"its plugins have no CNI version of {least} or later in common ({listed})"
        raise NetworkFailure(message, subject=network.subject, hint="bring the plugins to one release")
    return replace(network, versions=usable)
