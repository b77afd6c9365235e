"""The networks of this executor's pods as the kernel has them: compared with what the plugins said once after ADD, and
again after each change that the kernel tells; and the pods' counters, summed by class.

Nothing here is waited for by a launch. One socket in each pod's namespace gets the changes of its links, addresses and
routes; it holds the namespace, so `detaching` comes before the namespace is to end. Owns: these sockets.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executor import exhausted
from executor.cni.attachment import Attachment
from executor.errors import reason
from executor.log import get_logger
from executor.names import PodClass, PodId
from executor.netlink import namespaces, requests
from executor.netlink.comparison import differences, node_links
from executor.netlink.state import LOOPBACK_INDEX, Namespace, Traffic

log = get_logger(__name__)

SETTLE_S: Final = 0.3
"""From a change until it is looked at: a plugin or a person makes several in a row."""
PAUSE_S: Final = 0.5
"""Between two looks."""
_LINK, _IPV4_ADDRESS, _IPV4_ROUTE, _IPV6_ADDRESS, _IPV6_ROUTE = 0x1, 0x10, 0x40, 0x100, 0x400  # linux/rtnetlink.h
_GROUPS: Final = _LINK | _IPV4_ADDRESS | _IPV4_ROUTE | _IPV6_ADDRESS | _IPV6_ROUTE
_BUFFER_BYTES: Final = 1 << 16
_DRAINED_MAX: Final = 64
"""Messages that are read in one turn of the event loop."""
_HINT: Final = "see `inspect POD`; find what else configures links on this node; else launch the pod again"


@dataclass
class _Network:
    """The network of one pod. `reported` was logged last (None: nothing yet); `traffic` was read last."""

    pod_class: PodClass
    netns: Path
    attachments: tuple[Attachment, ...]
    node_links: frozenset[str]
    events: socket.socket | None = None
    reported: tuple[str, ...] | None = None
    unread: str = ""
    traffic: Traffic = field(default_factory=Traffic)


class NetworkWatch:
    def __init__(self) -> None:
        self._networks: dict[PodId, _Network] = {}
        self._due: set[PodId] = set()
        self._wake = asyncio.Event()
        self._node_events: socket.socket | None = None
        self._ended: dict[PodClass, Traffic] = dict.fromkeys(PodClass, Traffic())

    def attached(self, pod: PodId, pod_class: PodClass, netns: Path, attachments: Sequence[Attachment]) -> None:
        """The plugins have said `attachments` of the pod's namespace, pinned at `netns`. It is looked at soon."""
        made = tuple(attachments)
        self._networks[pod] = _Network(pod_class, netns, made, node_links(made))
        self._look_at({pod})

    async def detaching(self, pod: PodId) -> None:
        """The pod's attachments are about to be undone: its counters are read for the last time, its socket is closed.
        Unknown is success. Never raises OSError.
        """
        network = self._networks.pop(pod, None)
        if network is None:
            return
        self._close(network)
        await _read_traffic([network])
        self._ended[network.pod_class] += network.traffic

    async def run(self) -> None:
        """Until it is cancelled; what goes wrong is logged, and ends nothing else."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(SETTLE_S)
                self._wake.clear()
                due, self._due = self._due, set()
                await self._look_and_tell([pod for pod in due if pod in self._networks])
                await asyncio.sleep(PAUSE_S)
        finally:
            for network in self._networks.values():
                self._close(network)
            if self._node_events is not None:
                self._close_socket(self._node_events)

    def faults(self, pod: PodId) -> tuple[str, ...]:
        """How the kernel differed from what the plugins said when it was looked at last. Looks at nothing."""
        network = self._networks.get(pod)
        return () if network is None else network.reported or ()

    async def state(self, pod: PodId) -> tuple[Namespace, tuple[str, ...]] | None:
        """What the kernel has now, and how it differs from what the plugins said; None for a pod without networks of
        its own. Raises OSError.
        """
        network = self._networks.get(pod)
        if network is None:
            return None
        node, found = await asyncio.to_thread(_read, [network])
        if isinstance(found[0], OSError):
            raise found[0]
        return found[0], differences(network.attachments, found[0], node)

    async def traffic(self) -> Mapping[PodId, Traffic]:
        """The traffic of each pod with networks of its own, read now; where it cannot be read, as it was read last."""
        networks = dict(self._networks)
        await _read_traffic(list(networks.values()))
        return {pod: network.traffic for pod, network in networks.items()}

    async def traffic_by_class(self) -> Mapping[PodClass, Traffic]:
        """The sums of all pods since the start of the executor, of those that have ended too."""
        await _read_traffic(list(self._networks.values()))
        sums = dict(self._ended)
        for network in self._networks.values():
            sums[network.pod_class] += network.traffic
        return sums

    def _look_at(self, pods: set[PodId]) -> None:
        if pods:
            self._due |= pods
            self._wake.set()

    async def _look_and_tell(self, pods: list[PodId]) -> None:
        try:
            await self._look({pod: self._networks[pod] for pod in pods})
        except OSError as error:
            log.warning("networks cannot be compared with the kernel", code="network.unobserved", error=reason(error))
        except Exception as error:  # a defect here must not end the executor
            if exhausted.tell(log, error) is None:
                log.exception("defect while looking at networks", code="executor.defect")

    async def _look(self, networks: Mapping[PodId, _Network]) -> None:
        if not networks:
            return
        await self._subscribe(networks)
        node, found = await asyncio.to_thread(_read, list(networks.values()))
        for (pod, network), each in zip(networks.items(), found, strict=True):
            if self._networks.get(pod) is not network:
                continue  # it is being detached
            if isinstance(each, OSError):
                _tell_unread(pod, network, each)
            else:
                _tell(pod, network, differences(network.attachments, each, node))

    async def _subscribe(self, networks: Mapping[PodId, _Network]) -> None:
        """Before the look, so that no change is missed. Raises OSError."""
        if self._node_events is None:
            self._node_events = namespaces.subscribe_own(_LINK)
            asyncio.get_running_loop().add_reader(self._node_events, self._node_changed, self._node_events)
        fresh = {pod: network for pod, network in networks.items() if network.events is None}
        if not fresh:
            return
        opened = await asyncio.to_thread(namespaces.subscribe, [each.netns for each in fresh.values()], _GROUPS)
        for (pod, network), events in zip(fresh.items(), opened, strict=True):
            if isinstance(events, OSError):
                continue  # the look itself will tell
            if self._networks.get(pod) is not network:
                events.close()
                continue
            network.events = events
            asyncio.get_running_loop().add_reader(events, self._pod_changed, pod, events)

    def _pod_changed(self, pod: PodId, events: socket.socket) -> None:
        _drained(events)
        self._look_at({pod})

    def _node_changed(self, events: socket.socket) -> None:
        """Links of others come and go as well: only those that results name count."""
        data, whole = _drained(events)
        names = set().union(*map(requests.changed_links, data))
        self._look_at({pod for pod, each in self._networks.items() if not whole or names & each.node_links})

    def _close(self, network: _Network) -> None:
        if network.events is not None:
            self._close_socket(network.events)
            network.events = None

    def _close_socket(self, events: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(events)
        events.close()


def _drained(events: socket.socket) -> tuple[list[bytes], bool]:
    """The messages that are there, and whether that is all: some may have been lost because the buffer was
    full (ENOBUFS), or are left for the next turn.
    """
    found: list[bytes] = []
    while len(found) < _DRAINED_MAX:
        try:
            found.append(events.recv(_BUFFER_BYTES))
        except BlockingIOError:
            return found, True
        except OSError:
            return found, False
    return found, False


def _read(networks: Sequence[_Network]) -> tuple[Namespace, list[Namespace | OSError]]:
    """The links of this process's namespace, and each pod's namespace. Blocking. Raises OSError."""
    return namespaces.own(requests.links), namespaces.visit([each.netns for each in networks], requests.namespace)


async def _read_traffic(networks: Sequence[_Network]) -> None:
    with suppress(OSError):
        found = await asyncio.to_thread(namespaces.visit, [each.netns for each in networks], requests.traffic)
        for network, counted in zip(networks, found, strict=True):
            if not isinstance(counted, OSError):
                own = [each for index, each in counted.items() if index != LOOPBACK_INDEX]
                network.traffic = sum(own, start=Traffic())


def _tell(pod: PodId, network: _Network, found: tuple[str, ...]) -> None:
    before, network.reported, network.unread = network.reported, found, ""
    if found == (before or ()):
        return
    text = "; ".join(found)
    if not found:
        log.info("a pod's network is as its plugins made it again", code="network.restored", pod=pod)
    elif before is None:
        log.warning(
            "the kernel does not have what the plugins said", code="network.mismatch", pod=pod, text=text, hint=_HINT
        )
    else:
        log.warning("a pod's network was changed", code="network.changed", pod=pod, text=text, hint=_HINT)


def _tell_unread(pod: PodId, network: _Network, error: OSError) -> None:
    """Once for each reason."""
    before, network.unread = network.unread, reason(error)
    if network.unread != before:
        log.warning(
            "a pod's network cannot be compared with the kernel",
            code="network.unobserved",
            pod=pod,
            netns=str(network.netns),
            error=network.unread,
        )
