"""Archives: what of them is unpacked, and that nothing of them leaves the directory or its bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from executor.errors import Failure
from executor.fetching import unpack
from executor.fetching.unpack import Room

PLENTY = 1 << 30


def member(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644):  # type: ignore[no-untyped-def]
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(content)
    return info, content


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def unpacked(tmp_path: Path, name: str, content: bytes, room: Room | None = None) -> Path:
    archive, target = tmp_path / "archive", tmp_path / "target"
    archive.write_bytes(content)
    target.mkdir(exist_ok=True)
    file, directory = os.open(archive, os.O_RDONLY), os.open(target, os.O_RDONLY)
    try:
        unpack.unpack(file, name, directory, room or Room(PLENTY))
    finally:
        os.close(file)
        os.close(directory)
    return target


ENTRIES = (
    member("lib", kind=tarfile.DIRTYPE),
    member("lib/run", b"#!/bin/sh", mode=0o4755),
    member("link", kind=tarfile.SYMTYPE, link="lib/run"),
    member("same", kind=tarfile.LNKTYPE, link="lib/run"),
    member("/top", b"absolute"),
)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "a.tar": bytes,
    "a.tgz": gzip.compress,
    "a.tar.gz": gzip.compress,
    "a.tbz2": bz2.compress,
    "a.tar.bz2": bz2.compress,
    "a.txz": lzma.compress,
    "a.tar.xz": lzma.compress,
}


@pytest.mark.parametrize("name", PACKERS)
def test_a_tar_archive(tmp_path: Path, name: str) -> None:
    assert unpack.is_archive(name)
    target = unpacked(tmp_path, name, PACKERS[name](tar(*ENTRIES)))
    run = target / "lib/run"
    assert run.read_text() == "#!/bin/sh" and stat.S_IMODE(run.stat().st_mode) == 0o755
    assert str((target / "link").readlink()) == "lib/run" and (target / "same").samefile(run)
    assert (target / "top").read_text() == "absolute"


def test_a_zip_archive(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("plain", "text")
        run = zipfile.ZipInfo("bin/run")
        run.external_attr = (stat.S_IFREG | 0o4755) << 16
        archive.writestr(run, "#!/bin/sh")
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "bin/run")
    target = unpacked(tmp_path, "a.zip", content.getvalue())
    assert (target / "plain").read_text() == "text" and str((target / "link").readlink()) == "bin/run"
    assert stat.S_IMODE((target / "bin/run").stat().st_mode) == 0o755


def zipped(name: str, mode: int, content: str = "") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, content)
    return target.getvalue()


@pytest.mark.parametrize("name", ["/top/file", "//top/file", "./top//file"])
def test_an_absolute_name_in_a_zip_archive_is_below_the_directory(tmp_path: Path, name: str) -> None:
    assert (unpacked(tmp_path, "a.zip", zipped(name, stat.S_IFREG | 0o600, "x")) / "top/file").read_text() == "x"


def test_a_directory_in_a_zip_archive_that_only_its_mode_names(tmp_path: Path) -> None:
    assert (unpacked(tmp_path, "a.zip", zipped("empty", stat.S_IFDIR | 0o755)) / "empty").is_dir()


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_a_zip_archive_has_no_devices(tmp_path: Path, kind: int) -> None:
    with pytest.raises(Failure, match="neither a file, a directory nor a link") as caught:
        unpacked(tmp_path, "a.zip", zipped("odd", kind | 0o666))
    assert caught.value.subject == "odd" and not (tmp_path / "target/odd").exists()


def test_a_link_in_a_zip_archive_leads_no_later_file_out(tmp_path: Path) -> None:
    target = io.BytesIO(zipped("up", stat.S_IFLNK | 0o777, ".."))
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("up/out", "x")
    with pytest.raises(Failure):
        unpacked(tmp_path, "a.zip", target.getvalue())
    assert not (tmp_path / "out").exists()


def test_a_hard_link_to_a_link_is_the_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    links = [member("soft", kind=tarfile.SYMTYPE, link="../secret"), member("hard", kind=tarfile.LNKTYPE, link="soft")]
    target = unpacked(tmp_path, "a.tar", tar(*links, member("hard", b"mine")))
    assert str((target / "soft").readlink()) == "../secret" and (target / "hard").read_bytes() == b"mine"
    assert (tmp_path / "secret").read_text() == "secret" and (tmp_path / "secret").stat().st_nlink == 1


def test_a_single_file(tmp_path: Path) -> None:
    assert (unpacked(tmp_path, "dir/notes.txt.gz", gzip.compress(b"text")) / "notes.txt").read_bytes() == b"text"


def test_what_is_no_archive_is_left() -> None:
    assert not any(map(unpack.is_archive, ("run", "a.jar", "tar", "a.zst")))


HOSTILE: dict[str, Iterable[tuple[tarfile.TarInfo, bytes]]] = {
    "a name that leads upwards": [member("../out", b"x")],
    "a name that leads upwards from within": [member("a/../../out", b"x")],
    "a directory that leads upwards": [member("../out", kind=tarfile.DIRTYPE)],
    "through a link to the directory above": [member("up", kind=tarfile.SYMTYPE, link=".."), member("up/out", b"x")],
    "through a link that is absolute": [member("up", kind=tarfile.SYMTYPE, link="/"), member("up/out", b"x")],
    "through links in a row": [
        member("a", kind=tarfile.SYMTYPE, link=".."),
        member("b", kind=tarfile.SYMTYPE, link="a"),
        member("b/out", b"x"),
    ],
    "a hard link to what is above": [member("in", kind=tarfile.LNKTYPE, link="../secret")],
    "a hard link through a link": [
        member("up", kind=tarfile.SYMTYPE, link=".."),
        member("in", kind=tarfile.LNKTYPE, link="up/secret"),
    ],
    "a hard link to nothing": [member("in", kind=tarfile.LNKTYPE, link=".")],
    "a device": [member("null", kind=tarfile.CHRTYPE)],
    "a FIFO": [member("fifo", kind=tarfile.FIFOTYPE)],
    "no name": [member("./", b"x")],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_leaves_the_directory(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(Failure):
        unpacked(tmp_path, "a.tar", tar(*HOSTILE[kind]))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["archive", "secret", "target"]
    assert (tmp_path / "secret").stat().st_nlink == 1 and not (tmp_path / "target/in").exists()


def test_a_file_replaces_a_link_and_is_not_written_through_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    through = [member("in", kind=tarfile.SYMTYPE, link="../secret"), member("in", b"mine")]
    target = unpacked(tmp_path, "a.tar", tar(*through))
    assert (tmp_path / "secret").read_text() == "secret" and (target / "in").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "content", [b"no archive", gzip.compress(b"\0" * 5000, mtime=0)[:20], b"PK\3\4"], ids=["text", "gzip", "zip"]
)
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip", "a.gz", "a.tar.xz"])
def test_what_is_damaged_is_one_clear_failure(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(Failure, match="cannot be unpacked") as caught:
        unpacked(tmp_path, name, content)
    assert caught.value.subject == name


def test_a_bomb_ends_at_the_room_of_the_task(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="larger than the disk"):
        unpacked(tmp_path, "a.gz", gzip.compress(b"\0" * (8 << 20)), Room(3 << 20))
    assert (tmp_path / "target/a").stat().st_size <= 3 << 20


def test_the_depth_of_directories_is_bounded(tmp_path: Path) -> None:
    """What is unpacked is given to its user by a walk, which holds each directory above."""
    deep = "/".join(["d"] * 100)
    assert (unpacked(tmp_path, "a.tar", tar(member(f"{deep}/f", b"x"))) / deep / "f").read_bytes() == b"x"
    for too_deep in (member(f"{deep}/d/f", b"x"), member(f"{deep}/d", kind=tarfile.DIRTYPE)):
        with pytest.raises(Failure, match="is in more than 100 directories"):
            unpacked(tmp_path, "a.tar", tar(too_deep))


def test_the_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "ENTRIES_MAX", 2)
    with pytest.raises(Failure, match="more than 2 files"):
        unpacked(tmp_path, "a.tar", tar(*(member(str(n)) for n in range(3))))
