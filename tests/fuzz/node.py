"""What the node gives: plugins, the control socket, files of the operator and of the kernel, the journal."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from cgroups.mounts import parse_membership, parse_mountinfo
from executor.cli.history import verdict
from executor.cni.config import conflist, lint
from executor.cni.plugins import result
from executor.cni.plugins.plugin import read_outcome
from executor.cni.resolver import has_loopback_only, parse_resolv_conf
from executor.config import load
from executor.control.http import Connection, Limits, Request, Response
from executor.control.socket import Peer
from executor.dns.tasks import parse_note
from executor.errors import InvalidConfig
from executor.log import journal_files, timeline


class _Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return

    def is_closing(self) -> bool:
        return self.closed

    def write_eof(self) -> None:
        return

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        return


_LOOP = asyncio.new_event_loop()
_LIMITS = Limits(connections=4, header_bytes=8192, body_bytes=1 << 20, receive_s=5, send_s=5)


async def _echo(request: Request) -> Response:
    return Response({"path": request.path, "query": request.query, "body": request.body, "host": request.host})


async def _serve(data: bytes) -> bytes:
    reader = asyncio.StreamReader(limit=1 << 21)
    protocol, wire = asyncio.StreamReaderProtocol(reader), _Wire()
    protocol.connection_made(wire)
    reader.feed_data(data)
    reader.feed_eof()
    writer = asyncio.StreamWriter(wire, protocol, reader, asyncio.get_running_loop())
    await Connection(reader, writer, Peer(1, 0), _LIMITS).run(_echo)
    writer.close()
    return bytes(wire.written)


def control(data: bytes) -> None:
    """What a client writes to the control socket."""
    answer = _LOOP.run_until_complete(_serve(data))
    assert not answer or answer.startswith(b"HTTP/1.1 "), answer[:80]


def cni_result(data: bytes) -> None:
    """What a plugin prints, in every version that a network may have."""
    outcome = read_outcome(0, data, b"")
    assert str(read_outcome(1, data, data).error)
    if outcome.result is None:
        return
    for version in ("0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"):
        with suppress(result.UnreadableResultError):
            converted = result.converted(outcome.result, version)
            json.dumps(converted).encode()
            found = result.attachment("net", "eth0", converted)
            given = result.attachment("net", "eth0", outcome.result)
            assert version == "0.2.0" or found.ips == given.ips  # 0.2.0 has room for one address of each family


def cni_config(data: bytes) -> None:
    """A file of a network."""
    with suppress(InvalidConfig):
        text = data.decode(errors="replace")
        conflist.network_name(text)
        network = conflist.parse(text, "10-x.conflist")
        list(map(str, lint.dangers([network])))
        for version in network.versions:
            document = network.document(version)
            for index in range(len(document["plugins"])):
                made = conflist.plugin_config(document, index, capability_args={"mac": "x"}, args={}, previous=None)
                json.dumps(made).encode()


def journal(data: bytes) -> None:
    """The lines of a journal, and what `why` makes of them."""
    found = [each for line in data.split(b"\n") if (each := journal_files.parse(line)) is not None]
    journal_files.merged([found, found])
    timeline.unfinished(found)
    for text in ("web.1", "pod-1", "default/web"):
        told = timeline.timeline(found, text)
        timeline.collapsed(told)
        if told:
            verdict.verdict(told)


def cgroup_files(data: bytes) -> None:
    """Names of mounts and groups, which may have any byte, in what the kernel writes (fs/proc_namespace.c, mangle)."""
    name = data.replace(b"\0", b"").replace(b"/", b"")[:200].decode(errors="surrogateescape")
    mangled = "".join(f"\\{ord(each):03o}" if each in " \t\n\\#" else each for each in name)
    line = f"36 25 0:31 /{mangled} /mnt/{mangled} rw - tmpfs {mangled} rw\n"
    text = f"{line}30 25 0:26 / /sys/fs/cgroup/{mangled} rw shared:4 - cgroup2 cgroup2 rw\n"
    assert str(parse_mountinfo(text).unified) == str(Path(f"/sys/fs/cgroup/{name}"))
    if "\n" not in name:  # the kernel escapes it (kernfs_path, seq_escape)
        assert parse_membership(f"0::/a{name}\n".encode(errors="surrogateescape")) == {"": f"/a{name}"}


def config_toml(data: bytes) -> None:
    """The operator's file."""
    with suppress(InvalidConfig):
        load(data.decode(errors="replace"), {}, source="config.toml")


def config_variable(data: bytes) -> None:
    """A framework's variable: its name to the first `=`."""
    name, _, text = data.decode(errors="replace").partition("=")
    with suppress(InvalidConfig):
        load(None, {f"MESOS_POD_EXECUTOR_{name}": text})


def node_texts(data: bytes) -> None:
    """resolv.conf of the node, and a note of the name server's."""
    text = data.decode(errors="replace")
    parse_resolv_conf(text)
    has_loopback_only(text)
    parse_note(text)
