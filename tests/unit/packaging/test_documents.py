"""What documents name is there: files, packages, suites, commands, keys of the configuration, events, metrics."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from executor.cli.main import root
from executor.config import Config
from executor.config.role_policy import RolePolicy
from executor.log.codes import CODES
from executor.metrics import catalog
from tests.support.sources import ROOT
from tests.support.suites import SUITES

DOCUMENTS = sorted([*ROOT.glob("packaging/doc/*.md"), *ROOT.glob(".github/*.md"), ROOT / "README.md"])
KERNEL_FILES = {"cgroup.events", "cgroup.kill", "cgroup.procs", "cgroup.subtree_control"}
ISOLATORS = {"cgroups/cpu", "cgroups/mem"}
"""Of Mesos, which look like files of the package cgroups."""
LABELS = {"dns.names", "dns.namespace", "revocation.reason", "revocation.grace_s", "revocation.freed"}
"""Labels of statuses, which look like events."""
GONE = {("pods", "allow_privileged")}
"""Keys that documents say are gone."""


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@functools.cache
def keys() -> dict[str, set[str]]:
    config = Config()
    found = {section.name: {key.name for key in fields(getattr(config, section.name))} for section in fields(config)}
    found["policy"] |= {key.name for key in fields(RolePolicy)}
    return found


def named_files(path: Path) -> Iterator[str]:
    """`executor/pod/`, `tests/unit/x.py`, packaging/doc/x.md."""
    for match in re.finditer(r"(?<![\w./-])((?:executor|cgroups|tests|packaging|\.github)/[\w./-]*[\w/])", text(path)):
        yield match[1]


def test_files_that_are_named_are_there(document: Path) -> None:
    missing = sorted(name for name in set(named_files(document)) - ISOLATORS if not (ROOT / name).exists())
    assert not missing


def test_files_beside_one_that_is_named_are_there() -> None:
    """ "`a/b/x.py` and `y.py`": the second is in a/b, too."""
    missing = []
    for line in text(ROOT / ".github/CONTRIBUTING.md").splitlines():
        directory = None
        for name in re.findall(r"`([\w./]+\.py)`", line):
            if "/" in name:
                directory = Path(name).parent
            elif directory is not None and not (ROOT / directory / name).exists():
                missing.append(f"{directory}/{name}")
    assert not missing


def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#]+)", text(document))
    assert not [link for link in links if not (document.parent / link).exists()]


def test_commands_are_there(document: Path) -> None:
    commands = set(
        re.findall(
            r"(?:^|`)mesos-pod-executor(?: --[\w-]+(?:[ =][A-Z]+)?)* (?!is )([a-z][a-z-]+)\b", text(document), re.M
        )
    )
    assert not commands - set(root.list_commands(click.Context(root)))


def test_keys_of_the_configuration_are_there(document: Path) -> None:
    named = set(re.findall(r"\[([a-z]+)\] `?([a-z]+_[a-z_]+)", text(document)))
    assert not {(section, key) for section, key in named - GONE if section in keys() and key not in keys()[section]}


def test_events_are_there(document: Path) -> None:
    """A name with a point in backticks, in front of which an event's name can stand."""
    first = {code.partition(".")[0] for code in CODES}
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", text(document)))
    doctor = {
        name for path in ROOT.glob("executor/doctor/*.py") for name in re.findall(r'"([a-z]+\.[a-z_]+)"', text(path))
    }
    known = {
        *CODES,
        *LABELS,
        *KERNEL_FILES,
        *doctor,
        *(f"{section}.{key}" for section, some in keys().items() for key in some),
    }
    suffixes = {"md", "py", "toml", "json", "jsonl", "log", "conf", "timer", "service"}
    assert not {
        name for name in named - known if name.partition(".")[0] in first and name.partition(".")[2] not in suffixes
    }


def test_metrics_are_there(document: Path) -> None:
    named = set(re.findall(r"`(?:mesos_pod_executor_)?([a-z_]+_(?:total|seconds|bytes_total))[`{]", text(document)))
    known = {metric.name.removeprefix("mesos_pod_executor_") for metric in catalog.ALL}
    assert not named - known - {f"{name}_total" for name in known}


def test_the_table_of_packages_is_whole() -> None:
    table = text(ROOT / "packaging/doc/architecture.md").partition("## The packages")[2].partition("\n## ")[0]
    named = [name for row in re.findall(r"^\| (`.*?`) \|", table, re.M) for name in re.findall(r"`(\w+)`", row)]
    there = sorted(path.parent.name for path in (ROOT / "executor").glob("*/__init__.py"))
    assert sorted(named) == there


def test_the_table_of_suites_is_whole() -> None:
    table = text(ROOT / ".github/CONTRIBUTING.md").partition("## Suites")[2].partition("\n## ")[0]
    named = [
        name for row in re.findall(r"^\| (`tests/run.*?) \|", table, re.M) for name in re.findall(r"`([^`]+)`", row)
    ]
    told = {name.removeprefix("tests/run ") for name in named}
    assert told == {suite.name for suite in SUITES if suite.exists}


def test_the_checkout_begins_with_files_that_have_a_purpose() -> None:
    """A measurement that was written into it by mistake is committed as easily."""
    names = {path.name for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")}
    assert names == {"LICENSE", "README.md", "pyproject.toml"}
