"""The systemd units: they call commands that exist, and keep the directory that everybody shares."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from executor.cli.node import dns
from executor.config import DnsSection

UNITS = Path(__file__).resolve().parents[3] / "packaging/systemd"


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNITS / name)
    return parser


@pytest.mark.parametrize("name", ["mesos-pod-executor-dns.service", "mesos-pod-executor-dns-sync.service"])
def test_units(name: str) -> None:
    service = unit(name)["Service"]
    program, group, command, *_ = service["ExecStart"].split()
    assert (program, group) == ("/usr/bin/mesos-pod-executor", "dns")
    assert isinstance(dns.command, click.Group)
    assert command in dns.command.commands
    assert f"/run/{service['RuntimeDirectory']}" == DnsSection().hosts_dir
    assert service["RuntimeDirectoryPreserve"] == "yes", "dnsmasq watches its inode, and executors have names in it"
    assert service["RuntimeDirectoryMode"] == "0755"
