"""Pods with volumes on a node of the test's own, whose mounts are shared, as systemd makes them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from executor.disk.turns import Turns
from executor.mesos.resources import Resources
from executor.names import PodClass, Role, TaskId
from executor.own_directory import OwnDirectory, ensure_below
from executor.spec.model import ContainerSpec, PodSpec
from executor.spec.objects import DataKind, KeyedData, Objects
from executor.spec.volume_model import DataFiles, FilesVolume, Volume, VolumeMount
from executor.volumes.empty_dir import VOLUMES
from executor.volumes.pod_volumes import PodVolumes

OPTIONAL = FilesVolume("conf", (DataFiles(DataKind.CONFIG_MAP, "settings", optional=True),))
FIXED = FilesVolume("conf", (DataFiles(DataKind.CONFIG_MAP, "settings"),))


def settings(**values: str) -> Objects:
    data = {key: value.encode() for key, value in values.items()}
    return Objects(config_maps={"settings": KeyedData(DataKind.CONFIG_MAP, "settings", data)})


class Node:
    """`run` is where the executor mounts; every mount of it is shared, as systemd makes them."""

    def __init__(self, top: Path) -> None:
        self.top, self.run, self.data = top, top / "run", top / "data"
        self.data.mkdir()
        self.files = OwnDirectory(str(top), "pod")

    def volumes(self, *volumes: Volume, objects: Objects | None = None, mem_bytes: int = 2**26) -> PodVolumes:
        spec = PodSpec(
            task_ids=(TaskId("t"),),
            name="pod",
            namespace="default",
            uid="u",
            pod_class=PodClass.REGULAR,
            role=Role("*"),
            containers=(container(),),
            resources=Resources(cpus=1, mem_bytes=mem_bytes),
            volumes=volumes,
            objects=objects or Objects(),
        )
        return PodVolumes(
            spec, files=self.files, mounts_dir=self.run / "pod", mesos_sandbox=self.top, turns=Turns("test")
        )

    def make_empty_dir(self, name: str) -> Path:
        """As the sandbox of the pod does."""
        self.files.make()
        with self.files.opened() as directory:
            os.close(ensure_below(directory, VOLUMES, name))
        return Path(self.files.path) / VOLUMES / name

    def mounts(self) -> list[str]:
        points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        return [point for point in points if point.startswith(f"{self.run}/")]


def container(*mounts: VolumeMount) -> ContainerSpec:
    return ContainerSpec(name="app", image="busybox", task_id=TaskId("t"), mounts=mounts)


@contextlib.contextmanager
def service() -> Iterator[int]:
    """The pid of a service of the node with a mount namespace of its own, as systemd makes them."""
    line = ["unshare", "--mount", "--propagation", "slave", "sleep", "100"]
    with subprocess.Popen(line) as process:
        try:
            while b"sleep" not in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[:1]:
                time.sleep(0.01)
            yield process.pid
        finally:
            process.kill()


def seen_by(pid: int, path: Path | str) -> Path:
    return Path(f"/proc/{pid}/root{path}")


def mount_tmpfs(path: Path, text: str) -> None:
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "test", path], check=True)
    (path / "file").write_text(text)
