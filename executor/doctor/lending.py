"""Whether the executors of a node that lends protect the owners while the lender is dead."""

from __future__ import annotations

from executor.config import Config
from executor.doctor.finding import Finding, passed, warned


def check(config: Config) -> list[Finding]:
    """No finding where this node lends nothing. Pure."""
    if not config.lending.owners:
        return []
    if config.pressure.enabled:
        return [passed("lending.pressure", "the executors take CPUs and memory back while the lender is dead")]
    text = "[pressure] is off: while the lender is dead, nothing takes CPUs and memory back for their owner"
    return [warned("lending.pressure", text, "[pressure] enabled = true")]
