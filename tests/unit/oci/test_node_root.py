"""Which directories of the node a container without an image has."""

from __future__ import annotations

from pathlib import Path

from executor.oci import node_root


def test_every_directory_but_those_of_the_container_s_own(tmp_path: Path) -> None:
    for name in ("usr/bin", "etc", "proc", "sys", "dev", "run/lock", "lost+found", "mnt/mesos", "mnt/disk", "srv"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "kernel").symlink_to("/proc/self")
    (tmp_path / "vmlinuz").touch()
    found = dict(node_root.directories(tmp_path))
    assert found == {
        "/bin": str(tmp_path / "usr/bin"),
        "/etc": str(tmp_path / "etc"),
        "/mnt/disk": str(tmp_path / "mnt/disk"),
        "/srv": str(tmp_path / "srv"),
        "/usr": str(tmp_path / "usr"),
    }
