"""The shapes of the corpus that are launched: some that have every field together, and every fifth of the others.

.build/venv/bin/python -m tests.pods.sample        their names, sources and fields
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.pods import corpus

EVERY = 5
_FREE = ("labels", "annotations", "nodeSelector", "matchLabels", "limits", "requests")
"""Maps whose keys are the pod's own."""


@dataclass(frozen=True)
class Shape:
    """`name` is a DNS label, and the same in every run."""

    name: str
    source: str
    document: dict[str, Any]


def sample() -> list[Shape]:
    """In the order of the corpus; only what a launch accepts."""
    accepted = [each for each in corpus.read() if each.spec is not None]
    fields = [set(paths(each.document)) for each in accepted]
    chosen = _cover(fields) | set(range(0, len(accepted), EVERY))
    return [Shape(f"shape-{at}", accepted[at].source, accepted[at].document) for at in sorted(chosen)]


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The paths of every field in a document, and of true and false as values; entries of a list are not told apart."""
    if isinstance(value, dict):
        for key, below in value.items():
            place = f"{path}.{key}" if not path.endswith(_FREE) else path
            yield place
            yield from paths(below, place)
    elif isinstance(value, list):
        for each in value:
            yield from paths(each, f"{path}[]")
    elif isinstance(value, bool):
        yield f"{path} = {value}"


def _cover(fields: list[set[str]]) -> set[int]:
    """Few that have every field, the richest first."""
    left, chosen = set[str]().union(*fields), set[int]()
    while left:
        best = max(range(len(fields)), key=lambda at: len(fields[at] & left))
        chosen.add(best)
        left -= fields[best]
    return chosen


if __name__ == "__main__":
    for shape in sample():
        print(shape.name, shape.source, *sorted(set(paths(shape.document))))
