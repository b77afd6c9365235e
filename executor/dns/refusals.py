"""What tasks claim and do not get, logged once for each task as long as it stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from executor.dns.tasks import Key
from executor.log import get_logger

log = get_logger(__name__)

_SHOWN_MAX = 3


class Refusals:
    """Bounded by the tasks that live: `forget` each that ends."""

    def __init__(self) -> None:
        self._told: dict[Key, tuple[str, ...]] = {}

    def tell(self, key: Key, refused: Sequence[str], clashes: Mapping[str, str]) -> None:
        """`refused`: what the status may not claim, in words; `clashes`: names that another role has already."""
        state = (*refused, *clashes)
        if self._told.get(key, ()) == state:
            return
        self._told[key] = state
        if not state:
            del self._told[key]
        if refused:
            text = _shown(refused)
            log.warning(
                "a status claims what it may not", code="dns.refused", framework=key.framework, task=key.task, text=text
            )
        if clashes:
            text = _shown([f"{name} belongs to the role {role}" for name, role in clashes.items()])
            log.warning(
                "names belong to another role", code="dns.clash", framework=key.framework, task=key.task, text=text
            )

    def forget(self, key: Key) -> None:
        """The task has ended."""
        self._told.pop(key, None)


def _shown(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _SHOWN_MAX} more" if len(texts) > _SHOWN_MAX else ""
    return "; ".join(texts[:_SHOWN_MAX]) + more
