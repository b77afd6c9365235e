"""The suites of tests/run: which directories each one means, and where and when it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Suite:
    """`paths` below tests/ that exist are run, at least one must. `program` is a module that reports targets: bench has
    nothing else, another suite runs it in the place of its tests with --json or --quick. The sets `prepared` are for a
    program whose suite was named.

    `sandbox`: as root in network, mount and process namespaces of its own. `shared` paths belong to another suite too
    and are left to that one when both run. `parallel`: no test of it needs the machine for itself. `beside`: in a whole
    run it runs at the same time as the suite `integration`, since the tests of both mostly wait. `minutes`: it takes as
    long as `--minutes` says, this long by default; it has Python packages of its own. `machine`: it runs on a
    machine of its own, which tests/support/vm starts. `examples`: how many hypothesis makes of each property, None: its
    default.
    """

    name: str
    paths: tuple[str, ...]
    sandbox: bool = True
    ci: bool = True
    shared: tuple[str, ...] = ()
    parallel: bool = False
    beside: bool = False
    minutes: float | None = None
    machine: bool = False
    program: str = ""
    prepared: tuple[str, ...] = ()
    examples: int | None = None

    @property
    def exists(self) -> bool:
        return bool(self.present())

    @property
    def has_packages(self) -> bool:
        """Whether packaging/prepare has a set of packages for it, Debian's or Python's."""
        lists = ROOT / "packaging/requirements"
        return self.has_own_python or (lists / f"debian-{self.name}.txt").exists()

    def sets(self, *, measured: bool) -> list[str]:
        """What packaging/prepare is to make for it; `measured`: for its program, in the place of its tests."""
        return [*[self.name] * self.has_packages, *(self.prepared if measured else ())]

    @property
    def has_own_python(self) -> bool:
        """Whether it has Python packages beside those of the venv."""
        return self.minutes is not None

    def variables(self, minutes: float | None) -> dict[str, str]:
        """Its own. The packages of a suite that takes as long as one wants are where packaging/prepare puts them."""
        found = {} if self.examples is None else {"MPE_TEST_EXAMPLES": str(self.examples)}
        if self.has_own_python:
            packages = ROOT / ".build" / self.name / "packages"
            found |= {"MPE_TEST_MINUTES": str(minutes or self.minutes), "PYTHONPATH": str(packages)}
        return found

    def present(self) -> list[str]:
        return [f"tests/{path}" for path in self.paths if has_code(ROOT / "tests" / path)]


def has_code(directory: Path) -> bool:
    return any(path.name != "__init__.py" for path in directory.rglob("*.py"))


BENCH = "bench"
INTEGRATION = "integration"

# In the order in which they run without a suite named: the quick and telling ones first.
SUITES = (
    Suite("unit", ("unit",), sandbox=False, parallel=True, examples=25),
    Suite("integration", ("integration", "mesos"), shared=("tests/integration/cni",)),
    Suite("revocation", ("revocation",)),
    Suite("network", ("network", "integration/cni"), beside=True),
    Suite("observability", ("observability",), beside=True),
    Suite("pods", ("pods",), beside=True),
    Suite("crash", ("crash",)),
    Suite("lending", ("lending",), ci=False, program="tests.lending.proof", prepared=("spark", "soak")),
    Suite("spark", ("spark",)),
    Suite("packages", ("packages",), sandbox=False, beside=True),
    Suite("fuzz", ("fuzz",), sandbox=False, beside=True, minutes=2),
    Suite("soak", ("soak",), beside=True, minutes=3),
    Suite("vm", ("vm",), sandbox=False, ci=False, machine=True),
    Suite(BENCH, ("bench",), program="tests.bench", prepared=("bench", "integration")),
    Suite("fresh", ("fresh",), sandbox=False),
)


def known() -> dict[str, Suite]:
    return {suite.name: suite for suite in SUITES if suite.exists}


def default() -> list[Suite]:
    return [suite for suite in known().values() if suite.ci]


def workers() -> list[str]:
    """Options of pytest: four times as many processes as cores, for tests that wait leave a core to others."""
    count = min(16, 4 * len(os.sched_getaffinity(0)))
    return ["-p", "tests.support.forked", f"--processes={count}"]
