"""The deb on a Debian: installed, used, upgraded under a running process, removed without a trace."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cgroups import Hierarchies
from executor import __version__
from executor.cli.main import COMMANDS
from tests.packages.conftest import NEXT_VERSION, Builds, Packages
from tests.packages.roots import DebianRoot, environment

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

OPT = "/opt/mesos-pod-executor"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "app", "image": "busybox", "command": ["true"]}]},
}
# What a node collects while executors run, in every directory that is ours.
USED = """
set -e
mesos-pod-executor version
systemctl enable mesos-pod-executor-dns.service
mkdir -p /run/mesos-pod-executor/netns/x /var/lib/mesos-pod-executor/cni /run/mesos-pod-names
touch /run/mesos-pod-executor/netns/x/pod-1 /var/lib/mesos-pod-executor/cni/pod-1 /run/mesos-pod-names/a.b
mount --bind /proc/self/ns/net /run/mesos-pod-executor/netns/x/pod-1
mkdir -p "$1/mesos-pod-executor/dead/pods/regular/_/pod-1" "$1/mesos-pod-executor/alive"
echo $$ >"$1/mesos-pod-executor/alive/cgroup.procs"
dpkg --purge mesos-pod-executor
rm -r /run/mount  # mount's own
find "$1" -mindepth 1 -type d
"""
# Interactive shells, as somebody meets them who has the completions of the system in use. Unless it is told otherwise,
# zsh takes a tabulator key for pasted text that others follow at once.
SHELLS = {
    "bash": (["bash", "--norc", "-i"], ". /usr/share/bash-completion/completions/mesos-pod-executor"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -U compinit; compinit -u -d /tmp/dump; zstyle ':completion:*' insert-tab no",
    ),
    "fish": (["fish"], "true"),
}
# Waits until somebody holds the lock of the tree.
IN_USE = 'for _ in $(seq 100); do flock --exclusive --nonblock "$1" true || exit 0; sleep 0.1; done; exit 1'


def shared(path: Path) -> Mapping[Path, str]:
    """The package in a place that commands in the root see."""
    return {path.parent: "/tmp/packages"}


def apt_install(root: DebianRoot, package: Path) -> str:
    """apt itself decides whether the dependencies are there, and may not download any."""
    line = ["apt-get", "-q", "install", "--yes", f"/tmp/packages/{package.name}"]
    return root.run(*line, binds=shared(package))


def trees(root: DebianRoot) -> list[str]:
    return sorted(path.name for path in (root.path / OPT.lstrip("/") / "running").iterdir())


@pytest.fixture(scope="module")
def installed(packages: Packages) -> Iterator[DebianRoot]:
    """For tests that only look."""
    with DebianRoot() as made:
        apt_install(made, packages.deb)
        yield made


@pytest.fixture
def changed(root: DebianRoot, packages: Packages) -> Iterator[DebianRoot]:
    """For tests that change what is installed; each finds the package as new, in a root as it was before."""
    before = root.files()
    apt_install(root, packages.deb)
    yield root
    root.run("dpkg", "--purge", "mesos-pod-executor")
    for name in sorted(root.files() - before, reverse=True):
        path = root.path / name
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of this test's own on the unified hierarchy, which the root sees as the whole of it."""
    unified = Hierarchies.discover().unified
    assert unified is not None
    path = unified / f"mpe-packages-{os.getpid()}"
    path.mkdir()
    yield path
    for one in sorted((path, *(each for each in path.rglob("*") if each.is_dir())), reverse=True):
        one.rmdir()


def test_what_an_operator_finds(installed: DebianRoot) -> None:
    assert installed.run("mesos-pod-executor", "version") == f"mesos-pod-executor {__version__}\n"
    in_force = json.loads(installed.run("mesos-pod-executor", "check-config", "--json"))
    assert in_force["node"]["state_dir"] == "/var/lib/mesos-pod-executor"
    info = json.loads(installed.run("sh", "-c", "mesos-pod-executor executor-info --json"))
    assert (installed.path / info["command"]["value"].lstrip("/")).stat().st_mode & 0o111
    assert installed.run("dpkg", "--verify", "mesos-pod-executor") == ""


def test_the_configuration_file_is_read_and_kept(changed: DebianRoot, builds: Builds) -> None:
    path = changed.path / "etc/mesos-pod-executor/config.toml"
    path.write_text(path.read_text().replace('#level = "info"', 'level = "debug"'))
    for _ in "before", "after":
        in_force = json.loads(changed.run("mesos-pod-executor", "check-config", "--json"))
        assert in_force["log"]["level"] == "debug"
        apt_install(changed, builds.later.deb)
    changed.run("dpkg", "--purge", "mesos-pod-executor")
    assert not path.parent.exists()


def test_man_shows_every_page(installed: DebianRoot) -> None:
    for name in ("mesos-pod-executor", *(f"mesos-pod-executor-{command}" for command in COMMANDS)):
        text = installed.run("man", "--warnings", name)
        assert f"\n       {name} - " in text
        assert "\nSYNOPSIS\n" in text
    text = installed.run("man", "5", "mesos-pod-executor.toml")
    assert "MESOS_POD_EXECUTOR_LOG_LEVEL" in text
    assert "mesos-pod-executor-revoke" in installed.run("sh", "-c", "mandb -q; apropos revocable")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_tabulator_key_completes(installed: DebianRoot, shell: str) -> None:
    """What is completed is carried out, and says so: a shell's own drawing of the line is hard to read."""
    command, load = SHELLS[shell]
    keys = f"{load}\rmesos-pod-executor rev\t--help\rmesos-pod-executor executor-info --cl\treg\t\rexit\r"
    shown = typed(installed.command(*command), keys)
    assert "Usage: mesos-pod-executor revoke" in shown, shown
    assert '"value": "mesos-pod-executor-regular"' in shown, shown


def typed(command: list[str], keys: str, timeout_s: float = 30) -> str:
    """What a terminal shows of a program that gets these keys, until it ends."""
    ours, theirs = pty.openpty()
    settings = {**environment(), "TERM": "xterm", "HOME": "/tmp"}
    line = ["setsid", "--ctty", "--wait", *command]
    with subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=settings) as process:
        os.close(theirs)
        os.write(ours, keys.encode())
        shown, deadline = b"", time.monotonic() + timeout_s
        while time.monotonic() < deadline and select.select([ours], [], [], deadline - time.monotonic())[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # EIO: the other end is closed
                break
        process.kill()
    os.close(ours)
    return shown.decode(errors="replace")


def test_units_are_valid(installed: DebianRoot) -> None:
    names = sorted(path.name for path in (installed.path / "usr/lib/systemd/system").glob("mesos*"))
    assert {"mesos-pod-executor-gc.service", "mesos-pod-executor-gc.timer", "mesospods.slice"} <= set(names)
    paths = [f"/usr/lib/systemd/system/{name}" for name in names]
    assert installed.run("systemd-analyze", "verify", "--man=no", *paths) == ""
    links = (installed.path / "etc/systemd/system").glob("*.wants/mesos-pod-executor*")
    assert [path.name for path in links] == ["mesos-pod-executor-gc.timer"]
    installed.run("systemd-tmpfiles", "--create", "mesos-pod-executor.conf")
    assert (installed.path / "run/mesos-pod-executor").stat().st_mode & 0o777 == 0o755


def test_units_name_commands_and_pages_that_exist(installed: DebianRoot) -> None:
    text = "".join(path.read_text() for path in (installed.path / "usr/lib/systemd/system").glob("mesos*"))
    commands = set(re.findall(r"^Exec\w+=/usr/bin/mesos-pod-executor (\S+)", text, re.M))
    assert commands <= set(COMMANDS)
    for page, section in re.findall(r"man:([\w.-]+)\((\d)\)", text):
        installed.run("man", "--where", section, page)


def test_nothing_is_written_beside_the_code_and_nothing_comes_from_elsewhere(changed: DebianRoot) -> None:
    """Modules of the caller's directory, of PYTHONPATH and of the system's Python are not looked at."""
    before = changed.files()
    for place in ("tmp", "usr/local/lib/python3.11/dist-packages", "usr/lib/python3/dist-packages"):
        (changed.path / place).mkdir(parents=True, exist_ok=True)
        (changed.path / place / "click.py").write_text("raise SystemExit('the wrong click')")
    wrong = {
        f"{place}/click.py" for place in ("usr/local/lib/python3.11/dist-packages", "usr/lib/python3/dist-packages")
    }
    script = "cd /tmp && echo 'raise SystemExit(1)' >click.py && PYTHONPATH=/tmp mesos-pod-executor check-config"
    assert 'log.level = "info"' in changed.run("sh", "-c", script)
    assert changed.files() - before - wrong <= {"usr/local/lib/python3.11", "usr/local/lib/python3.11/dist-packages"}


def test_byte_code_is_made_for_the_python_that_is_there(changed: DebianRoot) -> None:
    """Unchecked, for where it is found, and again where the node has another Python."""
    (tree,) = (changed.path / OPT.lstrip("/") / "running").iterdir()
    sources = set(tree.rglob("*.py"))
    compiled = set(tree.rglob("*.pyc"))
    assert len(compiled) == len(sources) > 500
    assert {path.read_bytes()[4] for path in compiled} == {0b01}, "PEP 552: hash, not checked"
    (mark,) = tree.glob(".compiled-*")
    tag = mark.name.removeprefix(".compiled-")
    assert all(path.name.endswith(f".{tag}.pyc") for path in compiled)
    one = tree / f"lib/executor/__pycache__/errors.{tag}.pyc"
    assert f"{OPT}/running/{tree.name}/lib/executor/errors.py".encode() in one.read_bytes()
    mark.unlink()
    one.unlink()
    assert changed.run("/usr/lib/mesos-pod-executor/trees", "tidy") == ""
    assert one.exists() and mark.exists()


def test_upgrade_while_a_process_of_the_old_version_runs(
    changed: DebianRoot, builds: Builds, packages: Packages
) -> None:
    (old,) = trees(changed)
    command = changed.command("mesos-pod-executor", "validate", "--json", "-")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            changed.run("sh", "-c", IN_USE, "sh", f"{OPT}/running/{old}")
            changed.run("dpkg", "--unpack", f"/tmp/packages/{builds.later.deb.name}", binds=shared(builds.later.deb))
            assert not (changed.path / f"opt/mesos-pod-executor/{__version__}").exists()
            assert __version__ in changed.run("mesos-pod-executor", "version")  # until it is configured
            assert "is in use" in changed.run("dpkg", "--configure", "mesos-pod-executor")
            assert NEXT_VERSION in changed.run("mesos-pod-executor", "version")
            assert len(trees(changed)) == 2
            # Only now it reads, and imports what it needs for that.
            answer, _ = running.communicate(json.dumps(POD), timeout=60)
        finally:
            running.kill()
    assert (running.returncode, json.loads(answer)["ok"]) == (0, True), answer
    assert changed.run("/usr/lib/mesos-pod-executor/trees", "tidy") == ""
    assert [name.rpartition("-")[0] for name in trees(changed)] == [NEXT_VERSION]
    assert "downgraded" in changed.run(
        "apt-get", "--allow-downgrades", "install", "--yes",
        f"/tmp/packages/{packages.deb.name}", binds=shared(packages.deb),
    ).lower()  # fmt: skip
    assert (trees(changed), __version__ in changed.run("mesos-pod-executor", "version")) == ([old], True)


def test_removal_spares_a_running_process(changed: DebianRoot) -> None:
    (tree,) = trees(changed)
    command = changed.command("mesos-pod-executor", "validate", "--json", "-")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            changed.run("sh", "-c", IN_USE, "sh", f"{OPT}/running/{tree}")
            assert "still runs" in changed.run("dpkg", "--purge", "mesos-pod-executor")
            answer, _ = running.communicate(json.dumps(POD), timeout=60)
        finally:
            running.kill()
    assert (running.returncode, json.loads(answer)["ok"]) == (0, True), answer


def test_purge_leaves_nothing(root: DebianRoot, packages: Packages, cgroup: Path) -> None:
    before = root.files()
    apt_install(root, packages.deb)
    assert len(root.files() - before) > 1000
    binds = {cgroup: str(cgroup.parent)}
    left = root.run("sh", "-c", USED, "sh", str(cgroup.parent), binds=binds).splitlines()
    # What a process lives in stays: the shell of this script.
    alive = [f"{cgroup.parent}/mesos-pod-executor", f"{cgroup.parent}/mesos-pod-executor/alive"]
    assert [line for line in left if line.startswith("/sys")] == alive
    assert root.files() - before == set()
    assert before - root.files() == set()


def test_a_package_that_was_only_unpacked_runs(packages: Packages, root: DebianRoot) -> None:
    """As tools that look into packages, and some that build images, do it."""
    subprocess.run(["dpkg-deb", "-x", packages.deb, root.path], check=True)
    assert __version__ in root.run("mesos-pod-executor", "version")
