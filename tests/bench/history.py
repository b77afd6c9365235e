"""A file of earlier runs, a line of JSON each: what a run is compared with."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LAST = 10
"""So many of the latest runs of the same kind are compared with."""
WORSE = 1.15
"""A value above that many times the median of the earlier ones, and above their highest, is a regression."""


def append(path: Path, run: Mapping[str, Any]) -> None:
    """Raises OSError."""
    with path.open("a") as file:
        file.write(json.dumps(run) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """Raises OSError, and ValueError that names the line."""
    runs = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            run = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: a line of a history is one JSON object: {error}") from error
        has_targets = isinstance(run, dict) and isinstance(run.get("targets"), dict)
        if not has_targets:
            raise ValueError(f"{path}:{number}: a line of a history is one JSON object with `targets`")
        runs.append(run)
    return runs


def regressions(run: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each target that is worse than in the latest runs of the same kind that could be judged."""
    alike = [each for each in earlier if each.get("quick") == run.get("quick")][-LAST:]
    found = []
    for name, target in run["targets"].items():
        value = target["value"]
        known = [each["targets"][name] for each in alike if name in each["targets"]]
        values = [each["value"] for each in known if each["value"] is not None and each["met"] is not None]
        if value is None or target["met"] is None or not values:
            continue
        usual = statistics.median(values)
        if target.get("at_least"):
            if value < min(usual / WORSE, *values):
                found.append(f"{name}: {value:g}, in {len(values)} earlier runs {usual:g} ({min(values):g} at least)")
        elif value > max(WORSE * usual, *values):
            found.append(f"{name}: {value:g}, in {len(values)} earlier runs {usual:g} ({max(values):g} at most)")
    return found
