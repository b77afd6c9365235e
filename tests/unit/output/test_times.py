"""The index of a log's times: bounded, right across rotations, and no line is left out of what it finds."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from executor.output import times
from executor.output.logfile import LogFile
from executor.output.times import Entry, Times
from executor.own_directory import OwnDirectory

ENTRIES = [Entry(100.0, 0, run=True), Entry(110.0, 50), Entry(120.0, 80, run=True), Entry(180.0, 90, 60)]


@pytest.mark.parametrize(
    ("at_s", "since", "until"),
    [
        (99.0, 0, 0),
        (100.0, 0, 50),
        (100.5, 0, 50),
        (101.0, 50, 50),
        (115.0, 80, 80),
        (120.0, 80, 90),
        (239.0, 90, None),
        (241.0, None, None),
    ],
)
def test_places_of_times(at_s: float, since: int | None, until: int | None) -> None:
    assert (times.since(ENTRIES, at_s), times.until(ENTRIES, at_s)) == (since, until)


def test_times_of_places() -> None:
    assert [times.at(ENTRIES, place) for place in (0, 49, 50, 89, 1000)] == [100.0, 100.0, 110.0, 120.0, 180.0]
    assert times.at(ENTRIES[1:], 3) is None and times.at([], 0) is None
    assert times.runs(ENTRIES) == [0, 80]


def test_without_an_index_everything_is_since() -> None:
    assert times.since([], 5.0) == 0 and times.until([], 5.0) is None


def test_what_is_packed_is_read() -> None:
    data = b"".join(each.packed() for each in ENTRIES)
    found = times.unpacked(data + b"half")
    assert [(each.at_s, each.place, each.span_s, each.run) for each in found] == [
        (each.at_s, each.place, each.span_s, each.run) for each in ENTRIES
    ]


def test_a_thinned_index_finds_all_that_the_whole_one_found() -> None:
    whole = [Entry(1000.0 + second, second * 10, run=second % 500 == 0) for second in range(2000)]
    thin = times.thinned(whole, most=2000)
    assert len(thin) <= 1500 and times.runs(thin) == times.runs(whole)
    for at_s in range(1000, 3000, 7):
        found, exact = times.since(thin, at_s), times.since(whole, at_s)
        assert found is not None and exact is not None and exact - 600 <= found <= exact
    again = times.thinned(thin, most=200)
    assert len(again) == 150 and again[-1].place == whole[-1].place, "the oldest go at last"


def test_a_clock_that_goes_back_loses_no_entry() -> None:
    entries = [Entry(1000.0, 0), Entry(400.0, 10), Entry(401.0, 20), Entry(402.0, 30)] * 2
    assert [each.place for each in times.thinned(entries, most=100)][:2] == [0, 10]


def test_the_writer_bounds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9, 2 * 10**9))
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    index = Times(OwnDirectory.at(str(tmp_path)), "app.stdout")
    for place in range(times.MOST * 2):
        index.note(place)
    found = times.read(OwnDirectory.at(str(tmp_path)), "app.stdout")
    assert times.MOST // 2 <= len(found) <= times.MOST
    assert found[-1].place == times.MOST * 2 - 1
    assert [path.name for path in tmp_path.iterdir()] == [".app.stdout.times"]


def test_places_are_those_of_the_log_across_rotations_and_writers(tmp_path: Path) -> None:
    directory = OwnDirectory.at(str(tmp_path))
    data = bytearray(b"x" * 59 + b"\n")
    for _ in range(3):
        with closing(LogFile(directory, "app.stdout", 100, 1)) as log:
            log.open()
            log.begin_run()
            log.append(data, len(data))
            log.append(data, len(data))
    assert times.runs(times.read(directory, "app.stdout")) == [0, 120, 240]


def test_a_link_in_the_place_of_the_index_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod/.app.stdout.times").symlink_to(other)
    directory = OwnDirectory.at(str(tmp_path / "pod"))
    Times(directory, "app.stdout").note(0, run=True)
    assert other.read_text() == "mine" and times.read(directory, "app.stdout") == []
    (tmp_path / "pod/.app.stdout.times").unlink()
    Times(directory, "app.stdout").note(7, run=True)
    assert times.runs(times.read(directory, "app.stdout")) == [7]
