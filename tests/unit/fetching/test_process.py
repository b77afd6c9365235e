"""Fetching by the helper process: over HTTP from a server, files by descriptor, within bounds, and its end."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import stat
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from executor.errors import Failure
from executor.fetching.process import Item, Proxies, fetch
from tests.support.mesos.server import wait_until

PLENTY = 1 << 30
USER = "Basic " + base64.b64encode(b"me:se cret").decode()


def tar() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        info = tarfile.TarInfo("lib/app")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"code"))
    return target.getvalue()


ARCHIVE = tar()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body, status = {"/a.tar.gz": ARCHIVE, "/run": b"#!/bin/sh", "/large": b"x" * 100_000}.get(self.path), 200
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("location", "/run")
            self.end_headers()
            return
        if self.path == "/mine":
            body, status = (b"mine", 200) if self.headers.get("authorization") == USER else (b"", 401)
        if self.path == "/hangs":
            threading.Event().wait(60)
        self.send_response(404 if body is None else status)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{http.server_port}"
        http.shutdown()


async def fetched(
    tmp_path: Path, *items: Item, limit_bytes: int = PLENTY, limit_s: float = 60, guarded: bool = False
) -> Path:
    target = tmp_path / "sandbox"
    target.mkdir(exist_ok=True)
    directory = os.open(target, os.O_RDONLY)
    try:
        await fetch(items, directory, limit_bytes, Proxies(), guarded=guarded, limit_s=limit_s)
    finally:
        os.close(directory)
    return target


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_each_file_as_it_is_wanted(server: str, tmp_path: Path) -> None:
    url = f"http://{server}"
    target = await fetched(
        tmp_path,
        Item(f"{url}/a.tar.gz", "a.tar.gz"),
        Item(f"{url}/a.tar.gz", "kept/b.tar.gz", extract=False),
        Item(f"{url}/run", "bin/run", executable=True),
        Item(f"{url}/moved", "moved"),
        Item(f"http://me:se%20cret@{server}/mine", "mine"),
    )
    assert (target / "lib/app").read_bytes() == b"code" and (target / "a.tar.gz").exists()
    assert (target / "kept/b.tar.gz").read_bytes() == ARCHIVE and not (target / "kept/lib").exists()
    assert mode(target / "bin/run") == 0o755 and mode(target / "moved") == 0o644
    assert (target / "mine").read_bytes() == b"mine"


async def test_a_file_of_the_node_by_descriptor(tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(ARCHIVE)
    file = os.open(tmp_path / "local", os.O_RDONLY)
    target = await fetched(tmp_path, Item("/opt/a.tgz", "a.tgz", file=file))
    os.close(file)
    assert (target / "lib/app").read_bytes() == b"code"


async def test_a_later_file_replaces_an_earlier_one_and_no_link_is_followed(server: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox/out").symlink_to("../secret")
    url = f"http://{server}"
    target = await fetched(tmp_path, Item(f"{url}/large", "one"), Item(f"{url}/run", "one"))
    assert (target / "one").read_bytes() == b"#!/bin/sh"
    with pytest.raises(Failure, match="cannot be written"):
        await fetched(tmp_path, Item(f"{url}/run", "out"))
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.parametrize(("path", "words"), [("/none", "answers 404"), ("/mine", "answers 401")])
async def test_what_the_server_refuses(server: str, tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(Failure, match=words):
        await fetched(tmp_path, Item(f"http://{server}{path}", "a"))


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot be reached"):
        await fetched(tmp_path, Item("http://127.0.0.1:1/a", "a"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"])
async def test_a_role_that_may_not_share_the_node_s_network_asks_no_address_of_its_own(
    server: str, tmp_path: Path, host: str
) -> None:
    port = server.rpartition(":")[2]
    with pytest.raises(Failure, match="the role may not ask it"):
        await fetched(tmp_path, Item(f"http://{host}:{port}/run", "a"), guarded=True)
    assert not (tmp_path / "sandbox/a").read_bytes()


async def test_more_than_the_disk_of_the_task(server: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="larger than the disk") as caught:
        await fetched(tmp_path, Item(f"http://{server}/large", "a"), limit_bytes=1000)
    assert caught.value.subject == "a"


async def test_a_password_is_in_no_message(server: str, tmp_path: Path) -> None:
    for path, limit_bytes in (("/none", PLENTY), ("/large", 10)):
        with pytest.raises(Failure) as caught:
            await fetched(tmp_path, Item(f"http://me:hunter2@{server}{path}", "a"), limit_bytes=limit_bytes)
        assert "hunter2" not in str(caught.value)


async def test_a_server_that_says_nothing_ends_at_the_limit_and_so_does_the_helper(server: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="within 1 s"):
        await fetched(tmp_path, Item(f"http://{server}/hangs", "a"), limit_s=1)
    assert not helpers()


async def test_a_cancelled_fetch_leaves_no_helper(server: str, tmp_path: Path) -> None:
    task = asyncio.create_task(fetched(tmp_path, Item(f"http://{server}/hangs", "a")))
    await asyncio.to_thread(wait_until, lambda: bool(helpers()), 20, lambda: "no helper has started")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not helpers()


def helpers() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "executor.fetching" in " ".join(each.cmdline())]


async def test_a_file_is_in_no_deeper_directory_than_can_be_walked(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    name = "/".join(["d"] * 101) + "/run"
    words = "cannot be written: is in more than 100 directories"
    with (tmp_path / "run").open() as file, pytest.raises(Failure, match=words):
        await fetched(tmp_path, Item("/run", name, file=file.fileno()))
