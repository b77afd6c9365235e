"""CRI as kubelet calls it: RunPodSandbox with a pause container, CreateContainer, StartContainer, on containerd's own
plugin, with the network of the pods and the plugin's seccomp filter.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from executor.containerd import Containerd
from executor.images.store import ImageStore
from tests.bench.peers.programs import AT_ONCE, PACKAGES, NotInstalled
from tests.support.containerd import PrivateContainerd
from tests.support.images import ImageSpec, write_archive

IMAGE = "docker.io/library/busybox:test"
PAUSE = "localhost/pause:1"
NAMESPACE = "k8s.io"
"""containerd's plugin has all of its containers and images there."""
_PLUGIN = """\
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


class Cri:
    """A containerd of its own, since that of the pods has no CRI. A context manager. Raises NotInstalled."""

    def __init__(self, directory: Path, network: Mapping[str, Any], cgroup: str, command: Sequence[str]) -> None:
        if not (PACKAGES / "cri_api").is_dir():
            raise NotInstalled("a client of CRI is not installed: packaging/prepare --with bench")
        sys.path.append(str(PACKAGES))  # last: what it needs besides is the venv's
        from cri_api.v1 import api_pb2, api_pb2_grpc

        self._messages, self._services = api_pb2, api_pb2_grpc
        self._directory, self._cgroup, self._command = directory, cgroup, list(command)
        networks = directory / "networks"
        networks.mkdir(parents=True)
        plugin = {key: value for key, value in network.items() if key not in ("name", "cniVersion")}
        conflist = {"cniVersion": "0.4.0", "name": network["name"], "plugins": [plugin]}
        (networks / "10-pods.conflist").write_text(json.dumps(conflist))
        self._containerd = PrivateContainerd(cri=_PLUGIN.format(pause=PAUSE, networks=networks))
        self._sandboxes: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._containerd.__enter__()
        channel = grpc.insecure_channel(f"unix:{self._containerd.address}")
        self._runtime = self._services.RuntimeServiceStub(channel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._containerd.close()

    async def load(self) -> None:
        """The images of the containers and of the pod sandboxes."""
        pause = ImageSpec(PAUSE, entrypoint=("/bin/sleep", "100000"), cmd=None, base="pause")
        archive = write_archive(self._directory / "images.tar", ImageSpec(IMAGE), pause)
        async with await Containerd.connect(self._containerd.address, NAMESPACE) as client:
            await ImageStore(client).import_archive(archive)
            for image in (IMAGE, PAUSE):
                await ImageStore(client).lookup(image)

    def up(self, names: Sequence[str]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self._sandboxes |= dict(zip(names, pool.map(self._up, names), strict=True))

    def down(self, names: Sequence[str]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._down, [self._sandboxes.pop(name) for name in names]))

    def _up(self, name: str) -> str:
        """The id of the pod sandbox."""
        pb = self._messages
        pod = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name=name, uid=name, namespace="bench", attempt=0),
            hostname=name,
            log_directory=str(self._directory / "logs" / name),
            linux=pb.LinuxPodSandboxConfig(cgroup_parent=f"{self._cgroup}/cri-{name}"),
        )
        sandbox: str = self._runtime.RunPodSandbox(pb.RunPodSandboxRequest(config=pod)).pod_sandbox_id
        container = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name="app"),
            image=pb.ImageSpec(image=IMAGE),
            command=self._command,
            log_path="app.log",
        )
        create = pb.CreateContainerRequest(pod_sandbox_id=sandbox, config=container, sandbox_config=pod)
        made = self._runtime.CreateContainer(create).container_id
        self._runtime.StartContainer(pb.StartContainerRequest(container_id=made))
        return sandbox

    def _down(self, sandbox: str) -> None:
        pb = self._messages
        self._runtime.StopPodSandbox(pb.StopPodSandboxRequest(pod_sandbox_id=sandbox))
        self._runtime.RemovePodSandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=sandbox))
