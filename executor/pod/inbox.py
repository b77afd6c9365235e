"""One pod's inbox: takes events one at a time, asks the life cycle, and hands on the effects.

Knows no adapter. It is never blocked by an effect, so that a Stop is always heard. Owns the pod's timers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from executor.pod.life import lifecycle
from executor.pod.life.container_life import IllegalTransition
from executor.pod.life.effects import After, Effect
from executor.pod.life.events import Event, Launch
from executor.pod.life.model import Pod, State
from executor.pod.pod_log import note_container, note_restarts, note_state

if TYPE_CHECKING:
    from executor.log import Logger
    from executor.spec.model import PodSpec

HOLD_S: Final = 0.5
"""How long a revocation's kill of many pods at once may hold back their own life cycles."""


class Inbox:
    """`phases_ms` is how long each phase of the launch took, for the log. `after_hold` spreads the pods of which one
    kill is over.
    """

    def __init__(
        self, spec: PodSpec, log: Logger, phases_ms: Mapping[str, float], after_hold: Callable[[], Awaitable[None]]
    ) -> None:
        self.pod: Pod = lifecycle.begin(spec)
        self._log, self._phases_ms, self._after_hold = log, phases_ms, after_hold
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._timers: set[asyncio.TimerHandle] = set()
        self._begun_s = time.monotonic()
        self._held_until: asyncio.Event | None = None
        self._was_held = False
        self.post(Launch())  # here, so that no Stop can come before it

    @property
    def age_s(self) -> float:
        """Since the launch came; the node's clock may be set meanwhile."""
        return time.monotonic() - self._begun_s

    @property
    def is_ending(self) -> bool:
        """Whether the pod was asked to end, or is being killed with others."""
        return self.pod.stop is not None or self._held_until is not None

    def post(self, event: Event) -> None:
        """Put an event at the end of the queue."""
        self._events.put_nowait(event)

    def hold(self, until: asyncio.Event) -> None:
        """Take no event before `until` is set, HOLD_S at most: the victims of one kill need the CPU to end."""
        self._held_until = until

    async def run(self, perform: Callable[[Effect], None]) -> None:
        """From Launch to ENDED; `perform` begins an effect and returns."""
        try:
            while self.pod.state is not State.ENDED:
                event = await self._events.get()
                await self._wait_while_held()
                self._take(event, perform)
        finally:
            for timer in self._timers:
                timer.cancel()

    async def _wait_while_held(self) -> None:
        if self._held_until is None or self._was_held:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S):
                await self._held_until.wait()
        await self._after_hold()
        self._was_held = True

    def _take(self, event: Event, perform: Callable[[Effect], None]) -> None:
        before = self.pod
        note_container(self._log, event)
        try:
            self.pod, effects = lifecycle.step(self.pod, event)
        except IllegalTransition as error:
            self._log.error("illegal transition", code="pod.illegal_transition", error=str(error))
            return
        note_restarts(self._log, before, self.pod)
        if self.pod.state is not before.state:
            note_state(self._log, self.pod, self.age_s, self._phases_ms)
        for effect in effects:
            if isinstance(effect, After):
                self._after(effect)
            else:
                perform(effect)

    def _after(self, effect: After) -> None:
        if effect.delay_s <= 0:
            self.post(effect.event)
            return

        def due() -> None:
            self._timers.discard(timer)
            self.post(effect.event)

        timer: asyncio.TimerHandle = asyncio.get_running_loop().call_later(effect.delay_s, due)
        self._timers.add(timer)
