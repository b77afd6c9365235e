"""What a revocation would do, without one: who would go, how long earlier ones took, and, if wanted, an exercise.

The exercise stops all processes of the victims at once and lets them go on at once (cgroup.freeze). It ends nothing;
a pod sees a pause of some milliseconds. It proves that the kernel reaches every victim and no regular pod, and how
fast; it does not say how long dying takes, which is what the history is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cgroups import CgroupError
from executor.errors import CgroupFailure, InvalidRequest
from executor.log import get_logger
from executor.revocation import history

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.revocation.ladder import Ladder
    from executor.revocation.pod import Pod
    from executor.revocation.revoker import Revoker

log = get_logger(__name__)

FREEZE_S = 1.0
"""A group that has not stopped after this time is let go."""


async def rehearse(revoker: Revoker, document: object) -> dict[str, Any]:
    """`document` is a request's, with `exercise` true or false. Raises what a revocation raises before it touches
    anything.
    """
    wanted, exercise = _split(document)
    ladder = revoker.rehearsed(wanted)
    ladder.prove()
    found = {"would": ladder.receipt().document(), "history": history.summary(revoker.receipts())}
    if exercise:
        found["exercise"] = await _exercise(ladder)
    return found


def _split(document: object) -> tuple[object, bool]:
    if not isinstance(document, Mapping):
        return document, False
    exercise = document.get("exercise", False)
    if not isinstance(exercise, bool):
        raise InvalidRequest("must be true or false", subject="revoke.exercise")
    return {key: value for key, value in document.items() if key != "exercise"}, exercise


async def _exercise(ladder: Ladder) -> dict[str, Any]:
    victims = ladder.alive
    targets = ladder.targets(victims)
    found = await asyncio.to_thread(_stop_and_go, targets, ladder.regular)
    log.info(
        "a revocation was rehearsed",
        code="revocation.exercise",
        victims=len(victims),
        outcome="all stopped" if found["all_stopped"] else "not all stopped",
        duration_ms=found["paused_ms"],
    )
    return {"pods": len(victims), **found}


def _stop_and_go(targets: Iterable[Cgroup], regular: Iterable[Pod]) -> dict[str, Any]:
    """Stop the processes and let them go on. Raises CgroupFailure; no process stays stopped, also after an error."""
    begin = time.monotonic()
    stopped: list[bool] = []
    try:
        try:
            stopped += [target.freeze(FREEZE_S) for target in targets]
        finally:
            stop_ms = _since(begin)
            untouched = not any(pod.cgroup.is_frozen() for pod in regular)
            processes = sum(len(target.listed()) for target in targets)
            for target in targets:
                with contextlib.suppress(CgroupError):
                    target.thaw()
    except CgroupError as error:
        raise CgroupFailure(str(error), subject=error.path or "") from error
    return {
        "all_stopped": all(stopped),
        "processes": processes,
        "stop_ms": stop_ms,
        "paused_ms": _since(begin),
        "regular_untouched": untouched,
    }


def _since(begin: float) -> float:
    return round((time.monotonic() - begin) * 1e3, 1)
