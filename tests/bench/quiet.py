"""What the clients of regular pods notice of a revocation of 50 pods with five processes each.

Three services answer at the same time: a small file, a page that a program makes, and the same page from the revoked
pods' own image, whose files the kernel locks as each process ends. Their requests count that were under way between the
revocation's request and its receipt. The revoked pods sleep, or one process of each works without a pause (on the CPU
that nobody else wants).

Beside it stands the kernel alone: in the same turn one write to cgroup.kill ends as many plain processes on the same
idle CPU, while no executor and no containerd has to do anything about it. No way to revoke can go below that.

One revocation lasts for some dozen requests, so those of all turns are counted together. A 99th percentile of fewer
than 2,000 is neither printed nor judged; the worst request is printed with the number of requests.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from executor.containerd import Containerd
from executor.images.store import ImageStore
from executor.pod.runner import PodRunner
from tests.bench.bench import FIVE, Harness, until
from tests.bench.figures import REQUESTS_FOR_P99, Computed, Figure, Report, Target, p99, quotient
from tests.bench.plain import Plain
from tests.support.images import ImageSpec, write_archive
from tests.support.load import Load
from tests.support.rig import IMAGE, NAMESPACE

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
"""Five processes as well. It begins to work at a signal, for without idle CPU launches take seconds each."""
PODS, TURNS = 50, 28
SETTLE_S = 0.4
BEFORE_S = 0.5
SPARE_S = 0.2
"""After the last kill, so that the requests that were under way then have ended."""
P99, WORST = 1.25, 2.0
"""At most so many times that of the kernel alone."""


@dataclass(frozen=True)
class Service:
    """`interval_s` is that between the requests of each of the `clients`."""

    name: str
    image: str
    path: str
    clients: int
    interval_s: float


OWN_IMAGE = "docker.io/library/web:bench"
SERVICES = (
    Service("file", OWN_IMAGE, "/", 4, 0.0025),
    Service("page", OWN_IMAGE, "/cgi-bin/page", 2, 0.1),
    Service("page of the victims' image", IMAGE, "/cgi-bin/page", 2, 0.1),
)
KINDS = ("sleeping", "working")


def target_name(what: str, service: Service, kind: str) -> str:
    """`what` is p99 or worst."""
    return f"{what}_of_a_{service.name}_as_{kind}_pods_go".replace(" ", "_").replace("'", "")


TARGETS = {
    target_name(what, service, kind): most
    for service in SERVICES
    for kind in KINDS
    for what, most in (("p99", P99), ("worst", WORST))
}


@dataclass
class Spans:
    """Milliseconds of each request."""

    before: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    kernel: list[float] = field(default_factory=list)


WORDS = {
    "before": "before the revocation",
    "during": "during the revocation",
    "after": "while the pods are released",
    "kernel": "during the kernel's kill alone",
}


class NotBusy(Exception):
    """The revocable pods got too little CPU to count as working."""


async def measure(harness: Harness, turns: int, tell: Callable[[str], None]) -> Report:
    """`turns` of each kind of victims."""
    images = {service.image for service in SERVICES}
    await _import(harness)
    web = {image: (await harness.up(1, command=SERVER, image=image))[0] for image in images}
    spans = {(service.name, kind): Spans() for service in SERVICES for kind in KINDS}
    durations: dict[str, list[float]] = {"revocation": [], "kernel": []}
    for turn in range(turns):
        for kind in KINDS:
            try:
                await _turn(harness, web, kind, spans, durations, kernel_first=bool(turn % 2))
            except NotBusy as error:
                tell(f"  a turn does not count: {error}")
    await harness.down(list(web.values()))
    report = Report()
    for service in SERVICES:
        for kind in KINDS:
            _judge(report, service, kind, spans[service.name, kind])
    report.figures |= {f"length of the window, {name}, ms": Figure.of(each) for name, each in durations.items()}
    for name, figure in report.figures.items():
        tell(f"{name}: {figure}")
    return report


def _judge(report: Report, service: Service, kind: str, spans: Spans) -> None:
    subject = f"{service.name}, {kind} victims"
    for name, values in vars(spans).items():
        if values:
            report.figures[f"{subject}: median {WORDS[name]}, ms"] = Figure.of([*values])
            worst = Computed((max(values),), max(values), max(values), len(values))
            report.figures[f"{subject}: worst {WORDS[name]}, ms"] = worst
        if (found := p99(values)) is not None:
            report.figures[f"{subject}: p99 {WORDS[name]}, ms"] = found
    during, kernel = p99(spans.during), p99(spans.kernel)
    names = [target_name(what, service, kind) for what in ("p99", "worst")]
    if during is None or kernel is None:
        least = min(len(spans.during), len(spans.kernel))
        reason = f"{least} requests in the window, and {REQUESTS_FOR_P99} are needed"
        report.skip({name: TARGETS[name] for name in names}, reason)
        return
    ratio = max(spans.during) / max(spans.kernel)
    report.targets[names[0]] = Target(quotient(during, kernel), P99)
    report.targets[names[1]] = Target(Computed((ratio,), ratio, ratio, min(len(during), len(kernel))), WORST)


async def _import(harness: Harness) -> None:
    """No file of it is one of the revoked pods'."""
    archive = write_archive(harness.rig.directory / "web.tar", ImageSpec(OWN_IMAGE, base="web"))
    async with await Containerd.connect(harness.rig.containerd.address, NAMESPACE) as client:
        await ImageStore(client).import_archive(archive)
        await ImageStore(client).lookup(OWN_IMAGE)


async def _turn(
    harness: Harness,
    web: dict[str, PodRunner],
    kind: str,
    spans: dict[tuple[str, str], Spans],
    durations: dict[str, list[float]],
    *,
    kernel_first: bool,
) -> None:
    works = kind == "working"
    runners = await harness.up(PODS, revocable=True, command=WORKER if works else FIVE)
    plain = Plain(f"{harness.rig.cgroup}-plain", PODS)
    await plain.up()
    with _loads(web) as loads:
        await asyncio.sleep(SETTLE_S)
        if kernel_first:
            kernel = await _killed(plain, works=works)
        times, used_s = await _revoked(harness, runners, len(web), works=works)
        if not kernel_first:
            kernel = await _killed(plain, works=works)
        await asyncio.sleep(SPARE_S)
    if works and used_s < BEFORE_S / 2:
        raise NotBusy(f"the pods were to work, and used {used_s:.2f} s of CPU in {BEFORE_S:g} s")
    quiet, begin, end, released = times
    durations["revocation"].append((end - begin) * 1e3)
    durations["kernel"].append((kernel[1] - kernel[0]) * 1e3)
    for service, load in zip(SERVICES, loads, strict=True):
        found = spans[service.name, kind]
        found.before += load.latencies_ms(quiet, begin)
        found.during += load.latencies_ms(begin, end)
        found.after += load.latencies_ms(end, released)
        found.kernel += load.latencies_ms(*kernel)


@contextmanager
def _loads(web: dict[str, PodRunner]) -> Iterator[list[Load]]:
    """The clients of all services. Raises RuntimeError if a request failed."""
    with ExitStack() as stack:
        loads = [
            stack.enter_context(
                Load(
                    web[service.image].sandbox.ips[0],
                    8080,
                    service.path,
                    clients=service.clients,
                    interval_s=service.interval_s,
                )
            )
            for service in SERVICES
        ]
        yield loads
    if failures := [failure for load in loads for failure in load.failures]:
        raise RuntimeError(f"requests failed: {failures[:5]}")


async def _revoked(
    harness: Harness, runners: Sequence[PodRunner], others: int, *, works: bool
) -> tuple[tuple[float, float, float, float], float]:
    """When the time before it began, and the revocation, when it was over, and everything released; and the CPU
    seconds that the revoked pods used before it.
    """
    if works:
        for runner in runners:
            for pid in runner.first_pids():
                os.kill(pid, signal.SIGUSR1)
    await asyncio.sleep(SETTLE_S)
    quiet, used_s = time.monotonic(), harness.lent_cpu_s()
    await asyncio.sleep(BEFORE_S)
    used_s = harness.lent_cpu_s() - used_s
    begin = time.monotonic()
    await harness.revoke()
    end = time.monotonic()
    await until(lambda: len(harness.pods) == others)
    return (quiet, begin, end, time.monotonic()), used_s


async def _killed(plain: Plain, *, works: bool) -> tuple[float, float]:
    if works:
        plain.work()
    await asyncio.sleep(SETTLE_S)
    return await plain.kill()
