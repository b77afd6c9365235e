from __future__ import annotations

import pytest

from tests.bench.timeline import Row, median_rows, shares


def test_each_millisecond_of_a_launch_is_counted_once() -> None:
    rows = [
        Row("pod sandbox", 0, 10),
        Row("snapshot", 10, 20),
        Row("CNI ADD", 15, 40),
        Row("task create", 30, 80),
        Row("task start", 85, 130),
    ]
    found = shares(rows, 100)
    assert found == {"shim and runc": 65, "containerd": 10, "CNI plugin": 10, "executor": 15}
    assert sum(found.values()) == pytest.approx(100)


def test_a_row_is_shown_if_most_launches_have_it() -> None:
    launches = [
        [Row("lease", 1, 2), Row("lease", 5, 6)],
        [Row("lease", 3, 4), Row("lease", 7, 8), Row("look-up", 0, 1)],
        [Row("lease", 2, 3)],
    ]
    assert median_rows(launches) == [Row("lease", 2, 3), Row("lease", 6, 7)]
