"""The least that has to be done for a pod, with nothing around it: the calls of containerd, one netns, one CNI plugin.

Shares nothing with the executor but the generated messages: blocking gRPC, a thread a pod, subprocess for the plugin.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage

from executor.containerd.api import containers_pb2, snapshots_pb2, tasks_pb2

SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
CLONE_NEWNET, MS_BIND, MNT_DETACH = 0x40000000, 4096, 2
libc = ctypes.CDLL(None, use_errno=True)


class Bare:
    """`spec` makes the OCI document of a pod from its name and the path of its network namespace. Without a `network`
    no plugin runs."""

    def __init__(
        self,
        address: str,
        namespace: str,
        chain_id: str,
        network: dict[str, Any] | None,
        directory: Path,
        spec: Callable[[str, Path], dict[str, Any]],
    ) -> None:
        self._channel = grpc.insecure_channel(f"unix:{address}")
        self._metadata = (("containerd-namespace", namespace),)
        self._chain_id = chain_id
        self._network = network
        self._directory = directory
        self._spec = spec

    def call(self, method: str, request: Any, response: Any, timeout_s: float = 60) -> Any:
        """One call of containerd's; raises grpc.RpcError."""
        call = self._channel.unary_unary(
            f"/containerd.services.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        return call(request, metadata=self._metadata, timeout=timeout_s)

    def up(self, name: str) -> int:
        """The pid of the first process."""
        netns = self._directory / f"{name}.netns"
        new_netns(netns)
        self._plugin("ADD", name, netns)
        prepare = snapshots_pb2.PrepareSnapshotRequest(
            snapshotter="overlayfs", key=name, parent=self._chain_id, labels={"containerd.io/gc.root": "1"}
        )
        mounts = self.call("snapshots.v1.Snapshots/Prepare", prepare, snapshots_pb2.PrepareSnapshotResponse).mounts
        document = AnyMessage(type_url=SPEC_TYPE, value=json.dumps(self._spec(name, netns)).encode())
        container = containers_pb2.Container(
            id=name,
            snapshotter="overlayfs",
            snapshot_key=name,
            runtime=containers_pb2.Container.Runtime(name="io.containerd.runc.v2"),
            spec=document,
        )
        create = containers_pb2.CreateContainerRequest(container=container)
        self.call("containers.v1.Containers/Create", create, containers_pb2.CreateContainerResponse)
        for stream in ("out", "err"):
            (self._directory / f"{name}.{stream}").touch()
        task = tasks_pb2.CreateTaskRequest(
            container_id=name,
            rootfs=mounts,
            stdout=str(self._directory / f"{name}.out"),
            stderr=str(self._directory / f"{name}.err"),
        )
        pid = self.call("tasks.v1.Tasks/Create", task, tasks_pb2.CreateTaskResponse).pid
        self.call("tasks.v1.Tasks/Start", tasks_pb2.StartRequest(container_id=name), tasks_pb2.StartResponse)
        return int(pid)

    def down(self, name: str) -> None:
        from google.protobuf.empty_pb2 import Empty

        kill = tasks_pb2.KillRequest(container_id=name, signal=9, all=True)
        with contextlib.suppress(grpc.RpcError):  # it may be dead already
            self.call("tasks.v1.Tasks/Kill", kill, Empty)
        self.call("tasks.v1.Tasks/Wait", tasks_pb2.WaitRequest(container_id=name), tasks_pb2.WaitResponse)
        self.call("tasks.v1.Tasks/Delete", tasks_pb2.DeleteTaskRequest(container_id=name), tasks_pb2.DeleteResponse)
        self.call("containers.v1.Containers/Delete", containers_pb2.DeleteContainerRequest(id=name), Empty)
        remove = snapshots_pb2.RemoveSnapshotRequest(snapshotter="overlayfs", key=name)
        self.call("snapshots.v1.Snapshots/Remove", remove, Empty)
        self.release(name)

    def release(self, name: str) -> None:
        """The network namespace, and what the plugin has made in it."""
        netns = self._directory / f"{name}.netns"
        self._plugin("DEL", name, netns)
        libc.umount2(os.fsencode(netns), MNT_DETACH)
        netns.unlink()

    def _plugin(self, command: str, name: str, netns: Path) -> None:
        if self._network is None:
            return
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": name,
            "CNI_NETNS": str(netns),
            "CNI_IFNAME": "eth0",
            "CNI_PATH": "/usr/lib/cni",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }
        binary = f"/usr/lib/cni/{self._network['type']}"
        document = json.dumps(self._network).encode()
        subprocess.run([binary], input=document, env=environment, capture_output=True, check=True)

    def many(self, names: list[str], work: Callable[[str], object], at_once: int) -> None:
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(work, names))


def new_netns(path: Path) -> None:
    """Pinned by a bind mount, made in a thread that ends with it."""
    path.touch()
    failed: list[int] = []

    def work() -> None:
        source = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        if libc.unshare(CLONE_NEWNET) or libc.mount(source.encode(), os.fsencode(path), b"none", MS_BIND, None):
            failed.append(ctypes.get_errno())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise OSError(failed[0], os.strerror(failed[0]), str(path))
