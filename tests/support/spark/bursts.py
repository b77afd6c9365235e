"""A Spark application that computes in bursts and is idle between them: `python3 bursts.py '{"master": ..., ...}'`.

For each line of standard input it runs one burst, and answers with one line of JSON: when the burst began and ended
(CLOCK_BOOTTIME, seconds), and how long each stage took (seconds). Between bursts Spark's dynamic allocation ends its
executors. Standard library and pyspark only; `_burn` runs in Spark's executors.

The argument: `master`; `settings` (Spark's); `executors`; `tasks` of a stage; `loops` of one task.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

REGISTERED_S = 60.0


def main(plan: dict[str, Any]) -> None:
    from pyspark import SparkConf, SparkContext  # type: ignore[import-not-found]  # of its own directory, not the venv

    configuration = SparkConf().setMaster(plan["master"]).setAppName("bursts").setAll(list(plan["settings"].items()))
    context = SparkContext(conf=configuration)
    try:
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(_burst(context, plan)), flush=True)
    finally:
        context.stop()


def _burst(context: Any, plan: dict[str, Any]) -> dict[str, Any]:
    """First work that has Spark ask for its executors, until all of them are there; then the stages that count."""
    began_s = _now_s()
    while True:
        _stages(context, plan["tasks"], plan["loops"] // 10)
        if _executors(context) >= plan["executors"]:
            break
        if _now_s() > began_s + REGISTERED_S:
            raise TimeoutError(f"Spark has {_executors(context)} executors only")
    all_s = _now_s()
    before = _last_stage(context)
    _stages(context, plan["tasks"], plan["loops"])
    ended_s = _now_s()
    stages = [
        round((stage.completionTime().get().getTime() - stage.firstTaskLaunchedTime().get().getTime()) / 1000, 3)
        for stage in _completed(context)
        if stage.stageId() > before
    ]
    return {"began_s": began_s, "all_s": all_s, "ended_s": ended_s, "stages_s": stages}


def _stages(context: Any, tasks: int, loops: int) -> None:
    """One stage that computes, one that reduces."""

    def burn(number: int) -> tuple[int, int]:
        total = 0
        for step in range(loops):
            total += step * step % 7
        return number % 2, total

    context.parallelize(range(tasks), tasks).map(burn).reduceByKey(lambda one, other: one + other, 2).collect()


def _executors(context: Any) -> int:
    """How many are registered; Spark counts its driver too."""
    return len(context._jsc.sc().statusTracker().getExecutorInfos()) - 1


def _completed(context: Any) -> list[Any]:
    quantiles, statuses = context._gateway.new_array(context._jvm.double, 0), context._jvm.java.util.ArrayList()
    found = context._jsc.sc().statusStore().stageList(None, False, False, quantiles, statuses)
    stages = [found.apply(number) for number in range(found.size())]
    return [stage for stage in stages if stage.completionTime().isDefined() and stage.numCompleteTasks()]


def _last_stage(context: Any) -> int:
    return max((int(stage.stageId()) for stage in _completed(context)), default=-1)


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
