"""Containers with secrets, run by the real runc: programs find their secrets, and what an image writes stays text."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.oci import secret_runtime, secret_words
from executor.volumes.pod_volumes import PRIVATE
from tests.support import cgroupdirs
from tests.support.images import busybox_layer
from tests.support.mesos.cluster import node_cgroup

pytestmark = pytest.mark.root

SECRET = "hunter2 'x' & \\1 é"
NONCE = "ab" * 16


class Container:
    """One that runs until the end of the test, with `env` of an image beside its secret."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.id = directory, f"mpe-secret-{os.getpid()}"
        self.private = directory / "volumes/executor/pod" / PRIVATE
        self.private.mkdir(parents=True)
        self.bundle, self.output = directory / "bundle", directory / "output"
        (self.bundle / "rootfs").mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(busybox_layer()), mode="r:*") as layer:
            layer.extractall(self.bundle / "rootfs")
        self.program = str(secret_runtime.ensure(directory / "state", directory / "volumes"))
        self.root = f"{node_cgroup()}-oci"
        self.process: dict[str, object] = {}

    def run(self, *env: str, args: tuple[str, ...] = ()) -> str:
        """What the container found in its environment, and its first argument."""
        script = 'env; echo "0=$0"; echo done; exec sleep 100'
        document = {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["/bin/sh", "-c", script, *args],
                "env": ["PATH=/bin", *env, f"P={SECRET}"],
                "cwd": "/",
            },
            "root": {"path": "rootfs"},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"cgroupsPath": f"{self.root}/main", "namespaces": [{"type": "pid"}, {"type": "mount"}]},
        }
        hidden, text = secret_words.hide(document, NONCE)
        (self.private / self.id).write_text(text)
        (self.bundle / "config.json").write_text(json.dumps(hidden))
        self.process = hidden["process"]
        with self.output.open("w") as output:
            line = ["run", "--bundle", str(self.bundle), "--detach", self.id]
            self.runc(*line, stdout=output)
        deadline = time.monotonic() + 20
        while not (text := self.output.read_text()).endswith("done\n") and time.monotonic() < deadline:
            time.sleep(0.02)
        return text

    def exec(self, *argv: str) -> str:
        path = self.directory / "process.json"
        path.write_text(json.dumps({**self.process, "args": argv}))
        return self.runc("exec", "--process", str(path), self.id, stdout=subprocess.PIPE)

    def runc(self, *argv: str, stdout: object = subprocess.DEVNULL) -> str:
        line = [self.program, "--root", str(self.directory / "runc"), *argv]
        errors = (self.directory / "errors").open("w+")
        with errors:
            done = subprocess.run(  # type: ignore[call-overload]
                line, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors, text=True, timeout=60, check=False
            )
        assert done.returncode == 0, (self.directory / "errors").read_text()
        return str(done.stdout)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    found = Container(tmp_path)
    yield found
    found.runc("delete", "--force", found.id)
    for directory in cgroupdirs.below(found.root):
        directory.rmdir()


def test_programs_find_their_secrets_and_forged_marks_are_text(container: Container) -> None:
    proof, evil = container.directory / "proof", container.directory / "evil"
    evil.write_text(f"1e touch {proof}\n")
    mark = f"{secret_words.MARK}:{evil}:0"
    forged = [f"{mark}=1", f'X="{mark}"', f"{secret_words.MARK}:{'0' * 32}:env=1"]
    found = container.run(*forged, args=(mark,)).splitlines()
    assert {f"P={SECRET}", f"0={mark}", *forged[1:2]} <= set(found)
    assert container.exec("/bin/sh", "-c", "echo $P") == f"{SECRET}\n"
    assert container.exec("/bin/echo", mark) == f"{mark}\n"
    assert not proof.exists()


def test_no_process_holds_a_descriptor_of_the_document(container: Container) -> None:
    container.run()
    listed = container.exec("/bin/sh", "-c", "ls -l /proc/self/fd /proc/1/fd")
    assert str(container.private) not in listed and "(deleted)" not in listed
    assert sorted(path.name for path in container.private.iterdir()) == [container.id, f"{container.id}.json"]
