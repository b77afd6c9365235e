"""The fixtures of containerd's tests: images need the same containerd."""

from tests.integration.containerd.conftest import busybox, client, launcher, node

__all__ = ["busybox", "client", "launcher", "node"]
