"""The OCI document, run by the real runc: what the pod asked for is what the process finds."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cgroups import Cgroup, Hierarchies, devices
from executor.images.model import ImageConfig
from executor.mesos.resources import Resources
from executor.names import PodClass, Role, TaskId
from executor.oci.document import runtime_spec
from executor.oci.mounts import NOTICE
from executor.oci.place import Placement
from executor.oci.users import UserIds
from executor.pod.container.closed_devices import CLOSED
from executor.spec.model import ContainerSpec, Limits, PodSpec, RuntimeField
from executor.spec.security_model import Security
from executor.spec.volume_model import EmptyDir, HostPath, VolumeMount
from tests.crash.starts import by_crun
from tests.support import cgroupdirs
from tests.support.images import busybox_layer
from tests.support.mesos.cluster import node_cgroup
from tests.support.rig import wait_for

pytestmark = pytest.mark.root

IMAGE = ImageConfig(env=(("PATH", "/bin"),))
Run = Callable[..., list[str]]


def container(script: str, **fields: object) -> ContainerSpec:
    # a script's $(...) is the shell's
    values = {"name": "main", "image": "busybox", "task_id": TaskId("t"), "expand_variables": False, **fields}
    return ContainerSpec(command=("/bin/sh", "-c", script), **values)  # type: ignore[arg-type]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """With the root file system of busybox."""
    bundle = tmp_path / "bundle"
    (bundle / "rootfs").mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(busybox_layer()), mode="r:*") as layer:
        layer.extractall(bundle / "rootfs")
    (tmp_path / "pod" / NOTICE).mkdir(parents=True)  # as the sandbox makes it
    return bundle


@pytest.fixture
def root() -> Iterator[str]:
    """The path of the group above that of a container."""
    root = f"{node_cgroup()}-oci"
    yield root
    for directory in cgroupdirs.below(root):
        directory.rmdir()


@pytest.fixture
def run(tmp_path: Path, bundle: Path, root: str) -> Run:
    """Run one container to its end; the lines of its output, of both streams."""

    def act(
        spec: ContainerSpec,
        image: ImageConfig = IMAGE,
        *,
        volumes: tuple[EmptyDir | HostPath, ...] = (),
        **placed: object,
    ) -> list[str]:
        where = {
            "cgroups_path": f"{root}/main",
            "pod_dir": tmp_path / "pod",
            "hostname": "web-0",
            "user": UserIds(0, 0),
            **placed,
        }
        document = runtime_spec(pod_of(spec, volumes), spec, image, Placement(**where))  # type: ignore[arg-type]
        (bundle / "config.json").write_text(json.dumps(document))
        argv = ["runc", "--root", str(tmp_path / "state"), "run", "--bundle", str(bundle), f"mpe-{os.getpid()}"]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        return (done.stdout + done.stderr).splitlines()

    return act


def pod_of(spec: ContainerSpec, volumes: tuple[EmptyDir | HostPath, ...]) -> PodSpec:
    return PodSpec(
        task_ids=(spec.task_id,),
        name="pod",
        namespace="default",
        uid="u",
        pod_class=PodClass.REGULAR,
        role=Role("*"),
        containers=(spec,),
        resources=Resources(cpus=1, mem_bytes=2**26),
        volumes=volumes,
    )


def test_arguments_environment_directory_and_hostname(run: Run) -> None:
    env = (("IP", RuntimeField("status.podIP")), ("URL", "http://$(IP)/$$"))
    spec = ContainerSpec(
        name="main",
        image="busybox",
        task_id=TaskId("t"),
        command=("/bin/sh", "-c", 'echo "$1 $URL $HOSTNAME $PWD"; hostname', "sh"),
        args=("at $(IP)",),
        env=env,
        working_dir="/tmp",
    )
    assert run(spec, downward={"status.podIP": "10.1.2.3"}) == ["at 10.1.2.3 http://10.1.2.3/$ web-0 /tmp", "web-0"]


def test_limits_reach_the_cgroup(run: Run) -> None:
    files = ("memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us", "cpu/cpu.shares")
    if not all((Path("/sys/fs/cgroup") / file).parent.is_dir() for file in files):
        pytest.skip("this node has not all of these cgroup v1 hierarchies")
    script = "; ".join(f"cat /sys/fs/cgroup/{file}" for file in files)
    spec = container(script, limits=Limits(cpus=0.25, memory_bytes=32 * 2**20))
    assert run(spec) == ["33554432", "25000", "256"]


def test_volumes_and_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pod/volumes/work").mkdir(parents=True)
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").write_text("from the node\n")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    mounts = (VolumeMount("work", "/work/deep"), VolumeMount("host", "/work", read_only=True))
    (tmp_path / "host/deep").mkdir()
    spec = container(
        "cat /work/file /etc/hosts; echo made > /work/deep/new; echo x 2>/dev/null > /work/no || echo read-only",
        mounts=mounts,
    )
    volumes = (EmptyDir("work"), HostPath("host", str(tmp_path / "host")))
    sources = (tmp_path / "pod/volumes/work", tmp_path / "host")
    lines = run(spec, volumes=volumes, hosts=tmp_path / "hosts", mount_sources=sources)
    assert [lines[0], lines[1], lines[-1]] == ["from the node", "127.0.0.1 localhost", "read-only"]
    assert (tmp_path / "pod/volumes/work/new").read_text() == "made\n"


def test_users_groups_and_capabilities(run: Run) -> None:
    script = "id -u; id -g; grep -E '^(Groups|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"
    security = Security(
        supplemental_groups=(7,),
        no_new_privileges=True,
        drop_capabilities=("CAP_ALL",),
        add_capabilities=("CAP_CHOWN", "CAP_KILL"),
    )
    user = UserIds(1000, 1001, (1002,))
    lines = [line.split() for line in run(container(script, security=security), user=user)]
    assert lines[:2] == [["1000"], ["1001"]]
    assert {line[0]: line[1:] for line in lines[2:]} == {
        "Groups:": ["7", "1001", "1002"],
        "CapEff:": [f"{0:016x}"],
        "CapBnd:": [f"{1 << 0 | 1 << 5:016x}"],
        "NoNewPrivs:": ["1"],
        "Seccomp:": ["2"],
    }


DENIED = """
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, NO_RANDOMIZE, AF_ALG, AF_NFC, AF_VSOCK = 0x10000000, 0x0040000, 38, 39, 40
calls = {
    "keyctl": (250, 0, 0), "io_uring_setup": (425, 1, 0), "unshare": (272, NEWUSER), "mount": (165, 0, 0, 0, 0, 0),
    "bpf": (321, 0, 0, 0), "userfaultfd": (323, 0), "clone": (56, NEWUSER | 17, 0, 0, 0, 0),
    "vsock": (41, AF_VSOCK, 1, 0), "alg": (41, AF_ALG, 5, 0), "personality": (135, NO_RANDOMIZE), "clone3": (435, 0, 0),
}
for family in (1, 2, 10, 16, 17, AF_NFC, 41, 44):
    found = libc.syscall(41, family, 3, 0)
    print(f"family {family}", "EPERM" if found < 0 and ctypes.get_errno() == errno.EPERM else "allowed")
for name, (number, *arguments) in calls.items():
    found = libc.syscall(number, *arguments)
    print(name, errno.errorcode.get(ctypes.get_errno(), "") if found < 0 else "passed")
"""


@pytest.mark.parametrize("profile", ["", "RuntimeDefault"])
def test_a_denied_call_gives_an_error(run: Run, profile: str) -> None:
    """By root, with the default capabilities, on the real runtime."""
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86_64")
    node = (VolumeMount("usr", "/usr", read_only=True), VolumeMount("lib", "/lib64", read_only=True))
    mounts = (*node, VolumeMount("etc", "/lib", read_only=True))
    volumes = (HostPath("usr", "/usr"), HostPath("lib", "/lib64"), HostPath("etc", "/lib"))
    spec = ContainerSpec(
        name="main",
        image="busybox",
        task_id=TaskId("t"),
        command=("/usr/bin/python3", "-IS", "-c", DENIED),
        security=Security(seccomp=profile),
        mounts=mounts,
    )
    sources = (Path("/usr"), Path("/lib64"), Path("/lib"))
    found = dict(line.rsplit(" ", 1) for line in run(spec, volumes=volumes, mount_sources=sources, machine="x86_64"))
    assert found.pop("clone3") == "ENOSYS"
    families = {name: found.pop(name) for name in list(found) if name.startswith("family ")}
    assert len(families) == 8 and set(families.values()) == {"allowed"}, families
    assert len(found) == 10 and set(found.values()) == {"EPERM"}, found


def test_ordinary_programs_run_with_the_default_profile(run: Run) -> None:
    script = """
        grep -c ^Seccomp:.2 /proc/self/status
        (echo forked; exit 3) || echo $?
        mkdir /tmp/d && chroot / true && chown 1:1 /tmp/d && mknod /tmp/n p && ls -ld /tmp/d | cut -d' ' -f1
        (nc -l -p 8000 </dev/null & until echo hi | nc -w 1 127.0.0.1 8000 2>/dev/null; do sleep 0.1; done; wait) 2>&1
        exec 2>/dev/null; sleep 1000 & kill $! && wait $!; echo $?
    """
    assert run(container(script), machine=os.uname().machine) == ["1", "forked", "3", "drwxr-xr-x", "hi", "143"]


def test_the_kernels_files_are_hidden_or_read_only(run: Run) -> None:
    script = (
        "cat /proc/interrupts | wc -c; (echo 1 > /proc/sys/vm/swappiness) 2>&1 | grep -ci read-only; ls /dev/pts/ptmx"
    )
    assert run(container(script)) == ["0", "1", "/dev/pts/ptmx"]


DEVICES = {"the node's console": "5 1", "kernel log": "1 11", "memory": "1 1", "terminal": "4 0", "pts": "136 0"}
OPENED = '(exec 3<>"$n") 2>/dev/null && echo "opened $n"'


def test_no_device_of_the_node_opens(run: Run, bundle: Path) -> None:
    """The default capabilities have MKNOD, and runc lets a node of any device be made. What a runtime allows against
    the document is in the next test.
    """
    numbers = [number for name, number in DEVICES.items() if not (by_crun() and name == "the node's console")]
    made = []
    for number in numbers:
        major, minor = map(int, number.split())
        os.mknod(bundle / f"rootfs/image-{major}-{minor}", 0o20666, os.makedev(major, minor))
        made.append(f"mknod /made-{major}-{minor} c {number}")
    script = f"{'; '.join(made)}; for n in /made-* /image-*; do {OPENED}; done; ls -d /made-* /image-* | wc -l"
    assert run(container(script)) == [str(2 * len(numbers))]


def test_what_a_runtime_allows_against_the_document_stays_closed(tmp_path: Path, bundle: Path, root: str) -> None:
    """As the executor does it, between the making of a container and its start: to nodes that the image brings, and to
    those that the container makes, for its first process and for another one.
    """
    names = {device: f"{device.major}-{device.minor}" for device in CLOSED}
    for device, name in names.items():
        os.mknod(bundle / f"rootfs/image-{name}", 0o20666, os.makedev(device.major, device.minor))
    made = "; ".join(f"mknod /made-{name} c {device.major} {device.minor}" for device, name in names.items())
    opens = f"for n in /image-* /made-* /dev/null; do {OPENED}; done"
    script = f"{made}; {opens}; echo end; exec sleep 1000"
    spec = container(script)
    placement = Placement(cgroups_path=f"{root}/main", pod_dir=tmp_path / "pod", hostname="web-0", user=UserIds(0, 0))
    (bundle / "config.json").write_text(json.dumps(runtime_spec(pod_of(spec, ()), spec, IMAGE, placement)))
    argv, name = ["runc", "--root", str(tmp_path / "state")], f"mpe-{os.getpid()}-closed"
    log = tmp_path / "log"
    with log.open("w") as output:
        subprocess.run(
            [*argv, "create", "--bundle", str(bundle), name],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=60,
            check=True,
        )
    try:
        devices.close(Cgroup(Hierarchies.discover(), f"{root}/main"), tuple(CLOSED))
        subprocess.run([*argv, "start", name], timeout=60, check=True)
        assert wait_for(lambda: "end" in log.read_text() or None, 20)
        assert log.read_text().splitlines() == ["opened /dev/null", "end"]
        again = ["/bin/sh", "-c", opens]
        found = subprocess.run([*argv, "exec", name, *again], capture_output=True, text=True, timeout=60, check=False)
        assert found.stdout.splitlines() == ["opened /dev/null"], found.stderr
    finally:
        subprocess.run([*argv, "delete", "--force", name], timeout=60, check=True)


def test_a_read_only_root(run: Run) -> None:
    assert "Read-only" in run(container("touch /x", security=Security(read_only_root=True)))[0]
