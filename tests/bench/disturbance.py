"""What the clients of a regular pod notice of a revocation of 50 pods: the 99th percentile of their requests' time.

It is taken from the revocation's request to its receipt, beside the same before it and while the revoked pods are
released. What is noticed depends on how long a request takes anyway, so there are two services: a small file, half a
millisecond, and a page that a program makes, some milliseconds of CPU. It depends as well on what the pods did until
then: one process of each works without a pause (of the CPU that nobody else wants), or all sleep.

Two equals stand beside it: the kernel alone, one write to cgroup.kill for as many plain processes on the same lent CPU,
while no executor and no containerd has to do anything about it, which no way to revoke can go below at that speed; and
for those that sleep a bare cgroup.kill of an equal tree of containers.

One revocation lasts for some dozen requests, so those of several are counted together.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from executor.containerd import Containerd
from executor.images.store import ImageStore
from executor.names import PodClass
from executor.pod.runner import PodRunner
from tests.bench.bare import Bare
from tests.bench.bench import FIVE, Harness, bare_kill, until
from tests.bench.figures import REQUESTS_FOR_P99, Figure, Report, Target, p99
from tests.bench.plain import Plain
from tests.support.images import ImageSpec, write_archive
from tests.support.load import Load
from tests.support.rig import NAMESPACE

SERVER = (
    "sh",
    "-c",
    """mkdir -p /srv/cgi-bin; echo here > /srv/index.html
cat > /srv/cgi-bin/page <<'END'
#!/bin/sh
n=0; while [ $n -lt 3000 ]; do n=$((n+1)); done
printf 'Content-Type: text/plain\\r\\n\\r\\nhere\\n'
END
chmod 755 /srv/cgi-bin/page; exec httpd -f -p 8080 -h /srv""",
)
WORKER = (
    "sh",
    "-c",
    "for n in 1 2 3 4; do sleep 100000 & done; trap 'while :; do :; done' USR1; while :; do wait; done",
)
"""Five processes as well. It begins to work when it is told to, for without idle CPU launches take seconds each."""
PODS = 50
SETTLE_S = 1.0
BEFORE_S = 2.0
SPARE_S = 0.2
"""After the last kill, so that the requests that were under way then have ended."""


@dataclass(frozen=True)
class Service:
    name: str
    path: str
    interval_s: float
    """Between the requests of each of the four clients: the server keeps some 15 % of the CPU busy."""


SERVICES = (Service("file", "/", 0.005), Service("page", "/cgi-bin/page", 0.05))
KINDS = ("sleeping", "working")
TARGET = 1.25
"""At most so many times the p99 of the kernel alone."""
TARGETS = tuple(f"p99_of_a_{service.name}_as_{kind}_pods_go" for service in SERVICES for kind in KINDS)


@dataclass
class Spans:
    """Milliseconds of each request."""

    before: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    kernel: list[float] = field(default_factory=list)


class NotBusy(Exception):
    """The revocable pods got too little CPU to count as working."""


async def measure(harness: Harness, bare: Bare, turns: int, tell: Callable[[str], None]) -> Report:
    web = await harness.up(1, command=SERVER, image=await _image(harness))
    report = Report()
    for service in SERVICES:
        sleepers, workers = Spans(), Spans()
        for turn in range(turns):
            names = [f"{service.name}-{turn}-{number}" for number in range(PODS)]
            await _sleepers(harness, bare, service, sleepers, names)
            try:
                await _workers(harness, service, workers)
            except NotBusy as error:
                tell(f"  a turn does not count: {error}")
        for kind, spans in (("sleeping", sleepers), ("working", workers)):
            _judge(report, service, kind, spans, tell)
    await harness.down(web)
    return report


def _judge(report: Report, service: Service, kind: str, spans: Spans, tell: Callable[[str], None]) -> None:
    """A p99 of too few requests is neither printed nor judged."""
    subject = f"{service.name} as {kind} pods go"
    for name, values in vars(spans).items():
        if (value := p99(values)) is not None:
            report.figures[f"p99 of a {subject}, {name}, ms"] = Figure.of([value])
            tell(f"p99 of a {subject}, {name}: {value:.1f} ms ({len(values)} requests)")
    during, kernel = p99(spans.during), p99(spans.kernel)
    target = f"p99_of_a_{service.name}_as_{kind}_pods_go"
    if during is not None and kernel is not None:
        report.targets[target] = Target(Figure.of([during / kernel]), TARGET)
    else:
        least = min(len(spans.during), len(spans.kernel))
        report.skip({target: TARGET}, f"{least} requests, and a p99 needs {REQUESTS_FOR_P99}")


async def _image(harness: Harness) -> str:
    """No file of it is one of the revoked pods', or the server waits for the kernel's lock on the files that it shares
    with the dying.
    """
    image = ImageSpec("docker.io/library/web:bench", base="web")
    archive = write_archive(harness.rig.directory / "web.tar", image)
    async with await Containerd.connect(harness.rig.containerd.address, NAMESPACE) as client:
        await ImageStore(client).import_archive(archive)
        await ImageStore(client).lookup(image.name)
    return image.name


async def _sleepers(harness: Harness, bare: Bare, service: Service, spans: Spans, names: list[str]) -> None:
    await harness.up(len(names), revocable=True, command=FIVE)
    await asyncio.to_thread(bare.many, names, bare.up, 4)
    plain = Plain(f"{harness.rig.cgroup}-plain", len(names))
    await plain.up()
    with _load(harness, service) as load:
        await asyncio.sleep(SETTLE_S)
        times = await _revoked(harness)
        await asyncio.sleep(SETTLE_S)
        begin_bare = time.monotonic()
        await bare_kill(f"{harness.rig.cgroup}/bare")
        end_bare = time.monotonic()
        await asyncio.sleep(SETTLE_S)
        kernel = await plain.kill()
        await asyncio.sleep(SPARE_S)
    _count(load, spans, times, kernel)
    spans.bare += load.latencies_ms(begin_bare, end_bare)
    await asyncio.to_thread(bare.many, names, bare.down, 4)


async def _workers(harness: Harness, service: Service, spans: Spans) -> None:
    runners = await harness.up(PODS, revocable=True, command=WORKER)
    plain = Plain(f"{harness.rig.cgroup}-plain", PODS)
    await plain.up()
    with _load(harness, service) as load:
        await asyncio.sleep(SETTLE_S)
        _begin_work(runners)
        await asyncio.sleep(SETTLE_S)
        used = harness.lent_cpu_s()
        times = await _revoked(harness)
        worked = harness.lent_cpu_s() - used
        plain.work()
        await asyncio.sleep(SETTLE_S)
        kernel = await plain.kill()
        await asyncio.sleep(SPARE_S)
    if worked < BEFORE_S / 2:
        raise NotBusy(f"the pods were to work, and used {worked:.1f} s of CPU in {BEFORE_S:g} s")
    _count(load, spans, times, kernel)


def _begin_work(runners: Sequence[PodRunner]) -> None:
    for runner in runners:
        for container in runner.pod.containers.values():
            assert container.pid is not None
            os.kill(container.pid, signal.SIGUSR1)


@contextmanager
def _load(harness: Harness, service: Service) -> Iterator[Load]:
    web = next(runner for runner in harness.pods if runner.spec.pod_class is PodClass.REGULAR)
    with Load(web.sandbox.ips[0], 8080, service.path, interval_s=service.interval_s) as load:
        yield load
    if load.failures:
        raise RuntimeError(f"requests failed: {load.failures}")


async def _revoked(harness: Harness) -> tuple[float, ...]:
    """When the time before it began, and the revocation, and when it was over, and everything released."""
    quiet = time.monotonic()
    await asyncio.sleep(BEFORE_S)
    begin = time.monotonic()
    await harness.revoke()
    end = time.monotonic()
    await until(lambda: len(harness.pods) == 1)
    return quiet, begin, end, time.monotonic()


def _count(load: Load, spans: Spans, times: Sequence[float], kernel: tuple[float, float]) -> None:
    quiet, begin, end, released = times
    spans.before += load.latencies_ms(quiet, begin)
    spans.during += load.latencies_ms(begin, end)
    spans.after += load.latencies_ms(end, released)
    spans.kernel += load.latencies_ms(*kernel)
