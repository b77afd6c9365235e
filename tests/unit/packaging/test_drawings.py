"""The drawings of the two life cycles are the same in code and architecture.md, and true to states and events."""

from __future__ import annotations

import re
import textwrap
from types import ModuleType

import pytest

from executor.pod.life import container_life, events, lifecycle
from executor.pod.life.model import Phase, State
from tests.support.sources import ROOT

ARCHITECTURE = (ROOT / "packaging/doc/architecture.md").read_text()


def drawing(module: ModuleType) -> str:
    """The indented part of the module's docstring."""
    lines = (module.__doc__ or "").splitlines()
    return textwrap.dedent("\n".join(line for line in lines if line.startswith("    "))).strip()


@pytest.mark.parametrize(("module", "states"), [(lifecycle, State), (container_life, Phase)])
def test_a_drawing_is_true(module: ModuleType, states: type[State | Phase]) -> None:
    drawn = drawing(module)
    assert f"```\n{drawn}\n```" in ARCHITECTURE
    names = {each.name for each in states}
    assert set(re.findall(r"\b[A-Z_]{3,}\b", drawn)) == names
    known = {event.__name__ for _, event in module.TABLE}
    assert set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", drawn)) <= known <= set(vars(events))
