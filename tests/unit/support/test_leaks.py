from __future__ import annotations

from pathlib import Path

from tests.support import leaks


def test_reservations_are_told_from_the_plugin_s_own_files(tmp_path: Path) -> None:
    (tmp_path / "podnet").mkdir()
    for name in ("10.1.0.2", "fd00::2", "last_reserved_ip.0", "lock"):
        (tmp_path / "podnet" / name).touch()
    assert sorted(leaks.reserved_ips([tmp_path, tmp_path / "missing"])) == ["podnet/10.1.0.2", "podnet/fd00::2"]


def test_what_was_there_before_does_not_count() -> None:
    before = leaks.Leaks({"netns": ("/run/netns/a",)})
    after = leaks.Leaks({"netns": ("/run/netns/a", "/run/netns/b"), "ips": ()}).since(before)
    assert after.counts() == {"netns": 1, "ips": 0}
    assert str(after) == "netns: /run/netns/b"
    assert not leaks.Leaks({"netns": ()})
