"""What the turns of a run add up to, and the targets. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from executor.revocation.history import percentiles
from tests.lending.proof.usage import KINDS, Sample
from tests.support.load import percentile

CORES: Final = 2
"""The cores of the two agents, as many as the machine has."""
STAGES_RATIO: Final = 1.03


@dataclass(frozen=True)
class Turn:
    """One idle phase of the owner and the burst after it. Times are CLOCK_BOOTTIME in seconds; `freed_s` and
    `process_s` have one for each agent.
    """

    lending: bool
    began_s: float
    burst_s: float
    """When Spark's job began."""
    all_s: float
    """When all of Spark's executors were registered."""
    done_s: float
    """When the burst was computed."""
    ended_s: float
    """When Spark's executors had ended."""
    stages_s: tuple[float, ...]
    command_s: tuple[float, ...]
    """The first process of Spark's task, a script that starts the executor."""
    process_s: tuple[float, ...]
    """The process of Spark's executor."""
    asked_s: tuple[float, ...] = ()
    """When the lender asked for the loans."""
    freed_s: tuple[float, ...] = ()
    """When the last one had ended, by the executor's receipt."""
    worked_s: float = 0.0
    """Work of the revocable pods, from their start to their last checkpoint, summed."""
    lost_s: float = 0.0
    """From the last checkpoint to the end, summed."""
    latencies_ms: tuple[float, ...] = ()
    """The latencies of a regular pod's requests."""

    @property
    def margins_ms(self) -> list[float]:
        """How long before its executor's process each agent's cpus were back."""
        return [(process - freed) * 1000 for process, freed in zip(self.process_s, self.freed_s, strict=True)]

    @property
    def command_margins_ms(self) -> list[float]:
        """The same before the first process of its task."""
        return [(command - freed) * 1000 for command, freed in zip(self.command_s, self.freed_s, strict=True)]


@dataclass
class Run:
    turns: list[Turn] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def of(self, *, lending: bool) -> list[Turn]:
        return [turn for turn in self.turns if turn.lending is lending]


MACHINE: Final = "others"


def used_s(samples: Sequence[Sample], begin_s: float, end_s: float) -> dict[str, float]:
    """CPU seconds of each kind between these times, and of all other processes of the machine."""
    within = [sample for sample in samples if begin_s <= sample.at_s <= end_s]
    if len(within) < 2:
        return dict.fromkeys((*KINDS, MACHINE), 0.0)
    first, last = within[0], within[-1]
    found = {kind: last.used_s[number] - first.used_s[number] for number, kind in enumerate(KINDS)}
    return found | {MACHINE: max(0.0, last.machine_s - first.machine_s - sum(found.values()))}


def figures(run: Run) -> dict[str, Any]:
    """As `tests/run lending --json` prints them."""
    lent, plain = run.of(lending=True), run.of(lending=False)
    margins = [margin for turn in lent for margin in turn.margins_ms]
    worst = [min(turn.margins_ms) for turn in lent]
    late = sum(margin <= 0 for margin in worst)
    before_command = [margin for turn in lent for margin in turn.command_margins_ms]
    stages = _ratio([sum(turn.stages_s) for turn in lent], [sum(turn.stages_s) for turn in plain])
    whole = _ratio([turn.done_s - turn.burst_s for turn in lent], [turn.done_s - turn.burst_s for turn in plain])
    worked, lost = sum(turn.worked_s for turn in lent), sum(turn.lost_s for turn in lent)
    p99 = {
        name: percentile([ms for turn in turns for ms in turn.latencies_ms], 99)
        for name, turns in (("lending", lent), ("without", plain))
    }
    return {
        "targets": {
            "bursts_with_cpus_back_late": _target(late, 0),
            "spark_stages_vs_without_lending": _target(stages["median"], STAGES_RATIO),
        },
        "bursts": len(lent),
        "bursts_with_cpus_back_before": len(lent) - late,
        "cpus_back_before_process_ms": _spread(margins),
        "cpus_back_before_first_process_of_task_ms": _spread(before_command),
        "bursts_with_cpus_back_before_first_process_of_task": sum(min(turn.command_margins_ms) > 0 for turn in lent),
        "asked_to_back_ms": percentiles(
            [(freed - asked) * 1000 for turn in lent for freed, asked in zip(turn.freed_s, turn.asked_s, strict=True)]
        ),
        "spark_stages_ratio": stages,
        "spark_burst_ratio": whole,
        "first_process_of_task_to_result_s": {"without": _from_task_s(plain), "lending": _from_task_s(lent)},
        "utilisation": {"without": _utilisation(run, plain), "lending": _utilisation(run, lent)},
        "cores_used_in_idle_phases": {"without": _idle(run, plain), "lending": _idle(run, lent)},
        "revocable_work": {
            "worked_s": round(worked, 1),
            "lost_s": round(lost, 1),
            "lost_share": round(lost / (worked + lost), 3) if worked + lost else 0.0,
        },
        "regular_p99_ms": {name: round(value, 2) for name, value in p99.items()},
        "regular_requests": {"lending": _count(lent), "without": _count(plain)},
    }


def _count(turns: Sequence[Turn]) -> int:
    return sum(len(turn.latencies_ms) for turn in turns)


def _from_task_s(turns: Sequence[Turn]) -> float:
    """The median of what a burst took once Spark had launched its executors: when it does depends on Mesos' offers."""
    return round(statistics.median(turn.done_s - max(turn.command_s) for turn in turns), 2)


def _target(value: float, target: float) -> dict[str, Any]:
    return {"value": round(value, 3), "target": target, "met": value <= target}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "min": round(min(values), 1),
        "median": round(statistics.median(values), 1),
        "max": round(max(values), 1),
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Ratios of turns that followed each other: others use the machine too, which ratios of neighbours leave out."""
    ratios = sorted(mine / other for mine, other in zip(ours, theirs, strict=True))
    return {
        "median": round(statistics.median(ratios), 3),
        "least": round(ratios[0], 3),
        "greatest": round(ratios[-1], 3),
        "of_medians": round(statistics.median(ours) / statistics.median(theirs), 3),
    }


def _utilisation(run: Run, turns: Sequence[Turn]) -> dict[str, float]:
    """Shares of the cores that the machine's other processes left."""
    spans = [(used_s(run.samples, turn.began_s, turn.ended_s), turn.ended_s - turn.began_s) for turn in turns]
    others_s = sum(used[MACHINE] for used, _ in spans)
    length_s = sum(span for _, span in spans) * CORES - others_s
    shares = {kind: sum(used[kind] for used, _ in spans) / length_s for kind in KINDS}
    others = others_s / (length_s + others_s)
    return {kind: round(share, 3) for kind, share in shares.items()} | {
        "all": round(sum(shares.values()), 3),
        "cores_used_by_others": round(others * CORES, 2),
    }


def _idle(run: Run, turns: Sequence[Turn]) -> float:
    """Cores that all kinds together used while the owner was idle, in the second half of each idle phase: in the first
    one borrowed pods start.
    """
    spans = [((turn.began_s + turn.burst_s) / 2, turn.burst_s) for turn in turns]
    used = sum(sum(found[kind] for kind in KINDS) for found in (used_s(run.samples, *span) for span in spans))
    return round(used / sum(end - begin for begin, end in spans), 3)
