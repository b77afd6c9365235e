"""containerd as the executor uses it: one file a service, over gRPC, coded to containerd 1.6.

`Containerd` is the entrance; `types` holds what goes in and comes out; `channel` alone knows gRPC. `api` is generated
by packaging/generate_stubs.py and not kept in git. gRPC and protobuf (0.1 s) are loaded when `Containerd` is first
named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from executor.containerd.client import Containerd

__all__ = ["Containerd"]


def __getattr__(name: str) -> type[Containerd]:
    if name != "Containerd":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from executor.containerd.client import Containerd

    return Containerd
