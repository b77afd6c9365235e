"""Devices of the node that a privileged container gets."""

from __future__ import annotations

from pathlib import Path

from executor.oci import host_devices


def test_the_devices_of_this_machine() -> None:
    found = {device.path: device for device in host_devices.devices()}
    assert not {"/dev/null", "/dev/tty", "/dev/ptmx"} & found.keys()
    assert all(device.type in "cb" and device.major >= 0 for device in found.values())
    assert not any(path.startswith(("/dev/pts/", "/dev/shm/")) for path in found)


def test_files_and_what_is_not_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/dev/null")
    assert host_devices.devices(tmp_path) == host_devices.devices(tmp_path / "nothing") == ()
