"""What the kernel says of processes, and that no code asks in a way that may let it wait for them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cgroups import process_status

ROOT = Path(__file__).resolve().parents[3]
WAITS = re.compile(r"/proc/\{\w+(?:\.\w+)?\}/(?:stat|ns/\w+|cmdline|environ|io|maps|fd|cwd|exe|root)\"")
MAY_WAIT = {
    "cgroups/process_status.py": "before pidfs: such kernels read the file without that lock",
    "executor/pod/exits/unreported.py": "a zombie executes nothing",
    "executor/output/process.py": "its own process",
    "executor/node/shim_processes.py": "shims, by their names",
    "executor/node/shim_sockets.py": "shims",
    "executor/node/reaping/shims.py": "shims",
    "executor/disk/unlinked.py": "in the thread that counts",
    "executor/pod/network/host_ports.py": "in a thread",
    "executor/node/runtime_state.py": "gc, and the end of a pod, in a thread",
    "executor/revocation/proof.py": "asked for last, of processes whose shim was killed",
    "executor/control/routes.py": "callers of the control socket",
    "executor/pod/container/reach.py": "in a thread",
    "executor/pod/container/pid_namespace.py": "a path for runc",
}


def test_a_process_and_its_end() -> None:
    with subprocess.Popen(["sleep", "1000"]) as child:
        status = process_status.read(child.pid)
        assert status is not None and process_status.parent(status) == os.getpid()
        assert not process_status.is_ending(status) and not process_status.is_zombie(status)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        status = process_status.read(child.pid)
        assert status is not None and process_status.is_ending(status) and process_status.is_zombie(status)
    assert process_status.read(child.pid) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("containerd-shim", b"containerd-shim"),
        ("a\nPPid:\t7", b"a\\nPPid:\t7"),
        ("a:\tb", b"a:\tb"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", b"\xc3\xa9"),
    ],
)
def test_a_process_with_any_name(name: str, shown: bytes) -> None:
    code = f"import time; open('/proc/self/comm', 'w').write({name!r}); print(flush=True); time.sleep(1000)"
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline()
        status = process_status.read(child.pid)
        child.kill()
    assert status is not None and process_status.parent(status) == os.getpid()
    assert process_status.name(status) == shown


@pytest.mark.parametrize("has_pidfs", [True, False])
def test_an_identity(monkeypatch: pytest.MonkeyPatch, *, has_pidfs: bool) -> None:
    if has_pidfs and not process_status._has_pidfs():
        pytest.skip("this kernel has no pidfs (Linux 6.9)")
    monkeypatch.setattr(process_status, "_has_pidfs", lambda: has_pidfs)
    own = process_status.identity(os.getpid())
    assert own is not None and own == process_status.identity(os.getpid())
    with subprocess.Popen(["sleep", "1000"]) as child:
        assert process_status.identity(child.pid) not in (None, own)
        child.kill()
    assert process_status.identity(child.pid) is None


WITHOUT_DESCRIPTORS = """
import errno, os, resource
from cgroups import process_status
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))
try:
    process_status.identity(os.getpid())
except OSError as error:
    assert error.errno == errno.EMFILE, error
else:
    raise AssertionError("there was one")
resource.setrlimit(resource.RLIMIT_NOFILE, (100, most))
print(process_status.identity(os.getpid()) == os.fstat(os.pidfd_open(os.getpid())).st_ino)
"""


@pytest.mark.skipif(not process_status._has_pidfs(), reason="this kernel has no pidfs (Linux 6.9)")
def test_a_moment_without_descriptors_does_not_say_what_the_kernel_has() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_DESCRIPTORS], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"True\n"


def test_only_these_modules_may_wait_for_a_process() -> None:
    """The event loop stood still for 4 s, and a revocation with it, while a starved process executed its program."""
    modules = [path for package in ("cgroups", "executor") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in modules if WAITS.search(path.read_text())}
    assert found == MAY_WAIT.keys() | {"cgroups/process_status.py"}
