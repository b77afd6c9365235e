"""Documents from outside that nest without end: each reader answers as for any other document that it cannot use."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.cni.config import conflist
from executor.cni.plugins.plugin import read_outcome
from executor.cni.records.cache import Cache
from executor.control.server import Server, socket_path
from executor.dns.tasks import parse_note
from executor.errors import ImageFailure, InvalidConfig, InvalidRequest, NetworkFailure
from executor.images import manifest
from executor.log import journal, journal_files
from executor.names import MesosContainerId
from executor.node import claims as owners
from executor.revocation import messages
from tests.support.control import Handlers, ask

DEEP = b"[" * 2_000 + b"]" * 2_000
DEEP_OBJECT = b'{"a":' * 2_000 + b"1" + b"}" * 2_000
BOTH = pytest.mark.parametrize("deep", [DEEP, DEEP_OBJECT], ids=["lists", "objects"])


@BOTH
def test_image_documents(deep: bytes) -> None:
    with pytest.raises(ImageFailure, match=r"image: not a JSON document: nests deeper than 64"):
        manifest.document(deep, subject="image")


@BOTH
def test_a_plugins_result(deep: bytes) -> None:
    assert "something else than a JSON object" in str(read_outcome(0, deep, b"").error)
    assert "exited with status 1" in str(read_outcome(1, deep, b"").error)


@BOTH
def test_a_network_configuration(deep: bytes) -> None:
    with pytest.raises(InvalidConfig, match="nests deeper than 64"):
        conflist.parse(deep.decode(), "10-x.conf")
    assert conflist.network_name(deep.decode()) == ""


@BOTH
def test_the_record_of_an_attachment(tmp_path: Path, deep: bytes) -> None:
    (tmp_path / "pod-1").mkdir()
    (tmp_path / "pod-1" / "eth0.json").write_bytes(deep)
    with pytest.raises(NetworkFailure, match="unreadable record"):
        Cache(tmp_path).of("pod-1")


@BOTH
def test_lines_of_a_journal(tmp_path: Path, deep: bytes) -> None:
    good = json.dumps({"seq": 7, "time": "2026-01-01T00:00:00.000Z", "code": "pod.running"}).encode()
    (tmp_path / journal_files.FILE).write_bytes(deep + b"\n" + good + b"\n")
    assert [event["seq"] for event in journal_files.read(tmp_path)] == [7]
    assert journal.Journal(tmp_path / journal_files.FILE).last_seq == 7


def test_an_owner_file(tmp_path: Path) -> None:
    (tmp_path / f"x{owners.SUFFIX}").write_bytes(DEEP)
    assert owners.listed(tmp_path) == [owners.Owner(MesosContainerId("x"))]


@BOTH
def test_a_message(deep: bytes) -> None:
    with pytest.raises(InvalidRequest, match="nests deeper than 16"):
        messages.request(deep)


@BOTH
def test_a_note_of_the_name_server(deep: bytes) -> None:
    assert parse_note(deep.decode()) is None


@BOTH
async def test_a_request_of_the_control_socket(tmp_path: Path, deep: bytes) -> None:
    path = socket_path(tmp_path / "run", "c0ffee")
    async with Server(path, Handlers().routes()):
        status, answer = await ask(path, "POST", "/v1/echo/x", deep)
        assert (status, answer["error"]["message"]) == (400, "not valid: nests deeper than 64")
        assert (await ask(path, "POST", "/v1/echo/x", b"{}"))[0] == 200


def test_many_values() -> None:
    many: Any = [0] * 20_000
    with pytest.raises(ImageFailure, match="has more than 50000 values"):
        manifest.document(json.dumps({"config": [many] * 3}).encode(), subject="image")
    assert "something else" in str(read_outcome(0, json.dumps({"ips": many}).encode(), b"").error)


def test_what_a_plugin_says_of_an_error_has_an_end() -> None:
    printed = json.dumps({"code": 11, "msg": "iptables " * 100_000, "details": "iptables " * 10_000}).encode()
    begin = time.process_time()
    error = read_outcome(1, printed, b"").error
    assert error is not None
    assert error.is_passing and len(str(error)) < 5000
    assert not replace(error, code=None).is_passing
    assert time.process_time() - begin < 0.5


def test_layers_of_an_image_have_an_end() -> None:
    layer = {"digest": f"sha256:{'a' * 64}", "size": 1}
    with pytest.raises(ImageFailure, match="501 layers, which is more than 500"):
        manifest.manifest(json.dumps({"config": layer, "layers": [layer] * 501}).encode(), subject="image")
