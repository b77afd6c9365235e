"""What probes cost: `python -m tests.bench.probes` measures the CPU time of this process for 110 pods with three each.

The servers run in a process of their own, for their work is the pods'. Of commands in containers the executor's own
part is measured here too, with containerd; what runc and the shim add is in their processes (tests/bench/bench.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from executor.errors import ExecutorError
from executor.probes.ask import LOOPBACK, Means, Reach
from executor.probes.prober import Prober
from executor.probes.state import Result, Verdict
from executor.spec.probes import Exec, Grpc, HttpGet, Kind, Probe, Probes, TcpSocket
from tests.bench import commands
from tests.bench.figures import Computed, Figure, Report
from tests.support.containerd import PrivateContainerd

ADDRESS = "0.0.0.0"
"""Leads to loopback, and is not taken for a pod's own loopback."""
PODS, PERIOD_S, TARGET_PERCENT = 110, 10.0, 3.0


def serve(pipe: Connection) -> None:
    """One HTTP server and one gRPC server; their ports go through the pipe."""
    import grpc

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def check(_: bytes, __: object) -> bytes:
        return b"\x08\x01"

    class Health(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, _: object) -> object:
            return grpc.unary_unary_rpc_method_handler(check)

    async def run() -> None:
        web = await asyncio.start_server(answer, LOOPBACK, 0, backlog=1000)
        health = grpc.aio.server()
        health.add_generic_rpc_handlers((Health(),))
        port = health.add_insecure_port(f"{LOOPBACK}:0")
        await health.start()
        pipe.send((web.sockets[0].getsockname()[1], port))
        await asyncio.Event().wait()

    asyncio.run(run())


async def measure(probes: Probes, pods: int, periods: int) -> dict[str, float]:
    """CPU of this process in percent of one core, and how many probes were asked and failed."""
    asked = failed = 0

    def note(kind: Kind, result: Result | ExecutorError, *, first: bool) -> None:
        del kind, first
        nonlocal asked, failed
        asked += 1
        failed += not isinstance(result, Result) or not result.ok

    async def no_command(_: Exec, __: float | None) -> None:
        raise AssertionError

    means = Means()
    reach = Reach(lambda: [ADDRESS], lambda: -1, no_command, lambda: True)  # type: ignore[arg-type]
    verdicts: list[Verdict] = []
    probers = [Prober(probes, reach, means, verdicts.append, note) for _ in range(pods)]
    for prober in probers:
        prober.start()
    await asyncio.sleep(PERIOD_S / 2)  # between two rounds, and what is loaded only once is loaded
    cpu_s, begun_s, before = time.process_time(), time.monotonic(), asked
    await asyncio.sleep(PERIOD_S * periods)
    used_s, took_s = time.process_time() - cpu_s, time.monotonic() - begun_s
    for prober in probers:
        prober.close()
    count = asked - before
    return {
        "percent": round(100 * used_s / took_s, 2),
        "ms_each": round(1e3 * used_s / max(1, count), 3),
        "probes": count,
        "failed": failed,
    }


def rows(periods: int) -> dict[str, dict[str, float]]:
    """What each kind of probes costs, by its name."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    web, health = ours.recv()

    def every(action: HttpGet | TcpSocket | Grpc) -> Probe:
        return Probe(action, period_s=PERIOD_S, timeout_s=5.0)

    http, tcp = every(HttpGet(web, "/healthz", host=ADDRESS)), every(TcpSocket(web))
    kinds = {
        "three httpGet": Probes(liveness=http, readiness=http, health=http),
        "two httpGet, one tcpSocket": Probes(liveness=http, readiness=http, health=tcp),
        "three grpc": Probes(*[None], *[every(Grpc(health))] * 3),
    }
    found = {name: asyncio.run(measure(probes, PODS, periods)) for name, probes in kinds.items()}
    server.terminate()
    return found


def report(tell: Callable[[str], None]) -> Report:
    """The same as figures, and what a command costs (tests/bench/commands.py)."""
    found = Report()
    for name, row in rows(1).items():
        found.figures[f"probes of {PODS} pods, {name}, % of a core"] = Figure.of([row["percent"]])
        found.figures[f"one probe of {name}, ms of CPU"] = Computed(
            (row["ms_each"],), row["ms_each"], row["ms_each"], int(row["probes"])
        )
        if row["failed"]:
            raise RuntimeError(f"{row['failed']:g} probes failed: {name}")
    with PrivateContainerd() as containerd, tempfile.TemporaryDirectory() as directory:
        cost = asyncio.run(commands.measure(containerd, Path(directory)))
    for name, words in (("executor_ms", "in the executor"), ("node_ms", "in containerd, its shim and runc")):
        value = cost[name]
        found.figures[f"one exec probe {words}, ms of CPU"] = Computed((value,), value, value, commands.COUNT)
    for name, figure in found.figures.items():
        tell(f"{name}: {figure}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--periods", type=int, default=3, help="of 10 s, for each row")
    print(json.dumps(rows(parser.parse_args().periods), indent=1))


if __name__ == "__main__":
    main()
