"""The probes of one container, with a real clock and periods of a tenth of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from executor.errors import ContainerdFailure, ExecutorError, TimedOut
from executor.exec.run import Result as Ended
from executor.probes.ask import LOOPBACK, Means, Reach, ask, place
from executor.probes.prober import Prober
from executor.probes.spacing import Spacing
from executor.probes.state import Result, Verdict
from executor.spec.probes import Exec, Grpc, HttpGet, Kind, Probe, Probes, TcpSocket
from tests.unit.probes.servers import fixed, serving

GOOD, MISSING = Exec(("true",)), Exec(("missing",))
PERIOD_S = 0.1


class Container:
    """Its commands end as `exit_codes` says, by name; a name that is not there cannot be run."""

    def __init__(self, **exit_codes: int) -> None:
        self.exit_codes = exit_codes
        self.ends = False
        self.runs: list[tuple[str, float]] = []
        self.verdicts: list[Verdict] = []
        self.notes: list[tuple[Kind, bool | None, bool]] = []

    async def run(self, action: Exec, timeout_s: float | None) -> Ended:
        name = action.command[0]
        self.runs.append((name, asyncio.get_running_loop().time()))
        if name not in self.exit_codes:
            raise ContainerdFailure("no such program", subject=name)
        return Ended(self.exit_codes[name], "what it wrote\n")

    def reach(self) -> Reach:
        return Reach(lambda: [LOOPBACK], lambda: -1, self.run, lambda: not self.ends)

    def tell(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)

    def note(self, kind: Kind, result: Result | ExecutorError, *, first: bool) -> None:
        self.notes.append((kind, result.ok if isinstance(result, Result) else None, first))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 what is waited for has no event
                await asyncio.sleep(0.01)


def probe(name: str, **timings: object) -> Probe:
    return Probe(Exec((name,)), **{"period_s": PERIOD_S, **timings})  # type: ignore[arg-type]


def probing(container: Container, **probes: Probe) -> Prober:
    means = Means(command_spacing=Spacing(0.0))
    prober = Prober(Probes(**probes), container.reach(), means, container.tell, container.note)
    prober.start()
    return prober


async def test_readiness_comes_and_goes() -> None:
    container = Container(ready=1)
    prober = probing(container, readiness=probe("ready", failure_threshold=2))
    await container.until(lambda: len(container.runs) > 3)
    assert not container.verdicts
    container.exit_codes["ready"] = 0
    await container.until(lambda: prober.state.ready)
    container.exit_codes["ready"] = 7
    await container.until(lambda: not prober.state.ready)
    assert [each.ok for each in container.verdicts] == [True, False]
    assert container.verdicts[-1].failures == 2
    assert container.verdicts[-1].message == "the command exited with status 7: what it wrote"
    prober.close()


@pytest.mark.parametrize("name", ["missing", "killed"])
@pytest.mark.parametrize("kind", ["health", "liveness"])
async def test_a_failure_of_a_container_that_ends_says_nothing(kind: str, name: str) -> None:
    """Its command cannot be run any more, or is killed with it: the container's own exit code decides."""
    container = Container(killed=137)
    container.ends = True
    prober = probing(container, **{kind: probe(name, fatal_failures=1)})
    await container.until(lambda: len(container.runs) > 1)
    assert not container.verdicts and not container.notes
    container.ends, container.exit_codes["missing"] = False, 1
    await container.until(lambda: bool(container.verdicts))
    assert container.verdicts[0].fatal
    prober.close()


async def test_the_startup_probe_holds_the_others_back_and_ends() -> None:
    container = Container(up=1, live=0, ready=0)
    prober = probing(
        container, startup=probe("up", failure_threshold=99), liveness=probe("live"), readiness=probe("ready")
    )
    await container.until(lambda: len(container.runs) >= 3)
    assert {name for name, _ in container.runs} == {"up"}
    container.exit_codes["up"] = 0
    await container.until(lambda: prober.state.ready)
    seen = len(container.runs)
    await container.until(lambda: len(container.runs) >= seen + 4)
    assert {name for name, _ in container.runs[seen:]} == {"live", "ready"}
    assert [(each.kind, each.ok) for each in container.verdicts] == [(Kind.STARTUP, True), (Kind.READINESS, True)]
    prober.close()


async def test_after_a_fatal_verdict_nothing_is_asked_any_more() -> None:
    container = Container(live=1, ready=0)
    prober = probing(container, liveness=probe("live", failure_threshold=3, fatal_failures=3), readiness=probe("ready"))
    await container.until(lambda: any(each.fatal for each in container.verdicts))
    asked = len(container.runs)
    assert [name for name, _ in container.runs].count("live") == 3
    await asyncio.sleep(3 * PERIOD_S)
    assert len(container.runs) == asked
    prober.close()


async def test_the_first_probe_waits_for_its_delay_and_others_follow_in_the_period() -> None:
    container = Container(live=0)
    begin = asyncio.get_running_loop().time()
    prober = probing(container, liveness=probe("live", initial_delay_s=0.5))
    await container.until(lambda: len(container.runs) >= 4)
    times = [at - begin for _, at in container.runs]
    assert times[0] >= 0.5
    for number, at in enumerate(times):
        assert at >= 0.5 + number * PERIOD_S - 0.001
    prober.close()


async def test_a_question_that_cannot_be_asked_says_nothing_to_kubernetes_and_fails_for_mesos() -> None:
    container = Container()
    prober = probing(
        container,
        liveness=probe("live", failure_threshold=1, fatal_failures=1),
        health=probe("health", failure_threshold=1, fatal_failures=3),
    )
    await container.until(lambda: any(each.fatal for each in container.verdicts))
    assert {each.kind for each in container.verdicts} == {Kind.HEALTH}
    assert sum(first for kind, _, first in container.notes if kind is Kind.LIVENESS) == 1
    prober.close()


async def test_no_verdict_comes_after_close() -> None:
    container = Container(ready=0)
    prober = probing(container, readiness=probe("ready", initial_delay_s=0.2))
    prober.close()
    await asyncio.sleep(0.4)
    assert not container.runs and not container.verdicts


async def test_a_command_that_takes_too_long_is_a_failure() -> None:
    async def run(_: Exec, timeout_s: float | None) -> Ended:
        raise TimedOut("too long")

    result = await ask(GOOD, 1.0, Reach(list, lambda: -1, run, lambda: True), Means())
    assert result == Result(ok=False, message="no answer within 1 s")


async def test_silence_ends_with_the_time_limit() -> None:
    async def silent(_: str, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    container = Container()
    reach = Reach(lambda: ["127.0.0.2"], lambda: -1, container.run, lambda: True)
    async with serving(silent) as seen:
        begin = asyncio.get_running_loop().time()
        result = await ask(HttpGet(seen.port, host="0.0.0.0"), 0.3, reach, Means())
        assert result.message == "no answer within 0.3 s"
        assert asyncio.get_running_loop().time() - begin < 5


async def test_one_that_hangs_keeps_no_other_waiting() -> None:
    async def silent(_: str, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    container, means = Container(), Means()
    reach = Reach(lambda: ["0.0.0.0"], lambda: -1, container.run, lambda: True)
    async with serving(silent) as hung, serving(fixed("HTTP/1.1 200 OK\nContent-Length: 0")) as good:
        hanging = [asyncio.create_task(ask(HttpGet(hung.port), 30, reach, means)) for _ in range(50)]
        await asyncio.sleep(0.2)
        assert (await ask(HttpGet(good.port), 10, reach, means)).ok
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "LOCALHOST."])
def test_a_loopback_host_is_the_pods_own(host: str) -> None:
    reach = Reach(lambda: ["10.0.0.5"], lambda: 7, Container().run, lambda: True)
    for action in (HttpGet(80, host=host), TcpSocket(80, host), TcpSocket(80, loopback="127.0.0.1")):
        found = place(action, reach)
        assert found.open_namespace is not None and found.host in (host, LOOPBACK)


def test_without_a_host_the_pods_address_is_asked_or_its_loopback() -> None:
    reach = Reach(lambda: ["10.0.0.5", "fd00::5"], lambda: 7, Container().run, lambda: True)
    assert (place(Grpc(80), reach).host, place(Grpc(80), reach).open_namespace) == ("10.0.0.5", None)
    assert place(HttpGet(80, host="db.example"), reach).host == "db.example"
    bare = Reach(list, lambda: 7, Container().run, lambda: True)
    found = place(TcpSocket(80), bare)
    assert found.host == LOOPBACK and found.open_namespace is not None
