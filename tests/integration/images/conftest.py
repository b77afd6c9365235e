"""The fixtures of containerd's tests, for images need the same containerd, and registries."""

from tests.integration.containerd.conftest import busybox, client, launcher, node
from tests.integration.images.ensuring import images
from tests.integration.images.pulls import app, front, here, plain, secure

__all__ = ["app", "busybox", "client", "front", "here", "images", "launcher", "node", "plain", "secure"]
