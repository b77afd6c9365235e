"""A containerd and a launcher of single containers, as in the tests of the adapter."""

from __future__ import annotations

from tests.integration.containerd.conftest import busybox, client, launcher, node

__all__ = ["busybox", "client", "launcher", "node"]
