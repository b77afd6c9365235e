"""Which VOLUMEs of an image are mounted."""

from __future__ import annotations

from executor.names import TaskId
from executor.oci.image_volumes import wanted
from executor.spec.model import ContainerSpec
from executor.spec.security_model import Security


def test_an_image_does_not_replace_what_the_kernel_shows() -> None:
    """Its /dev/null could be a link, by which runc would mask files of /proc with others of them."""
    container = ContainerSpec("app", "x", TaskId("t"), security=Security(read_only_root=True))
    named = ["/dev", "dev/", "/data/../dev", "/proc", "//sys/", "/", "/data", "/dev/own"]
    assert wanted(named, container) == ("/data", "/dev/own")
