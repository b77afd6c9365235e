"""The helper that fetches the files of one container: reads one request from its standard input, and answers by one
line of JSON, whose `message` is empty if nothing failed.

Its standard input stays open while the executor lives; when it ends, so does the helper. The directory, and the files
of the node, are descriptors that it inherits.
"""

from __future__ import annotations

import base64
import errno
import ipaddress
import json
import os
import resource
import sys
import threading
from http import HTTPStatus
from typing import IO, Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from executor.errors import ExecutorError, Failure, reason
from executor.fetching.unpack import CHUNK_BYTES, Room, is_archive, unpack
from executor.own_directory import Opened, ensure_below, open_file

MEMORY_BYTES: Final = 1 << 30
"""The limit of the helper's address space: an archive may make its library ask for any amount."""


def main() -> None:
    """Ends with 0; what failed is in its answer."""
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_executor, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.umask(0o022)
    if request["guarded"]:
        sys.addaudithook(_refuse_own_addresses)
    try:
        room = Room(request["limit_bytes"])
        for item in request["items"]:
            _fetch(item, request["directory"], room)
    except ExecutorError as error:
        _answer(error.message, error.subject, error.hint)
    except Exception as error:
        _answer(f"its helper failed: {type(error).__name__}: {error}", "", "")
        raise
    else:
        _answer("", "", "")


def _answer(message: str, subject: str, hint: str) -> None:
    os.write(sys.stdout.fileno(), json.dumps({"message": message, "subject": subject, "hint": hint}).encode() + b"\n")


def _end_with_the_executor() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _fetch(item: dict[str, Any], directory: int, room: Room) -> None:
    *above, name = item["name"].split("/")
    try:
        with Opened(ensure_below(directory, *above)) as parent:
            file = open_file(parent, name, os.O_RDWR | os.O_CREAT)
            with os.fdopen(file, "r+b") as opened:
                opened.truncate()
                _download(item, opened, room)
                opened.flush()
                os.fchmod(file, 0o755 if item["executable"] else 0o644)
                if item["extract"] and not item["executable"] and is_archive(name):
                    opened.seek(0)
                    unpack(file, item["name"], directory, room)
    except OSError as error:
        raise Failure(f"cannot be written: {reason(error)}", subject=item["name"]) from error


def _download(item: dict[str, Any], target: IO[bytes], room: Room) -> None:
    if item["file"] is None:
        _download_by_http(item, target, room)
        return
    with os.fdopen(item["file"], "rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            room.spend(len(chunk), item["name"])
            target.write(chunk)


def _download_by_http(item: dict[str, Any], target: IO[bytes], room: Room) -> None:
    from executor.images.failures import PullFailure
    from executor.images.registry.hosts import Endpoint
    from executor.images.registry.proxies import Proxies
    from executor.images.registry.transport import Transport

    url, headers = _with_credentials(item["value"])
    proxies = Proxies(item["http_proxy"], item["https_proxy"], tuple(item["no_proxy"]))
    try:
        with Transport(Endpoint(url), proxies).ask("GET", url, headers) as answer:
            if answer.status != HTTPStatus.OK:
                raise answer.refusal()
            if (answer.length_bytes or 0) > room.left_bytes:
                room.spend(answer.length_bytes or 0, item["name"])
            while chunk := answer.chunk():
                room.spend(len(chunk), item["name"])
                target.write(chunk)
    except PullFailure as error:
        hint = "add its CA to those that the node trusts" if "CERTIFICATE_VERIFY" in error.message else ""
        raise Failure(error.message, subject=error.subject, hint=hint) from error


def _refuse_own_addresses(event: str, arguments: tuple[Any, ...]) -> None:
    """Before any connection, for every name and redirect. Raises OSError."""
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    address = ipaddress.ip_address(str(arguments[1][0]).partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        raise OSError(errno.EACCES, f"{address} is the node's own: the role may not ask it")


def _with_credentials(value: str) -> tuple[str, dict[str, str]]:
    """The URL without a user and a password, which are its Authorization then."""
    parts = urlsplit(value)
    user, separator, host = parts.netloc.rpartition("@")
    if not separator:
        return value, {}
    given = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"authorization": f"Basic {given}"}


if __name__ == "__main__":
    main()
