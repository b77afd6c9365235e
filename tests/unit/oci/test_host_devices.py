"""Devices of the node that a privileged container gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from executor.oci import host_devices
from executor.spec.model import ContainerSpec, PodSpec
from executor.spec.volume_model import HostPath, VolumeMount
from tests.unit.oci.test_document import document, with_container


def test_the_devices_of_this_machine() -> None:
    found = {device.path: device for device in host_devices.devices()}
    assert not {"/dev/null", "/dev/tty", "/dev/ptmx"} & found.keys()
    assert all(device.type in "cb" and device.major >= 0 for device in found.values())
    assert not any(path.startswith(("/dev/pts/", "/dev/shm/")) for path in found)


def test_files_and_what_is_not_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/dev/null")
    assert host_devices.devices(tmp_path) == host_devices.devices(tmp_path / "nothing") == ()


def with_devices(*volumes: HostPath, read_only: bool = False) -> tuple[PodSpec, ContainerSpec]:
    mounts = tuple(VolumeMount(each.name, f"/{each.name}", read_only) for each in volumes)
    spec = replace(with_container(mounts=mounts), volumes=volumes)
    return spec, spec.containers[0]


def test_a_device_that_the_policy_lists_can_be_opened() -> None:
    spec, container = with_devices(HostPath("zero", "/dev/zero", beneath="/dev/zero"))
    (granted,) = host_devices.granted(spec, container)
    assert granted.rule() == {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rw"}
    rules = document(spec, granted_devices=(granted,))["linux"]["resources"]["devices"]
    assert rules[0]["allow"] is False and rules[-1] == granted.rule()
    (granted,) = host_devices.granted(*with_devices(*spec.host_paths, read_only=True))
    assert granted.rule()["access"] == "r"


def test_no_other_device_can(tmp_path: Path) -> None:
    gone = HostPath("gone", "/dev/no-such", beneath="/dev/no-such")
    privileged = HostPath("wide", "/dev/zero")
    link = tmp_path / "zero"
    link.symlink_to("/dev/zero")
    elsewhere = HostPath("link", str(link), beneath=str(tmp_path))
    assert host_devices.granted(*with_devices(gone, privileged, elsewhere)) == ()


def test_where_huge_pages_can_be_limited(tmp_path: Path) -> None:
    """By runc: it takes a hybrid node for one of v1."""
    for name in ("hugepages-2048kB", "hugepages-1048576kB"):
        (tmp_path / "pages" / name).mkdir(parents=True)

    def sizes(v1: dict[str, Path], unified: Path | None) -> tuple[int, ...]:
        return host_devices.limited_huge_pages(v1, unified, tmp_path / "pages")

    both = (2 << 20, 1 << 30)
    assert sizes({"hugetlb": tmp_path}, None) == both
    (tmp_path / "cgroup.controllers").write_text("cpu hugetlb\n")
    assert sizes({}, tmp_path) == both
    assert sizes({"memory": tmp_path}, tmp_path) == sizes({}, None) == sizes({}, tmp_path / "none") == ()
    assert host_devices.limited_huge_pages({"hugetlb": tmp_path}, None, tmp_path / "none") == ()
