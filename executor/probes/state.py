"""What the results of a container's probes mean: `take(state, kind, result, age_s) -> (state, verdict)`. Pure.

    startup    unknown until it has passed once; the other two of Kubernetes' wait for that
    liveness   good from the start
    readiness  not ready from the start
    health     unknown until its first result; failures before the first success do not count in its grace
    check      a value that is only reported

A result counts when it came as often in a row as its threshold demands. A verdict is a value that has changed,
or that the container has to end; after the latter no result is taken any more. Each run of a container has a new state.

Sources: kubelet's pkg/kubelet/prober/worker.go and results/results_manager.go; Mesos' src/checks/health_checker.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from executor.spec.probes import Kind, Probes


@dataclass(frozen=True)
class Result:
    """The result of one probe that could be asked. `value` is for a check: an exit code, an HTTP status, or whether a
    connection was made; None without an answer.
    """

    ok: bool
    message: str = ""
    value: int | bool | None = None


@dataclass(frozen=True)
class Verdict:
    """`ok` is what the probe says from now on; `fatal`: the container has to end."""

    kind: Kind
    ok: bool
    fatal: bool = False
    message: str = ""
    value: int | bool | None = None
    failures: int = 0
    """In a row."""


@dataclass(frozen=True)
class Run:
    """Equal results in a row."""

    ok: bool | None = None
    length: int = 0


@dataclass(frozen=True)
class State:
    probes: Probes
    values: Mapping[Kind, bool | int | None]
    """What each probe says: whether it passed, or a check's value; None: not known yet."""
    runs: Mapping[Kind, Run] = field(default_factory=dict)
    passed: frozenset[Kind] = frozenset()
    """Probes with one success."""
    over: bool = False
    """A probe has ended the container."""

    @property
    def started(self) -> bool:
        """Whether the startup probe has succeeded, or there is none."""
        return self.probes.startup is None or self.values[Kind.STARTUP] is True

    @property
    def ready(self) -> bool:
        """Whether Kubernetes would send it traffic."""
        return self.started and (self.probes.readiness is None or self.values[Kind.READINESS] is True)

    def is_due(self, kind: Kind) -> bool:
        """Whether the probe is to be asked at all now."""
        if self.over:
            return False
        if kind is Kind.STARTUP:
            return not self.started
        return self.started or kind in (Kind.HEALTH, Kind.CHECK)


_AT_START: dict[Kind, bool | None] = {Kind.LIVENESS: True, Kind.READINESS: False}


def begin(probes: Probes) -> State:
    """The state of a container that has just started."""
    return State(probes, {kind: _AT_START.get(kind) for kind, _ in probes})


def take(state: State, kind: Kind, result: Result, age_s: float) -> tuple[State, Verdict | None]:
    """The state after a result, and what has changed. `age_s` since the start of the container. A result that came
    after the end of its probe changes nothing.
    """
    probe = state.probes.of(kind)
    if probe is None or not state.is_due(kind):
        return state, None
    if kind is Kind.CHECK:
        return _check(state, result)
    if not result.ok and kind not in state.passed and age_s < probe.ignore_failures_s:
        return state, None
    before = state.runs.get(kind, Run())
    run = Run(result.ok, before.length + 1 if before.ok is result.ok else 1)
    fatal = not result.ok and probe.fatal_failures is not None and run.length >= probe.fatal_failures
    enough = run.length >= (probe.success_threshold if result.ok else probe.failure_threshold)
    changed = enough and state.values[kind] is not result.ok
    state = replace(
        state,
        runs={**state.runs, kind: run},
        values={**state.values, kind: result.ok} if enough else state.values,
        passed=state.passed | {kind} if result.ok else state.passed,
        over=fatal,
    )
    if not changed and not fatal:
        return state, None
    failures = 0 if result.ok else run.length
    return state, Verdict(kind, result.ok, fatal, result.message, failures=failures)


def _check(state: State, result: Result) -> tuple[State, Verdict | None]:
    if state.values[Kind.CHECK] == result.value and type(state.values[Kind.CHECK]) is type(result.value):
        return state, None
    state = replace(state, values={**state.values, Kind.CHECK: result.value})
    return state, Verdict(Kind.CHECK, result.ok, message=result.message, value=result.value)
