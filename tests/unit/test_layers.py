"""Who may import whom, and how large things may get: the house's rules that no linter knows.

packages         FLOORS below: a package imports packages of lower floors only, and nothing imports upwards
cgroups          the standard library
pure modules     the standard library without its I/O, and each other; a module says "Pure" in its docstring
adapters         mesos, containerd, cni, dns: themselves, pure modules (also of other adapters, for their data), and
                 what is common to all; never the I/O of each other
composers        import across
everything else  gets its adapters as arguments; it may import them for their types
"""

from __future__ import annotations

import ast
import sys

import pytest

from tests.support.sources import ROOT, Import, Source, all_files, functions, modules, python_files

ADAPTERS = ("executor.mesos", "executor.containerd", "executor.cni", "executor.dns")
COMPOSERS = (
    "executor.composer", "executor.opening", "executor.node.reaper", "executor.node.reaping",
    "executor.node.inventory", "executor.doctor", "executor.cli", "executor.__main__",
)  # fmt: skip
COMMON = {
    "executor", "executor.concurrency", "executor.config", "executor.errors", "executor.log", "executor.names",
    "executor.process",
}  # fmt: skip

# Decisions are made in these. More modules may call themselves pure, but these must.
MUST_BE_PURE = {
    "executor.errors",
    "executor.names",
    "executor.mesos.environment",
    "executor.mesos.events",
    "executor.mesos.operator.messages",
    "executor.mesos.resources",
    "executor.mesos.status",
    "executor.pod.container_life",
    "executor.pod.exits.causes",
    "executor.pod.health",
    "executor.pod.lifecycle",
    "executor.pod.model",
    "executor.pod.order",
    "executor.oci.document",
    "executor.probes.rhythm",
    "executor.probes.state",
    "executor.spec.model",
    "executor.cni.conflist",
    "executor.cni.resolver",
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
    "pyroute2": ("executor.cni",),
    "click": ("executor.cli",),
    "rich": ("executor.cli",),
    "structlog": ("executor.log",),
    "prometheus_client": ("executor.metrics",),
}

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
# path: why it is better as one
LONG_FILES = {
    "executor/pod/lifecycle.py": "the life of a pod is one table, which is read as a whole",
    "executor/pod/model.py": "states, events and effects of both life cycles are one vocabulary",
    "executor/log/codes.py": "the codes of all events are one list",
    "executor/dispatcher.py": "what each event of the agent means is read in one place",
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
    ("errors", "names", "hostnames", "bounded_json"),
    ("concurrency", "duration", "quantity"),
    ("config",),
    ("log",),
    ("exhausted", "mesos", "containerd"),
    ("images",),
    ("spec",),
    ("cni", "dns", "volumes"),
    ("oci", "output", "disk", "exec"),
    ("node", "probes"),
    ("pod",),
    ("reporting", "revocation"),
    ("intake", "doctor"),
    ("dispatcher",),
    ("control",),
    ("metrics",),
    ("opening",),
    ("composer", "cli"),
    ("__main__",),
)
FLOOR = {f"executor.{name}": number for number, floor in enumerate(FLOORS) for name in floor}

EXECUTOR = modules("executor")
CGROUPS = modules("cgroups")
PURE = {name for name, source in EXECUTOR.items() if source.is_pure or name in MUST_BE_PURE or not source.imports}
FILES = python_files()


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def standard(imported: Import) -> bool:
    return imported.top in sys.stdlib_module_names


def report(source: Source, wrong: list[Import], rule: str) -> None:
    lines = [f"{source.path}:{imported.line} imports {imported.module}" for imported in wrong]
    assert not wrong, "\n".join([rule, *lines])


@pytest.mark.parametrize("name", sorted(CGROUPS))
def test_cgroups_import_the_standard_library_only(name: str) -> None:
    source = CGROUPS[name]
    wrong = [imported for imported in source.imports if not standard(imported) and imported.top != "cgroups"]
    report(source, wrong, "cgroups stands alone")


def package(module: str) -> str:
    """`executor.pod` of `executor.pod.runner`; of a module beside the packages, its own name."""
    return ".".join(module.split(".")[:2])


def test_every_package_has_a_floor() -> None:
    assert {package(name) for name in EXECUTOR if name != "executor"} == set(FLOOR)


@pytest.mark.parametrize("name", sorted(name for name in EXECUTOR if name != "executor"))
def test_nothing_imports_upwards(name: str) -> None:
    """Nor for a type only: two packages that know each other are one."""
    source, own = EXECUTOR[name], FLOOR[package(name)]
    ours = [each for each in source.imports if each.top == "executor"]
    others = [each for each in ours if each.module != "executor" and package(each.module) != package(name)]
    wrong = [each for each in others if FLOOR[package(each.module)] >= own]
    report(source, wrong, f"{package(name)} is on floor {own} and imports lower floors only")


@pytest.mark.parametrize("house", [EXECUTOR, CGROUPS], ids=["executor", "cgroups"])
def test_modules_do_not_import_each_other_in_a_circle(house: dict[str, Source]) -> None:
    """Nor for a type only."""
    edges = {name: {each.module for each in source.imports if each.module in house} for name, source in house.items()}
    while leaves := {name for name, below in edges.items() if not below & edges.keys()}:
        edges = {name: below for name, below in edges.items() if name not in leaves}
    assert not edges, f"these import each other: {sorted(edges)}"


def test_the_modules_that_decide_exist() -> None:
    missing = MUST_BE_PURE - set(EXECUTOR)
    assert not missing


@pytest.mark.parametrize("name", sorted(PURE & set(EXECUTOR)))
def test_pure_modules_reach_nothing(name: str) -> None:
    source = EXECUTOR[name]
    allowed = PURE | DECODERS
    wrong = [i for i in source.imports if i.top in IMPURE or not (standard(i) or i.module in allowed)]
    report(source, wrong, "a pure module imports the standard library without its I/O, and pure modules")


@pytest.mark.parametrize("name", sorted(name for name in EXECUTOR if within(name, ADAPTERS)))
def test_adapters_do_not_know_each_other(name: str) -> None:
    source = EXECUTOR[name]
    own = ".".join(name.split(".")[:2])
    others = tuple(adapter for adapter in ADAPTERS if adapter != own)
    ours = [imported for imported in source.imports if imported.top == "executor"]
    strange = [i for i in ours if within(i.module, others) and i.module not in PURE]
    wrong = strange + [i for i in ours if not (within(i.module, (own,)) or i.module in PURE | COMMON)]
    wrong += [imported for imported in source.imports if imported.top == "cgroups"]
    report(source, wrong, "an adapter imports itself, pure modules, errors, names, config, log and process")


@pytest.mark.parametrize("name", sorted(name for name in EXECUTOR if not within(name, ADAPTERS + COMPOSERS)))
def test_only_composers_load_adapters(name: str) -> None:
    source = EXECUTOR[name]
    loaded = [imported for imported in source.imports if not imported.typing_only]
    wrong = [imported for imported in loaded if within(imported.module, ADAPTERS) and imported.module not in PURE]
    report(source, wrong, f"adapters are arguments here; {', '.join(COMPOSERS)} load them")


@pytest.mark.parametrize("library", sorted(LIBRARY_OWNERS))
def test_a_library_has_one_owner(library: str) -> None:
    for source in EXECUTOR.values():
        if not within(source.name, LIBRARY_OWNERS[library]):
            wrong = [imported for imported in source.imports if imported.top == library]
            report(source, wrong, f"{library} belongs to {', '.join(LIBRARY_OWNERS[library])}")


def is_test(source: Source) -> bool:
    return source.path.startswith("tests/") and "/test_" in source.path


def test_no_file_is_too_long() -> None:
    long = {source.path: lines for source in FILES if (lines := source.text.count("\n")) > MAX_FILE_LINES}
    assert set(long) <= set(LONG_FILES), f"longer than {MAX_FILE_LINES} lines: {long}; allowed: {LONG_FILES}"


def test_no_function_is_too_long() -> None:
    long = [
        f"{source.path}:{function.lineno} {function.name}"
        for source in FILES
        for function in functions(source)
        if (function.end_lineno or 0) - function.lineno >= MAX_FUNCTION_LINES
    ]
    assert not long, f"longer than {MAX_FUNCTION_LINES} lines: {long}"


@pytest.mark.parametrize(
    "source", [source for source in FILES if source.text and not is_test(source)], ids=lambda source: source.path
)
def test_every_module_says_what_it_is_for(source: Source) -> None:
    assert ast.get_docstring(source.tree), f"{source.path} has no docstring"


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
    text = ast.get_docstring(EXECUTOR["executor"].tree) or ""
    drawn = {word.rstrip("/,;") for line in text.splitlines() if line.startswith("    ") for word in line.split()}
    missing = {name.removeprefix("executor.") for name in FLOOR} - drawn
    assert not missing, f"executor/__init__.py does not name {sorted(missing)}"
    packages = {word for line in text.splitlines() if line.startswith("    ") for word in line.split()[:1]}
    gone = {word.rstrip("/") for word in packages if word.endswith("/")} - {
        name.removeprefix("executor.") for name in FLOOR
    }
    assert not gone, f"executor/__init__.py names {sorted(gone)}, which are not there"
