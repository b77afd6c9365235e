"""What is read at each scrape: pods by class and state, the classes' cgroups, queues, this process.

A scrape reads one file for each number of the two class subtrees and none of a single pod, so that its cost does not
grow with the pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import psutil

from cgroups import CgroupError, Resource, qos
from executor import __version__
from executor.control import documents as views
from executor.disk.usage import DiskUsage
from executor.metrics import catalog
from executor.metrics.counters import Family, Labels
from executor.names import PodClass
from executor.pod.life.model import Phase, Pod, State
from executor.spec import probes

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.dispatch.dispatcher import Dispatcher
    from executor.metrics.loop_lag import LoopLag
    from executor.netlink import Traffic
    from executor.pod.runner import PodRunner
    from executor.probes.ask import Means

RESULTS: Final = ("passed", "failed", "error")
_SHOWN_STATES: Final = tuple(state for state in State if state not in (State.NEW, State.ENDED))


def families(dispatcher: Dispatcher, lag: LoopLag, traffic: Mapping[PodClass, Traffic]) -> Iterator[Family]:
    """In the catalogue's order, what cannot be read now left out. `traffic` was read just now."""
    pods = list(dispatcher.pods)
    facts = views.executor(dispatcher)
    identity = (__version__, str(facts["framework"]), str(facts["executor"]), str(facts["agent"]))
    yield Family(catalog.INFO, {identity: 1.0})
    yield _one(catalog.SUBSCRIBED, float(facts["subscribed"]))
    yield _one(catalog.UNACKNOWLEDGED, facts["unacknowledged"])
    yield _one(catalog.LEAKED, len(dispatcher.pods.retries))
    yield from _pods(pods)
    yield from _probes(pods, dispatcher.node.probing)
    yield from _stuck_and_promised(pods)
    yield from _classes(dispatcher)
    yield from _networks(traffic)
    yield Family(catalog.LOOP_LAG, {(): lag.seconds.copy()})
    yield from _process()


def _one(metric: catalog.Metric, value: float) -> Family:
    return Family(metric, {(): float(value)})


def _pods(pods: list[PodRunner]) -> Iterator[Family]:
    states = Counter((str(each.spec.pod_class), str(each.pod.state)) for each in pods)
    known = [(str(pod_class), str(state)) for pod_class in PodClass for state in _SHOWN_STATES]
    yield Family(catalog.PODS, {labels: float(states[labels]) for labels in known})
    waiting = sum(_waits(each) for each in pods)
    yield _one(catalog.LAUNCHES, sum(each.launching for each in pods) - waiting)
    yield _one(catalog.LAUNCHES_WAITING, waiting)


def _probes(pods: list[PodRunner], means: Means) -> Iterator[Family]:
    yield Family(catalog.UNREADY, _by_class(pods, lambda each: float(_is_unready(each.pod))))
    yield Family(catalog.BACKING_OFF, _by_class(pods, lambda each: float(_is_backing_off(each.pod))))
    known = [(str(kind), result) for kind in probes.Kind for result in RESULTS]
    yield Family(catalog.PROBES, {labels: float(means.counts[labels]) for labels in known})


def _is_unready(pod: Pod) -> bool:
    return pod.state is State.RUNNING and not all(each.ready for each in pod.main if each.phase is not Phase.EXITED)


def _is_backing_off(pod: Pod) -> bool:
    return any(each.phase is Phase.BACKING_OFF for each in pod.containers.values())


def _stuck_and_promised(pods: list[PodRunner]) -> Iterator[Family]:
    yield Family(catalog.STUCK, _by_class(pods, lambda each: float(bool(each.pod.stuck))))
    yield Family(catalog.CPUS, _by_class(pods, lambda each: each.spec.resources.cpus))
    yield Family(catalog.MEMORY, _by_class(pods, lambda each: float(each.spec.resources.mem_bytes)))


def _waits(runner: PodRunner) -> bool:
    return runner.pod.state is State.SETTING_UP and "queued" not in runner.phases_ms


def _by_class(pods: Sequence[PodRunner], value: Any) -> dict[Labels, float]:
    return {
        (str(pod_class),): qos.total(value(each) for each in pods if each.spec.pod_class is pod_class)
        for pod_class in PodClass
    }


def _classes(dispatcher: Dispatcher) -> Iterator[Family]:
    used_cpu: dict[Labels, float] = {}
    used_memory: dict[Labels, float] = {}
    pressure: dict[Labels, float] = {}
    for pod_class in map(str, PodClass):
        group = dispatcher.node.tree.subtree(pod_class)
        try:
            usec, size_bytes = group.cpu_usage_usec(), group.memory_bytes()
            pressure |= {(pod_class, *labels): value for labels, value in _pressure(group).items()}
        except CgroupError:
            continue
        if usec is not None:
            used_cpu[(pod_class,)] = usec / 1e6
        if size_bytes is not None:
            used_memory[(pod_class,)] = float(size_bytes)
    yield Family(catalog.USED_CPU, used_cpu)
    yield Family(catalog.USED_MEMORY, used_memory)
    yield _disk(list(dispatcher.pods))
    yield Family(catalog.PRESSURE, pressure)


def _networks(traffic: Mapping[PodClass, Traffic]) -> Iterator[Family]:
    kinds = ((catalog.NETWORK_BYTES, "bytes"), (catalog.NETWORK_PACKETS, "packets"))
    for metric, what in (*kinds, (catalog.NETWORK_DROPPED, "dropped"), (catalog.NETWORK_ERRORS, "errors")):
        series: dict[Labels, float] = {
            (str(pod_class), way): float(getattr(each, f"{way}_{what}"))
            for pod_class, each in traffic.items()
            for way in ("received", "sent")
        }
        yield Family(metric, series)


def _disk(pods: list[PodRunner]) -> Family:
    """Nothing is counted for a scrape: these are the last numbers of executor.pod.disk.watch."""
    parts = DiskUsage().parts()
    series: dict[Labels, float] = {(str(pod_class), part): 0.0 for pod_class in PodClass for part in parts}
    for runner in pods:
        for part, size_bytes in (runner.sandbox.disk or DiskUsage()).parts().items():
            series[(str(runner.spec.pod_class), part)] += size_bytes
    return Family(catalog.USED_DISK, series)


def _pressure(group: Cgroup) -> Mapping[Labels, float]:
    found: dict[Labels, float] = {}
    for resource in Resource:
        pressure = group.pressure(resource)
        if pressure is None:
            continue
        found[(str(resource), "some")] = pressure.some.total_usec / 1e6
        if pressure.full is not None:
            found[(str(resource), "full")] = pressure.full.total_usec / 1e6
    return found


def _process() -> Iterator[Family]:
    this = psutil.Process()
    used = this.cpu_times()
    yield _one(catalog.PROCESS_CPU, used.user + used.system)
    yield _one(catalog.PROCESS_MEMORY, this.memory_info().rss)
    yield _one(catalog.PROCESS_FDS, this.num_fds() - 1)  # less the one that lists them
    yield _one(catalog.PROCESS_START, this.create_time())
