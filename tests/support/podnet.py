"""The CNI network of the rig."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def bridge(name: str, addresses: Path) -> dict[str, Any]:
    """As an operator writes it for the Mesos agent; `addresses` is the directory of those that are in use."""
    return {
        "cniVersion": "0.2.0",
        "name": name,
        "type": "bridge",
        "bridge": "mpe0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(addresses),
            "ranges": [[{"subnet": "10.89.0.0/16"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
