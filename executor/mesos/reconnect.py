"""When to try to subscribe again, and when to give up. Pure: times and randomness come in.

After its restart an agent waits MESOS_SUBSCRIPTION_BACKOFF_MAX (its --executor_reregistration_timeout, 2 s by default)
for an executor to subscribe again, then kills it. So the first try is nearly immediate and no pause is longer than half
of that: one try always falls into the agent's wait. An executor waits MESOS_RECOVERY_TIMEOUT for its agent if the
framework checkpoints, and not at all if not (src/executor/executor.cpp).
"""

from __future__ import annotations

FIRST_PAUSE_S = 0.1
STEADY_S = 1.0
REGISTRATION_S = 60.0
"""The agent's default --executor_registration_timeout: how long a first subscription is tried. No pod runs yet."""


class Reconnect:
    def __init__(
        self, now_s: float, *, checkpoint: bool, recovery_timeout_s: float, subscription_backoff_max_s: float
    ) -> None:
        self._checkpoint = checkpoint
        self._recovery_timeout_s = recovery_timeout_s
        self._pause_max_s = subscription_backoff_max_s / 2
        self._since_s = now_s
        self._subscribed_at_s: float | None = None
        self._ever = False
        self._attempt = 0

    @property
    def attempt(self) -> int:
        """Tries since the agent was lost."""
        return self._attempt

    @property
    def limit_s(self) -> float:
        """How long the agent may be away."""
        if self._checkpoint:
            return self._recovery_timeout_s
        return 0.0 if self._ever else REGISTRATION_S

    def away_s(self, now_s: float) -> float:
        """How long the agent has been away."""
        return now_s - self._since_s

    def subscribed(self, now_s: float) -> None:
        """The agent has taken the subscription."""
        self._subscribed_at_s = now_s
        self._ever = True

    def answered(self) -> None:
        """The agent is back but not ready (404, 503): its clock is about to start, so the next tries come soon."""
        self._attempt = min(self._attempt, 1)

    def lost(self, now_s: float, random: float) -> float | None:
        """Seconds until the next try, None to give up. Called for a lost subscription and for every failed try.

        `random` lies in [0, 1): executors of one agent do not all come back in the same moment.
        """
        if self._subscribed_at_s is not None:
            # A peer that accepts and breaks at once does not earn an immediate retry each time.
            if now_s - self._subscribed_at_s >= STEADY_S:
                self._attempt = 0
            self._since_s, self._subscribed_at_s = now_s, None
        left_s = self.limit_s - self.away_s(now_s)
        if left_s <= 0:
            return None
        ceiling_s: float = min(self._pause_max_s, FIRST_PAUSE_S * 2 ** min(self._attempt, 20))
        self._attempt += 1
        return min(left_s, random * ceiling_s)
