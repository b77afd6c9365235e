"""The ledger of host-local, as its plugin writes it."""

from __future__ import annotations

from pathlib import Path

from executor.cni.config.conflist import Network
from executor.cni.records.host_local import entries, ledger


def network(directory: Path, kind: str = "host-local") -> Network:
    plugin = {"type": "bridge", "ipam": {"type": kind, "dataDir": str(directory)}}
    return Network("podnet", "n.conf", (plugin,), ("0.2.0",), "0.2.0", derived=True)


def test_addresses_and_whose_they_are(tmp_path: Path) -> None:
    home = tmp_path / "podnet"
    home.mkdir()
    for name, text in {
        "10.0.0.2": "pod-0123456789ab\r\neth0",
        "10.0.0.3": "f3b1c0de-1111-2222-3333-444455556666\r\neth0",
        "10.0.0.4": "pod-of-another-runtime\neth1",
        "10.0.0.5": "",
        "fd00::2": "pod-0123456789ab\r\neth0",
        "last_reserved_ip.0": "10.0.0.5",
        "lock": "",
    }.items():
        (home / name).write_text(text)
    found = entries([network(tmp_path)])
    assert [(entry.address, entry.is_ours, entry.ifname) for entry in found] == [
        ("10.0.0.2", True, "eth0"),
        ("10.0.0.3", False, "eth0"),
        ("10.0.0.4", False, "eth1"),
        ("10.0.0.5", False, ""),
        ("fd00::2", True, "eth0"),
    ]


def test_networks_without_a_ledger(tmp_path: Path) -> None:
    assert entries([network(tmp_path / "missing"), network(tmp_path, "dhcp")]) == []
    assert ledger(network(tmp_path, "dhcp")) is None
