"""The node's files of names: of any bytes, of any size, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from executor.cni.resolver import has_loopback_only
from executor.doctor import resolving
from executor.own_directory import OwnDirectory
from executor.pod.network import host_files

STUB = "nameserver 127.0.0.53\noptions edns0 trust-ad\n"
BEHIND = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch example.org\n"


@pytest.mark.parametrize(
    "content", [b"", b"10.0.0.1 caf\xe9\n", "10.0.0.1 caf\xe9 \u2028\n".encode(), bytes(range(256))]
)
def test_every_byte_passes_through(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hosts").write_bytes(content)
    host_files.write(OwnDirectory.at(str(tmp_path)), "copy", host_files.read(tmp_path / "hosts"))
    assert (tmp_path / "copy").read_bytes() == content


@pytest.mark.parametrize("before", [b"", b"10.0.0.1 a\n", b"10.0.0.1 a, and more\n", b"10.0.0.1"])
def test_a_file_is_written_in_place_and_only_if_it_changes(tmp_path: Path, before: bytes) -> None:
    file, text = tmp_path / "hosts", "10.0.0.1 a\n"
    file.write_bytes(before)
    os.utime(file, ns=(1, 1))
    inode = file.stat().st_ino
    host_files.write(OwnDirectory.at(str(tmp_path)), "hosts", text)
    assert (file.read_text(), file.stat().st_ino) == (text, inode)
    assert (file.stat().st_mtime_ns == 1) == (before == text.encode())


def test_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert host_files.read(tmp_path / "none") == host_files.read(tmp_path) == ""


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_bytes(b"10.0.0.1 a\n" * (host_files.MOST_BYTES // 10))
    text = host_files.read(tmp_path / "hosts")
    assert host_files.MOST_BYTES - 11 <= len(text) <= host_files.MOST_BYTES and text.endswith("\n10.0.0.1 a\n")


@pytest.mark.parametrize(
    ("own", "behind", "on_host", "expected"),
    [
        (STUB, BEHIND, False, BEHIND),
        (STUB, BEHIND, True, STUB),
        (STUB, "", False, STUB),
        (STUB, "# none\n", False, STUB),
        (BEHIND, "nameserver 192.0.2.9\n", False, BEHIND),
        (STUB + "nameserver 192.0.2.7\n", BEHIND, False, STUB + "nameserver 192.0.2.7\n"),
    ],
)
def test_the_servers_behind_a_stub(tmp_path: Path, own: str, behind: str, *, on_host: bool, expected: str) -> None:
    (tmp_path / "own").write_text(own)
    if behind:
        (tmp_path / "behind").write_text(behind)
    assert host_files.resolv_conf(on_host=on_host, path=tmp_path / "own", behind=tmp_path / "behind") == expected


@pytest.mark.parametrize(
    ("text", "alone"),
    [("", False), ("nameserver ::1\n", True), (STUB, True), (BEHIND, False), ("nameserver x\n", False)],
)
def test_loopback_only(text: str, *, alone: bool) -> None:
    assert has_loopback_only(text) is alone


@pytest.mark.parametrize(
    ("own", "for_pods", "verdict", "words"),
    [
        (STUB, BEHIND, "pass", "behind it: 192.0.2.1, 192.0.2.2"),
        (STUB, STUB, "warn", "loopback only (127.0.0.53)"),
        ("", "", "warn", "names no server"),
        (BEHIND, BEHIND, "pass", "ask 192.0.2.1, 192.0.2.2"),
    ],
)
def test_what_doctor_says_of_it(own: str, for_pods: str, verdict: str, words: str) -> None:
    found = resolving.judge(own, for_pods)
    assert found.verdict == verdict and words in found.message and bool(found.hint) == (verdict == "warn")
