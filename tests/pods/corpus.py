"""Pods that people have: the shapes of 748 pods of public repositories, and how a launch reads them.

`corpus.jsonl.gz` has one JSON object a line, `source` and `pod`: fields, numbers and the API's words were kept; names,
images, paths and texts are made up. The same shape is there once.

.build/venv/bin/python -m tests.pods.corpus        how many are accepted, and what stops the others
.build/venv/bin/python -m tests.pods.corpus PATH   the pods that this field stops, one JSON document a line
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.config.role_policy import Level, RolePolicy
from executor.errors import InvalidTask
from executor.policy.violations import NodeFacts, violations
from executor.spec.launch import parse_pod
from executor.spec.model import PodSpec
from tests.support.referred import with_referred

FILE = Path(__file__).with_name("corpus.jsonl.gz")


@dataclass(frozen=True)
class Read:
    """One shape; `spec` of an accepted one, `faults` of a refused one."""

    source: str
    document: dict[str, Any]
    spec: PodSpec | None
    faults: tuple[InvalidTask, ...]

    @property
    def blockers(self) -> set[str]:
        """Paths without their indexes."""
        return {re.sub(r"\[\d+\]", "[]", fault.subject) for fault in self.faults}


def shapes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Source and document of each."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            found = json.loads(line)
            yield found["source"], found["pod"]


def read() -> list[Read]:
    """Every shape as a launch with large resources reads it, sent with the objects that it names."""
    return [_read(source, document) for source, document in shapes()]


def _read(source: str, document: dict[str, Any]) -> Read:
    data = base64.b64encode(json.dumps(with_referred(document)).encode()).decode()
    try:
        return Read(source, document, parse_pod(data), ())
    except InvalidTask as error:
        return Read(source, document, None, error.faults)


def table(found: Sequence[Read]) -> str:
    """How many are accepted, and how many of them each level of a policy allows. For each blocker how many pods it
    stops, and how many it stops alone.
    """
    refused = [each for each in found if each.faults]
    stopped = Counter(path for each in refused for path in each.blockers)
    alone = Counter(path for each in refused if len(each.blockers) == 1 for path in each.blockers)
    accepted = len(found) - len(refused)
    lines = [f"{accepted} of {len(found)} shapes are accepted: {100 * accepted / len(found):.1f} %"]
    lines.append(", ".join(f"{level} allows {_allowed(found, level)}" for level in Level))
    lines += [f"{count:5} {alone[path]:5} alone  {path}" for path, count in stopped.most_common()]
    return "\n".join(lines)


def _allowed(found: Sequence[Read], level: Level) -> int:
    """How many of the accepted ones the level allows, on a node with a default network."""
    node = NodeFacts(default_network="any")
    return sum(each.spec is not None and not violations(each.spec, RolePolicy(level), node) for each in found)


def main(arguments: Sequence[str]) -> None:
    found = read()
    if not arguments:
        print(table(found))
        return
    for each in found:
        if arguments[0] in each.blockers:
            print([f"{fault.subject}: {fault.message}" for fault in each.faults], json.dumps(each.document))


if __name__ == "__main__":
    main(sys.argv[1:])
