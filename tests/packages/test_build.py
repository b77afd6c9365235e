"""What a build makes: the same bytes every time, complete, and to the liking of both worlds' linters."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from assembly.extensions import PYTHONS
from assembly.stage import released

from executor.cli.main import COMMANDS
from tests.packages.conftest import HOMEPAGE, PUBLISHER, Builds, Packages
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

LOCK = (ROOT / "packaging/requirements/runtime.txt").read_text()
OPT = "opt/mesos-pod-executor"
ENTERPRISE_LINUX_9 = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13)}
"""Versions of symbols that its glibc 2.34 and its libstdc++ of GCC 11 have; Ubuntu 24.04 and Debian have later ones."""


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def unpacked(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["dpkg-deb", "-x", packages.deb, directory], check=True)
    return directory


def test_two_builds_are_equal_to_the_byte(builds: Builds) -> None:
    assert digest(builds.here.deb) == digest(builds.again.deb)
    assert digest(builds.here.rpm) == digest(builds.again.rpm)
    assert digest(builds.here.deb) != digest(builds.later.deb)


def test_a_publisher_is_named_where_one_is_given(builds: Builds) -> None:
    query = ("rpm", "-qp", "--qf", "%{URL} %{PACKAGER} %{VENDOR}")
    assert output("dpkg-deb", "-f", builds.later.deb, "Homepage", "Maintainer").splitlines() == [
        f"Homepage: {HOMEPAGE}", f"Maintainer: {PUBLISHER}",
    ]  # fmt: skip
    assert output(*query, builds.later.rpm) == f"{HOMEPAGE} {PUBLISHER} {PUBLISHER}"
    assert output("dpkg-deb", "-f", builds.here.deb, "Homepage").strip() == ""


def test_the_dates_are_those_of_the_changelog(packages: Packages, unpacked: Path) -> None:
    entry = subprocess.run(
        ["zcat", *unpacked.rglob("changelog*.gz")], check=True, capture_output=True, text=True
    ).stdout
    assert f"{released():%a, %d %b %Y}" in entry
    shown = output("rpm", "-qp", "--changelog", packages.rpm)
    assert shown.startswith(f"* {released():%a %b %d %Y} ")
    assert {path.stat().st_mtime for path in unpacked.rglob("*.py")} == {released().timestamp()}


def test_both_formats_have_the_same_files(packages: Packages, unpacked: Path) -> None:
    def common(names: set[str]) -> set[str]:
        # Each world has places of its own for these.
        moved = ("lintian", "licenses", "changelog", "copyright", "zsh", "systemd/system/")
        return {name for name in names if not any(part in name for part in moved)}

    deb = {f"/{path.relative_to(unpacked)}" for path in unpacked.rglob("*") if path.is_file()}
    rpm = set(output("rpm", "-qp", "--qf", "[%{FILEMODES:octal} %{FILENAMES}\n]", packages.rpm).splitlines())
    files = {name for mode, _, name in (line.partition(" ") for line in rpm) if mode.startswith("10")}
    assert common(deb) == common(files)
    assert len(deb) == len(files) + 1  # changelog and lintian's overrides, but one licence file less


def test_no_file_belongs_to_or_can_be_written_by_anybody_else(packages: Packages) -> None:
    for line in output("dpkg-deb", "-c", packages.deb).splitlines():
        mode, owner = line.split()[:2]
        assert owner in ("root/root", "0/0"), line
        assert mode in ("drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"), line


def test_every_extension_module_is_there_for_every_python(unpacked: Path) -> None:
    """Byte code is made on the node, for the Python that is there."""
    (lib,) = (unpacked / OPT).glob("*/lib")
    found: dict[str, set[str]] = {}
    for module in lib.rglob("*.so"):
        stem, tag, *_ = module.name.split(".")
        found.setdefault(str(module.relative_to(lib).with_name(stem)), set()).add(tag.removesuffix("-x86_64-linux-gnu"))
    pythons = {f"cpython-{major}{minor}" for major, minor in PYTHONS}
    assert {name: tags for name, tags in found.items() if tags not in (pythons, {"abi3"})} == {}
    assert pythons in found.values()
    assert not list(lib.rglob("*.pyc"))
    versions = (ROOT / "packaging/programs/python").read_text()
    assert "for version in " + " ".join(f"{major}.{minor}" for major, minor in reversed(PYTHONS)) in versions


def test_every_locked_library_is_inside_with_its_licence(unpacked: Path) -> None:
    bill = json.loads((unpacked / "usr/share/doc/mesos-pod-executor/sbom.cdx.json").read_text())
    components = {(one["name"], one["version"]) for one in bill["components"]}
    assert set(re.findall(r"^([\w.-]+)==([^ ]+)", LOCK, re.M)) == {one for one in components if one[0] != "http-parser"}
    notices = (unpacked / "usr/share/doc/mesos-pod-executor/copyright").read_text()
    for one in bill["components"]:
        assert f"\nComment: {one['name']} {one['version']}" in notices
        assert one["licenses"]
        assert one["purl"].startswith(f"pkg:pypi/{one['name']}@")
    paragraphs = [part for part in notices.split("\n\n") if part.startswith("Files:\n")]
    assert len(paragraphs) == len(components)
    assert all(len(part.partition("License: ")[2].splitlines()) > 10 for part in paragraphs)


def test_the_c_libraries_that_are_needed_are_depended_on(packages: Packages, unpacked: Path) -> None:
    needed, versions, symbols = set(), set(), set()
    for module in unpacked.rglob("*.so*"):
        text = output("objdump", "-p", module)
        needed |= set(re.findall(r"NEEDED +(\S+)", text))
        symbols |= {
            (kind, tuple(map(int, found.split(".")))) for kind, found in re.findall(r"\b([A-Z]+)_([\d.]+)", text)
        }
        versions = {found for kind, found in symbols if kind == "GLIBC"}
    highest = {kind: max(found for name, found in symbols if name == kind) for kind in ENTERPRISE_LINUX_9}
    assert {kind: found for kind, found in highest.items() if found > ENTERPRISE_LINUX_9[kind]} == {}
    of_libc = {"libc.so.6", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2", "ld-linux-x86-64.so.2"}
    assert needed - of_libc == {"libstdc++.so.6"}
    depends = output("dpkg-deb", "-f", packages.deb, "Depends")
    least = re.search(r"libc6 \(>= ([\d.]+)\)", depends)
    assert least is not None
    assert max(versions) <= tuple(map(int, least[1].split(".")))
    assert "libstdc++6" in depends
    requires = output("rpm", "-qp", "--requires", packages.rpm).splitlines()
    assert {f"glibc >= {least[1]}", "libstdc++", "python(abi) >= 3.11"} <= set(requires)
    assert output("rpm", "-qp", "--recommends", packages.rpm).splitlines() == ["containernetworking-plugins", "runc"]


def test_every_command_has_a_man_page_without_faults(unpacked: Path) -> None:
    pages = {path.name: path for path in (unpacked / "usr/share/man").rglob("*.gz")}
    names = {"mesos-pod-executor.1.gz", "mesos-pod-executor.toml.5.gz"}
    assert set(pages) == names | {f"mesos-pod-executor-{name}.1.gz" for name in COMMANDS}
    for page in pages.values():
        source = subprocess.run(["zcat", page], check=True, capture_output=True).stdout
        found = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8"], input=source, capture_output=True, check=True)
        assert found.stderr.decode() == "", page.name


def test_lintian_is_content(packages: Packages) -> None:
    """With the overrides that the package carries, each of which says why."""
    command = ["lintian", "--allow-root", "--fail-on=error,warning", str(packages.deb)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.stdout, found.returncode) == ("", 0)


def test_rpmlint_is_content(packages: Packages) -> None:
    command = ["rpmlint", "--config", str(Path(__file__).with_name("rpmlint.toml")), str(packages.rpm)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert re.search(r" 0 errors, 0 warnings", found.stdout), found.stdout
