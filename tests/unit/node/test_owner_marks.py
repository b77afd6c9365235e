"""Links that carry a text: whole or not there, and gone with the last thing beside them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from executor.names import MesosContainerId
from executor.node import owner_marks

TEXT = '{"path":"/run/x"}'


def test_a_mark_is_read_back_and_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "cni" / "one"
    assert owner_marks.read(directory) == ""
    owner_marks.put(directory, "old")
    owner_marks.put(directory, TEXT)
    assert owner_marks.read(directory) == TEXT
    (tmp_path / "cni" / "old-version").mkdir()
    (tmp_path / "cni" / ".hidden").mkdir()
    assert dict(owner_marks.of_directories(tmp_path / "cni")) == {
        MesosContainerId("one"): TEXT,
        MesosContainerId("old-version"): "",
    }
    assert list(owner_marks.of_directories(tmp_path / "missing")) == []


def test_a_mark_goes_with_its_directory_only_when_nothing_is_beside_it(tmp_path: Path) -> None:
    directory = tmp_path / "cni" / "one"
    owner_marks.put(directory, TEXT)
    (directory / "pod-1").mkdir()
    with pytest.raises(OSError, match="pod-1"):
        owner_marks.remove(directory)
    assert owner_marks.read(directory) == TEXT
    (directory / "pod-1").rmdir()
    (directory / ".owner-0badcafe").symlink_to("of a crash")
    owner_marks.remove(directory)
    owner_marks.remove(directory)
    assert list(tmp_path.iterdir()) == []


def test_executors_that_come_and_go_at_the_same_time(tmp_path: Path) -> None:
    """One removes the common directory, empty, while another makes its own in it."""
    failures: list[BaseException] = []

    def come_and_go(name: str) -> None:
        try:
            for _ in range(200):
                owner_marks.put(tmp_path / "cni" / name, TEXT)
                assert owner_marks.read(tmp_path / "cni" / name) == TEXT
                owner_marks.remove(tmp_path / "cni" / name)
        except BaseException as error:  # noqa: BLE001  reported by the test
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(f"e{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
