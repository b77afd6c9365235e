"""What the clients of a regular pod notice of a revocation of 50 pods: the 99th percentile of their requests' time.

It is taken from the revocation's request to its receipt, beside the same before it, while the revoked pods are
released, and beside a bare cgroup.kill of an equal tree. Of two services, for what is noticed depends on how long a
request takes anyway: a small file, half a millisecond, and a page that a program makes, some milliseconds of CPU.

One revocation lasts for some dozen requests, so those of several are counted together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from executor.containerd import Containerd
from tests.bench.bare import Bare
from tests.bench.bench import FIVE, Harness, Target, bare_kill, until
from tests.support.images import ImageSpec, write_archive
from tests.support.load import Load, percentile
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
PODS = 50
SETTLE_S = 1.0
BEFORE_S = 2.0
SPARE_S = 0.2
"""After the bare kill, so that the requests that were under way then have ended."""


@dataclass(frozen=True)
class Service:
    name: str
    path: str
    interval_s: float
    """Between the requests of each of the four clients: the server keeps some 15 % of the CPU busy."""


SERVICES = (Service("file", "/", 0.005), Service("page", "/cgi-bin/page", 0.05))


@dataclass
class Spans:
    """Milliseconds of each request."""

    before: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


async def measure(harness: Harness, bare: Bare, turns: int, tell: Callable[[str], None]) -> dict[str, Target]:
    web = await harness.up(1, command=SERVER, image=await _image(harness))
    targets = {}
    for service in SERVICES:
        spans = Spans()
        for turn in range(turns):
            await _turn(harness, bare, service, spans, [f"{service.name}-{turn}-{number}" for number in range(PODS)])
        p99 = {name: percentile(values, 99) for name, values in vars(spans).items()}
        said = ", ".join(f"{p99[name]:.1f} ms {name} ({len(values)})" for name, values in vars(spans).items())
        tell(f"p99 of a regular pod's {service.name} while {PODS} pods are revoked, released, or killed bare: {said}")
        targets[f"p99_of_a_{service.name}_during_revocation"] = Target(p99["during"] / p99["before"], 1.5)
    await harness.down(web)
    return targets


async def _image(harness: Harness) -> str:
    """No file of it is one of the revoked pods', or the server waits for the kernel's lock on the files that it shares
    with the dying.
    """
    image = ImageSpec("docker.io/library/web:bench", base="web")
    archive = write_archive(harness.rig.directory / "web.tar", image)
    async with await Containerd.connect(harness.rig.containerd.address, NAMESPACE) as client:
        await client.images.import_archive(archive)
        await client.images.lookup(image.name)
    return image.name


async def _turn(harness: Harness, bare: Bare, service: Service, spans: Spans, names: list[str]) -> None:
    (web,) = harness.pods
    await harness.up(len(names), revocable=True, command=FIVE)
    await asyncio.to_thread(bare.many, names, bare.up, 4)
    with Load(web.sandbox.ips[0], 8080, service.path, interval_s=service.interval_s) as load:
        await asyncio.sleep(SETTLE_S)
        quiet = time.monotonic()
        await asyncio.sleep(BEFORE_S)
        begin = time.monotonic()
        await harness.revoke()
        end = time.monotonic()
        await until(lambda: len(harness.pods) == 1)
        released = time.monotonic()
        await asyncio.sleep(SETTLE_S)
        begin_bare = time.monotonic()
        await bare_kill(f"{harness.rig.cgroup}/bare")
        end_bare = time.monotonic()
        await asyncio.sleep(SPARE_S)
        load.stop()
    if load.failures:
        raise RuntimeError(f"requests failed: {load.failures}")
    spans.before += load.latencies_ms(quiet, begin)
    spans.during += load.latencies_ms(begin, end)
    spans.after += load.latencies_ms(end, released)
    spans.bare += load.latencies_ms(begin_bare, end_bare)
    await asyncio.to_thread(bare.many, names, bare.down, 4)
