"""A node whose files and mounts have names in Latin-1, and whose name server is a stub on its loopback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

STUB = b"# caf\xe9\nnameserver 127.0.0.53\nsearch caf\xe9.example\noptions edns0\n"
BEHIND = b"# r\xe9solu\nnameserver 192.0.2.53\nsearch caf\xe9.example\n"
HOSTS = b"127.0.0.1 localhost\n10.1.2.3 caf\xe9\n"
SHOW = ("sh", "-c", "cat /etc/resolv.conf /etc/hosts")


@contextmanager
def covered(path: Path, content: bytes, directory: Path) -> Iterator[None]:
    """In the private node's own mounts."""
    file = directory / path.name
    file.write_bytes(content)
    made = not path.exists()
    if made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    subprocess.run(["mount", "--bind", file, path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)
        if made:
            path.unlink()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[None]:
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    for name in ("etc", "behind", odd):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        stack.enter_context(covered(Path("/etc/resolv.conf").resolve(), STUB, tmp_path / "etc"))
        stack.enter_context(covered(Path("/run/systemd/resolve/resolv.conf"), BEHIND, tmp_path / "behind"))
        stack.enter_context(covered(Path("/etc/hosts"), HOSTS, tmp_path / "etc"))
        subprocess.run(["mount", "-t", "tmpfs", "none", odd], check=True)
        stack.callback(lambda: subprocess.run(["umount", odd], check=True))
        yield


@pytest.mark.usefixtures("node")
def test_pods_start_and_have_the_servers_that_they_can_reach(rig: Rig, scheduler: Scheduler) -> None:
    tasks = [rig.pod("own", command=SHOW), rig.pod("host", command=SHOW, spec={"hostNetwork": True})]
    scheduler.launch(tasks, rig.executor())
    shown = {}
    for name in ("own", "host"):
        ended = scheduler.wait_status(name, ("TASK_FINISHED", "TASK_FAILED"), 30)
        assert ended.state == "TASK_FINISHED", ended.raw
        shown[name] = logged(rig, scheduler, name)
    assert b"nameserver 192.0.2.53\n" in shown["own"] and b"127.0.0.53" not in shown["own"]
    assert b"caf?.example: not a domain\n" in shown["own"], "it is left out, and told"
    assert b"nameserver 127.0.0.53\n" in shown["host"] and b"10.1.2.3 caf\xe9\n" in shown["host"]


def logged(rig: Rig, scheduler: Scheduler, name: str) -> bytes:
    sandbox = Path(rig.agent.sandbox(scheduler.framework_id, "mixed"))
    (pod,) = {event["pod"] for event in rig.journal("mixed", scheduler) if event.get("tasks") == [name]}
    return Path(sandbox, "pods", str(pod), "app.stdout").read_bytes()


@pytest.mark.usefixtures("node")
def test_doctor_tells_of_the_stub(rig: Rig) -> None:
    checks = {each["check"]: each for each in rig.json("doctor")["checks"]}
    assert not [each for each in checks.values() if "cannot be looked at" in each["message"]], checks
    found = checks["network.resolv_conf"]
    assert found["verdict"] == "pass" and "192.0.2.53" in found["message"], found
