"""The logs of a pod that used too much disk are cut to their ends, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

from executor.disk.agentquota import enforces
from executor.disk.logs import KEEP_BYTES, cut
from executor.disk.space import Space
from executor.own_directory import OwnDirectory


def test_the_ends_are_kept(tmp_path: Path) -> None:
    (tmp_path / "app.stdout").write_bytes(b"old " * KEEP_BYTES + b"the end")
    (tmp_path / "app.stderr").write_bytes(b"short")
    (tmp_path / "app.stdout.1").write_bytes(b"x" * 1000)
    (tmp_path / "hosts").write_bytes(b"x" * KEEP_BYTES * 2)
    (tmp_path / "other.stdout").write_bytes(b"x" * KEEP_BYTES * 2)
    (tmp_path / "volumes").mkdir()
    assert cut(OwnDirectory.at(str(tmp_path)), ["app"]) == 4 * KEEP_BYTES + 7 - KEEP_BYTES + 1000
    assert (tmp_path / "app.stdout").read_bytes().endswith(b"old the end")
    assert (tmp_path / "app.stdout").stat().st_size == KEEP_BYTES
    assert (tmp_path / "app.stderr").read_bytes() == b"short"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "app.stderr", "app.stdout", "hosts", "other.stdout", "volumes",
    ]  # fmt: skip
    assert cut(OwnDirectory.at(str(tmp_path)), ["app"]) == 0


def test_space_adds_up_what_is_written_and_forgets_nothing(tmp_path: Path) -> None:
    """Others may remove files at the same time, so it is tried some times."""
    assert any(_seen_to_grow(tmp_path) for _ in range(20))


def _seen_to_grow(directory: Path) -> bool:
    space = Space()
    assert space.look([directory, directory]) == 0
    with (directory / "f").open("wb") as file:
        file.write(b"x" * (32 << 20))
        file.flush()
        after = space.look([directory])
    (directory / "f").unlink()
    assert space.look([directory, Path("/nowhere")]) >= after
    return after >= 30 << 20


def test_which_agents_hold_an_executor_to_its_disk() -> None:
    quota = {"enforce_container_disk_quota": "true"}
    assert enforces({"isolation": "cgroups/cpu,disk/du", **quota})
    assert enforces({"isolation": "posix/disk", **quota}) and enforces({"isolation": "disk/xfs"})
    assert not enforces({"isolation": "disk/du", "enforce_container_disk_quota": "false"})
    assert not enforces({"isolation": "cgroups/cpu", **quota}) and not enforces({})
