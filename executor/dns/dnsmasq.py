"""dnsmasq as the node's name server: its settings, its version, and its process.

A dnsmasq that the operator runs anyway serves as well if it is given `shared_settings`; this module is then not needed.
Source: dnsmasq(8).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final, NoReturn

from executor.config import DnsSection
from executor.errors import Failure, InvalidConfig
from executor.hostnames import address

PROGRAM: Final = "dnsmasq"
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"
VERSION_LEAST: Final = (2, 88)
"""The first that notices when a file of --hostsdir goes, or a name in it (its CHANGELOG)."""
TTL_S: Final = 1
"""The time to live of the names in the directory: a pod's address may be another's soon after its end."""

_ADDRESS: Final = re.compile(r"[0-9A-Fa-f.:]+(%[A-Za-z0-9_.-]{1,15})?")

Setting = tuple[str, str]
"""A key and its value, empty for a switch; both on the command line and in a configuration file."""


def shared_settings(section: DnsSection) -> list[Setting]:
    """What makes any dnsmasq serve the names. Raises InvalidConfig for a value that is more than one line."""
    for key, text in (("hosts_dir", section.hosts_dir), *(("upstream", each) for each in section.upstream)):
        if not text.isprintable():
            raise InvalidConfig("has characters that are not printable", subject=f"[dns] {key}: {text[:80]!r}")
    taken = {domain for each in section.upstream if each.startswith("/") for domain in each.split("/")[1:-1]}
    domains = (section.domain, section.cluster_domain)
    return [
        ("hostsdir", section.hosts_dir),
        *(("local", f"/{domain}/") for domain in domains if domain not in taken),
        ("local-ttl", str(TTL_S)),
    ]


def settings(section: DnsSection, listen: Sequence[str]) -> list[Setting]:
    """All of a dnsmasq that does nothing else. It needs no address to be there yet: bridges come with the first pod."""
    if not listen:
        raise InvalidConfig(
            "there is no address to answer on",
            subject="[dns] listen",
            hint="name the node's address as nameserver in the `dns` of the CNI network, or here",
        )
    for each in listen:
        if not _ADDRESS.fullmatch(each) or not address(each.partition("%")[0]):
            raise InvalidConfig(
                "is not an IP address", subject=f"[dns] listen, or nameservers of a CNI network: {each[:80]!r}"
            )
    upstream: list[Setting] = [("no-resolv", "")] if section.upstream else []
    return [
        ("conf-file", os.devnull),
        ("pid-file", ""),
        ("no-hosts", ""),
        ("bind-dynamic", ""),
        *(("listen-address", each) for each in listen),
        *shared_settings(section),
        *upstream,
        *(("server", each) for each in section.upstream),
        ("cache-size", "1000"),
        ("dns-loop-detect", ""),
        ("log-facility", "-"),
        ("keep-in-foreground", ""),
    ]


def arguments(section: DnsSection, listen: Sequence[str], program: str = PROGRAM) -> list[str]:
    """An argv. Raises InvalidConfig."""
    return [program, *(f"--{key}={value}" if value else f"--{key}" for key, value in settings(section, listen))]


def configuration(section: DnsSection) -> str:
    """A file for the configuration directory of a dnsmasq that runs anyway."""
    lines = [f"{key}={value}" if value else key for key, value in shared_settings(section)]
    return "\n".join(["# Names of pods and Mesos tasks.", *lines, ""])


def parse_version(text: str) -> tuple[int, int] | None:
    """From the output of `dnsmasq --version`."""
    found = re.search(r"Dnsmasq version (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def check_version(text: str) -> None:
    """Raises Failure for a dnsmasq that would keep the names of pods that have ended."""
    version = parse_version(text)
    if version is None or version < VERSION_LEAST:
        least = ".".join(map(str, VERSION_LEAST))
        raise Failure(
            f"is older than {least}: {text[:60]!r}", subject=PROGRAM, hint=f"install dnsmasq {least} or newer"
        )


def find() -> str:
    """The program's path, its version checked. Raises Failure."""
    program = shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:{PATH}")
    if program is None:
        raise Failure("is not installed", subject=PROGRAM, hint="install the package dnsmasq-base (or dnsmasq)")
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"cannot be run: {error}", subject=program) from error
    check_version(done.stdout)
    return program


def become(section: DnsSection, listen: Sequence[str]) -> NoReturn:
    """Turn this process into the server. Raises Failure, InvalidConfig."""
    argv = arguments(section, listen, find())
    try:
        os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        raise Failure(f"cannot be run: {error}", subject=argv[0]) from error
