"""Who may import whom, and how large things may get: the house's rules that no linter knows.

packages         FLOORS below: a package imports packages of lower floors only, and nothing imports upwards
cgroups          the standard library
pure modules     the standard library without its I/O, and each other; a module says "Pure" in its docstring
adapters         mesos, containerd, cni, netlink, dns: themselves, pure modules (also of other adapters, for their
                 data), and what is common to all; never the I/O of each other
composers        import across
everything else  gets its adapters as arguments; it may import them for their types
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection

import pytest

from tests.support.sources import ROOT, Import, Source, all_files, modules, python_files, sizes

ADAPTERS = ("executor.mesos", "executor.containerd", "executor.cni", "executor.netlink", "executor.dns")
COMPOSERS = (
    "executor.process", "executor.node.reaper", "executor.node.reaping",
    "executor.node.inventory", "executor.images.pulling.worker", "executor.doctor", "executor.cli", "executor.__main__",
)  # fmt: skip
COMMON = {
    "executor", "executor.concurrency", "executor.config", "executor.errors", "executor.exhausted",
    "executor.host_namespace", "executor.log", "executor.names",
}  # fmt: skip

# Decisions are made in these. More modules may call themselves pure, but these must.
MUST_BE_PURE = {
    "executor.errors",
    "executor.names",
    "executor.mesos.environment",
    "executor.mesos.events",
    "executor.lending.book",
    "executor.mesos.operator.holdings",
    "executor.mesos.operator.messages",
    "executor.mesos.resources",
    "executor.mesos.status",
    "executor.pod.life.container_life",
    "executor.pod.exits.causes",
    "executor.pod.life.health",
    "executor.pod.life.lifecycle",
    "executor.pod.life.model",
    "executor.pod.life.order",
    "executor.oci.document",
    "executor.probes.rhythm",
    "executor.probes.state",
    "executor.spec.model",
    "executor.cni.config.conflist",
    "executor.cni.resolver",
    "executor.netlink.comparison",
    "executor.netlink.state",
    "executor.dns.names",
    "executor.dns.tasks",
    "executor.revocation.pressure",
    "executor.revocation.readings",
    "executor.revocation.request",
    "executor.revocation.selection",
}

# A pure module has no clock, no chance and no way out; `os` and `pathlib` are there for the handling of paths.
IMPURE = {
    "asyncio", "concurrent", "ctypes", "fcntl", "glob", "http", "multiprocessing", "random", "secrets", "select",
    "selectors", "shutil", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip

# Libraries that decode values, and do nothing else.
DECODERS = {"msgspec", "yaml", "tomllib"}

# Each library is known to one part, so that it could be replaced there.
LIBRARY_OWNERS = {
    "grpc": ("executor.containerd", "executor.probes.grpc_health"),
    "google": ("executor.containerd",),
    "pymesos": ("executor.mesos",),
    "http_parser": ("executor.mesos",),
    "pyroute2": ("executor.netlink",),
    "click": ("executor.cli",),
    "rich": ("executor.cli",),
    "structlog": ("executor.log",),
    "urllib3": ("executor.images.registry",),
    "prometheus_client": ("executor.metrics",),
}

ARGUED_FILE_LINES = 300
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
# path: why it is better as one
LONG_FILES = {
    "executor/pod/life/lifecycle.py": "the life of a pod is one table, which is read as a whole",
    "executor/node/claims.py": "the lock, its file and what is read from it are one contract",
    "executor/revocation/ladder.py": "the steps of a revocation are one descent, which is read from top to bottom",
    "executor/log/codes.py": "the codes of all events are one list",
    "tests/unit/pod/samples.py": "one document has every field that can be used",
    "packaging/examples/mesos_pods.py": "a scheduler copies one file",
    "tests/mesos/test_default_executor.py": "each test is a row of one document, and they share one agent",
    "tests/support/runner.py": "the test command and its options are one program, which runs before the venv is there",
    "tests/support/rig.py": "the rig is one object that the tests of every suite use",
}

# Words of one machine, which mean nothing to a reader anywhere else; written so that this file has none of them.
FOREIGN_WORDS = (
    "/work/" + "main",
    "/work/" + "shared",
    "dev" + "venv",
    "py" + "env",
    "/tmp/" + "brief",
    "deb.debian" + ".org",
    "py" + "pi.org",
)

# Every package, and every module beside them, from the ground up. What stands on one floor does not know each other.
FLOORS = (
    ("errors", "names", "hostnames", "bounded_json", "bounded_toml", "own_directory", "host_namespace"),
    ("concurrency", "duration", "quantity", "beneath", "helper_process"),
    ("config",),
    ("log",),
    ("exhausted", "mesos", "containerd"),
    ("images",),
    ("spec",),
    ("cni", "dns", "policy", "volumes"),
    ("netlink", "oci", "output", "disk", "exec", "fetching"),
    ("node", "probes"),
    ("pod",),
    ("reporting", "revocation"),
    ("dispatch", "doctor", "lending"),
    ("control",),
    ("metrics", "traces"),
    ("process", "cli"),
    ("__main__",),
)
FLOOR = {f"executor.{name}": number for number, floor in enumerate(FLOORS) for name in floor}


@functools.cache
def executor() -> dict[str, Source]:
    return modules("executor")


@functools.cache
def pure() -> frozenset[str]:
    found = {name for name, source in executor().items() if source.is_pure or not source.imports}
    return frozenset(found | MUST_BE_PURE)


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def standard(imported: Import) -> bool:
    return imported.top in sys.stdlib_module_names


def check(rule: str, sources: Collection[Source], is_wrong: Callable[[Source, Import], bool]) -> None:
    """Every import of `sources` that is wrong, in one message."""
    assert sources, "no module is held to this rule"
    lines = [
        f"{source.path}:{imported.line} imports {imported.module}"
        for source in sources
        for imported in source.imports
        if is_wrong(source, imported)
    ]
    assert not lines, "\n".join([rule, *lines])


def test_cgroups_import_the_standard_library_only() -> None:
    check(
        "cgroups stands alone",
        modules("cgroups").values(),
        lambda _, imported: not standard(imported) and imported.top != "cgroups",
    )


def package(module: str) -> str:
    """`executor.pod` of `executor.pod.runner`; of a module beside the packages, its own name."""
    return ".".join(module.split(".")[:2])


def test_every_package_has_a_floor() -> None:
    assert {package(name) for name in executor() if name != "executor"} == set(FLOOR)


def test_nothing_imports_upwards() -> None:
    """Nor for a type only: two packages that know each other are one."""

    def upwards(source: Source, each: Import) -> bool:
        if each.top != "executor" or each.module == "executor":
            return False
        own, other = package(source.name), package(each.module)
        return own != other and FLOOR[other] >= FLOOR[own]

    check("a package imports lower floors only", [s for n, s in executor().items() if n != "executor"], upwards)


@pytest.mark.parametrize("house", ["executor", "cgroups"])
def test_modules_do_not_import_each_other_in_a_circle(house: str) -> None:
    """Nor for a type only."""
    own = modules(house)
    edges = {name: {each.module for each in source.imports if each.module in own} for name, source in own.items()}
    while leaves := {name for name, below in edges.items() if not below & edges.keys()}:
        edges = {name: below for name, below in edges.items() if name not in leaves}
    assert not edges, f"these import each other: {sorted(edges)}"


def test_the_modules_that_decide_exist() -> None:
    assert not MUST_BE_PURE - set(executor())


def test_pure_modules_reach_nothing() -> None:
    allowed = pure() | DECODERS
    check(
        "a pure module imports the standard library without its I/O, and pure modules",
        [source for name, source in executor().items() if name in pure()],
        lambda _, each: each.top in IMPURE or not (standard(each) or each.module in allowed),
    )


def test_adapters_do_not_know_each_other() -> None:
    def foreign(source: Source, each: Import) -> bool:
        if each.top != "executor":
            return each.top == "cgroups"
        return not (within(each.module, (package(source.name),)) or each.module in pure() | COMMON)

    check(
        "an adapter imports itself, pure modules, and what is common to all",
        [source for name, source in executor().items() if within(name, ADAPTERS)],
        foreign,
    )


def test_only_composers_load_adapters() -> None:
    check(
        f"adapters are arguments here; {', '.join(COMPOSERS)} load them",
        [source for name, source in executor().items() if not within(name, ADAPTERS + COMPOSERS)],
        lambda _, each: not each.typing_only and within(each.module, ADAPTERS) and each.module not in pure(),
    )


def test_a_library_has_one_owner() -> None:
    def foreign(source: Source, each: Import) -> bool:
        return each.top in LIBRARY_OWNERS and not within(source.name, LIBRARY_OWNERS[each.top])

    check(f"each library has one owner: {LIBRARY_OWNERS}", executor().values(), foreign)


def is_test(source: Source) -> bool:
    return source.path.startswith("tests/") and "/test_" in source.path


def test_long_files_are_argued_for() -> None:
    """tests/run prints the median (tests/unit/conftest.py)."""
    lengths = sizes()
    long = {path: lines for path, lines in lengths.items() if lines > ARGUED_FILE_LINES}
    assert set(long) <= set(LONG_FILES), f"longer than {ARGUED_FILE_LINES} lines: {long}; argued for: {LONG_FILES}"
    assert set(LONG_FILES) <= set(lengths), "the list names files that are there"
    assert all(lines <= MAX_FILE_LINES for lines in long.values()), f"longer than {MAX_FILE_LINES} lines: {long}"


def test_no_function_is_too_long() -> None:
    long = [
        f"{source.path}:{function.line} {function.name}"
        for source in python_files()
        for function in source.facts.functions
        if function.lines > MAX_FUNCTION_LINES
    ]
    assert not long, f"longer than {MAX_FUNCTION_LINES} lines: {long}"


def test_every_module_says_what_it_is_for() -> None:
    described = [source for source in python_files() if source.text and not is_test(source)]
    silent = [source.path for source in described if not source.facts.docstring]
    assert not silent, f"these have no docstring: {silent}"


def test_no_file_names_the_machine_it_was_written_on() -> None:
    found = []
    for path in all_files():
        text = path.read_bytes().decode(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in FOREIGN_WORDS if word in text]
    assert not found, "\n".join(found)


def test_packaging_stays_a_directory() -> None:
    """An `__init__.py` would make it hide the library of that name wherever the checkout is on the path."""
    assert not (ROOT / "packaging/__init__.py").exists()


def test_the_map_names_every_package_and_no_other() -> None:
    text = executor()["executor"].facts.docstring
    drawn = {word.rstrip("/,;") for line in text.splitlines() if line.startswith("    ") for word in line.split()}
    missing = {name.removeprefix("executor.") for name in FLOOR} - drawn
    assert not missing, f"executor/__init__.py does not name {sorted(missing)}"
    packages = {word for line in text.splitlines() if line.startswith("    ") for word in line.split()[:1]}
    gone = {word.rstrip("/") for word in packages if word.endswith("/")} - {
        name.removeprefix("executor.") for name in FLOOR
    }
    assert not gone, f"executor/__init__.py names {sorted(gone)}, which are not there"
