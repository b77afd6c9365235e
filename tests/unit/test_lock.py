"""The lock says exactly what pyproject.toml asks for, and binds every file by its digest."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.sources import ROOT

REQUIREMENTS = ROOT / "packaging/requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENTRY = re.compile(
    r"(?P<name>[a-z0-9.-]+)==(?P<version>[^ ]+)(?: ; [^\\]+?)? \\(?:\n +--hash=sha256:[0-9a-f]{64}(?: \\)?)+"
)
HINT = "packaging/lock writes it anew"


def locked(name: str) -> dict[str, str]:
    """Versions by name; whatever is neither a pinned entry with digests nor a comment fails."""
    text = "".join(
        line for line in (REQUIREMENTS / name).read_text().splitlines(keepends=True) if not line.startswith("#")
    )
    assert ENTRY.sub("", text).split() == [], f"{name} has lines that bind nothing; {HINT}"
    return {match["name"]: match["version"] for match in ENTRY.finditer(text)}


def asked(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[ ;<>=!~\[]", line)[0]) for line in requirements}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_locked() -> None:
    missing = asked(PROJECT["project"]["dependencies"]) - set(locked("runtime.txt"))
    assert not missing, f"{missing} not locked; {HINT}"


def test_every_tool_is_locked() -> None:
    lines = [line for line in (REQUIREMENTS / "dev.in").read_text().splitlines() if line and not line.startswith("#")]
    missing = asked(lines) - set(locked("dev.txt"))
    assert not missing, f"{missing} not locked; {HINT}"


def test_the_build_uses_the_locked_builder() -> None:
    assert PROJECT["build-system"]["requires"] == [f"hatchling=={locked('dev.txt')['hatchling']}"]


def test_both_locks_agree() -> None:
    runtime, dev = locked("runtime.txt"), locked("dev.txt")
    assert {name: dev[name] for name in runtime.keys() & dev.keys()} == {
        name: runtime[name] for name in runtime.keys() & dev.keys()
    }


def test_the_broken_http_parser_stays_out() -> None:
    assert "http-parser" not in locked("runtime.txt"), "packaging/requirements/overrides.in keeps it out"


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_no_registry_is_named(name: str) -> None:
    assert "/" not in (REQUIREMENTS / name).read_text().partition("\n")[2]
