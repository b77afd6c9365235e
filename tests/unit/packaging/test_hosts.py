"""hosts.md: each feature has its files on every version of cgroups, and tests that there are."""

from __future__ import annotations

import re

from tests.support.sources import ROOT, python_files

DOCUMENT = ROOT / "packaging/doc/hosts.md"
FILES, SHOWN = "Features by cgroup version", "Tests of the features"
NONE = "none"


def table(heading: str) -> list[list[str]]:
    """The cells of each row of the table below the heading, without its head."""
    _, _, rest = DOCUMENT.read_text().partition(f"## {heading}\n")
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def functions(path: str) -> set[str]:
    """Of a file below tests/."""
    return {each.name for source in python_files() if source.path == f"tests/{path}" for each in source.facts.functions}


def named(row: list[str]) -> list[tuple[str, str]]:
    """Path below tests/ and test, of both columns. Every cell names one, or none."""
    found = []
    for cell, folder in zip(row[1:], ("", "vm/"), strict=True):
        tests = re.findall(r"`([\w/]+\.py)::(\w+)`", cell)
        assert cell == NONE or len(tests) == cell.count("::") > 0, cell
        found += [(f"{folder}{path}", test) for path, test in tests]
    return found


def test_both_tables_have_the_same_features() -> None:
    files, shown = [[row[0] for row in table(heading)] for heading in (FILES, SHOWN)]
    assert files == shown and len(files) > 20
    assert all(len(row) == 4 and all(row) for row in table(FILES))


def test_a_test_that_is_named_is_there() -> None:
    missing = [(path, test) for row in table(SHOWN) for path, test in named(row) if test not in functions(path)]
    assert missing == []


def test_every_test_of_the_machine_is_named() -> None:
    paths = [path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests/vm").glob("test_*.py")]
    there = {(path, test) for path in paths for test in functions(path) if test.startswith("test_")}
    assert there - {each for row in table(SHOWN) for each in named(row)} == set(), f"add them to {DOCUMENT.name}"
