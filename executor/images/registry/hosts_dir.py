"""Reading what the node's operator wrote about registries: certs.d and docker's config.json."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from executor.errors import InvalidConfig, reason
from executor.images.registry.credentials import Credential, Helpers, parse_docker_config, parse_helpers
from executor.images.registry.hosts import Endpoint, directories, of_certificates, of_registry, parse

FILE_MAX_BYTES: Final = 1 << 20


def endpoints(hosts_dir: Path, domain: str, plain_http: Collection[str]) -> tuple[Endpoint, ...]:
    """Where the images of the registry `domain` come from, in order. Raises InvalidConfig."""
    default = of_registry(domain, plain=domain in plain_http)
    for name in directories(domain):
        directory = hosts_dir / name
        text = _read(directory / "hosts.toml")
        if text is not None:
            return parse(text.decode(errors="replace"), directory, default)
        names = _names(directory)
        if any(each.endswith((".crt", ".cert")) for each in names):
            return (of_certificates(names, directory, default),)
    return (default,)


def node_credentials(path: Path) -> tuple[Credential, ...]:
    """Those of the node's config.json; none without the file. Raises InvalidConfig."""
    text = _read(path)
    return () if text is None else parse_docker_config(text, subject=str(path))


def node_helpers(path: Path) -> Helpers:
    """The credential helpers that the node's config.json names; none without the file. Raises InvalidConfig."""
    text = _read(path)
    return Helpers() if text is None else parse_helpers(text, subject=str(path))


def proxy_credential(path: Path) -> str:
    """`user:password` of the file, which has them in one line; empty without the file. Raises InvalidConfig."""
    text = _read(path)
    if text is None:
        return ""
    words = text.decode("utf-8", "surrogateescape").split()
    if len(words) != 2 or ":" in words[0]:
        hint = "[images] proxy_credential_file"
        raise InvalidConfig("is not one line, user and password", subject=str(path), hint=hint)
    return ":".join(words)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidConfig(f"cannot be read: {reason(error)}", subject=str(path)) from error
    if len(data) > FILE_MAX_BYTES:
        raise InvalidConfig(f"has more than {FILE_MAX_BYTES} bytes", subject=str(path))
    return data


def _names(directory: Path) -> list[str]:
    try:
        return sorted(each.name for each in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InvalidConfig(f"cannot be read: {reason(error)}", subject=str(directory)) from error
