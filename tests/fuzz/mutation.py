"""How one input becomes another: a JSON document by its structure, everything else by its bytes. Pure for a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Path = list[tuple[Any, Any]]
"""For each value on the way: what holds it, and its key there."""
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63, -(2**63), 10**400, 0.5, 1e308, -0.0, [], {}, [None],
    {"": None}, [[]], {"a": {}}, "", " ", "/", "..", "../..", "a/b", ".", "-", "*", "0", "-1", "1Gi", "100m", "1e3",
    "1E", "0x10", "9" * 30, "\0", "\ud800", "\n", "\u2028", "é", "a" * 300, "$(A)", "$$", "{}", "[]", "fe80::1%eth0",
    "::", "10.0.0.0/33", "0.0.0.0", "True", "Always", "Never", "latest",
)  # fmt: skip
LARGE_BYTES = 1 << 20


def changed(data: bytes, size: int, seed: int, donors: Sequence[Any]) -> bytes | None:
    """A document with one to four of its values changed; None for what is not JSON. `donors` lend values."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    chance = random.Random(seed)
    holder = [document]
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = _places(holder)
        if not places:
            break
        container, key = chance.choice(places)
        chance.choice(_CHANGES)(container, key, chance, donors, places)
    made = json.dumps(holder[0] if holder else None).encode()
    return made if len(made) <= size else None


def _places(value: Any) -> Path:
    found: Path = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def _replace_by_odd(holder: Any, key: Any, chance: random.Random, _: Sequence[Any], __: Path) -> None:
    holder[key] = json.loads(json.dumps(chance.choice(ODD)))


def _replace_by_donor(holder: Any, key: Any, chance: random.Random, donors: Sequence[Any], _: Path) -> None:
    places = _places([chance.choice(donors)])
    other, at = chance.choice(places)
    if isinstance(holder, dict) and isinstance(other, dict) and at not in holder:
        holder[at] = json.loads(json.dumps(other[at]))
    else:
        holder[key] = json.loads(json.dumps(other[at]))


def _swap(holder: Any, key: Any, chance: random.Random, _: Sequence[Any], places: Path) -> None:
    other, at = chance.choice(places)
    try:
        one, two = json.loads(json.dumps(holder[key])), json.loads(json.dumps(other[at]))
        holder[key], other[at] = two, one
    except (KeyError, IndexError):
        return


def _drop(holder: Any, key: Any, _: random.Random, __: Sequence[Any], ___: Path) -> None:
    del holder[key]


def _repeat(holder: Any, key: Any, chance: random.Random, _: Sequence[Any], __: Path) -> None:
    value = holder[key]
    if isinstance(value, list) and value:
        holder[key] = value * chance.choice((2, 3, 20))
    elif isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(value)))
    elif isinstance(value, str):
        holder[key] = value * chance.choice((2, 100))


def _retype(holder: Any, key: Any, chance: random.Random, _: Sequence[Any], __: Path) -> None:
    value = holder[key]
    made: tuple[Any, ...] = ([value], {"name": value}, json.dumps(value), None)
    holder[key] = chance.choice(made)


_CHANGES: tuple[Callable[[Any, Any, random.Random, Sequence[Any], Path], None], ...] = (
    _replace_by_odd, _replace_by_odd, _replace_by_donor, _replace_by_donor, _swap, _drop, _repeat, _retype,
)  # fmt: skip


def stretched(data: bytes, chance: random.Random) -> bytes:
    """A piece of the input repeated until it has LARGE_BYTES: what is not linear in its length shows."""
    begin = chance.randrange(len(data) or 1)
    end = min(len(data), begin + chance.choice((1, 1, 2, 3, 8, 40, 400)))
    piece = data[begin:end] or b" "
    return data[:begin] + piece * ((LARGE_BYTES - len(data)) // len(piece)) + data[end:]
