"""What a launch asks of the images of its node, with real helpers, as fixtures."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor.config import Config, ContainerdSection, NodeSection
from executor.config.images import ImagesSection
from executor.images.images import Images
from tests.integration.images.pulls import Node
from tests.support.registry_front import Front


def config(here: Node, front: Front, **images: object) -> Config:
    settings = here.settings
    section = ImagesSection(
        hosts_dir=settings.hosts_dir,
        docker_config=settings.docker_config,
        plain_http=(front.host,),
        **images,  # type: ignore[arg-type]
    )
    containerd = ContainerdSection(address=settings.address, namespace=settings.namespace)
    return Config(containerd=containerd, node=NodeSection(run_dir=settings.run_dir), images=section)


@pytest.fixture
async def images(here: Node, front: Front) -> AsyncIterator[Images]:
    found = Images(here.client, config(here, front))
    yield found
    await found.close()


def helpers() -> list[int]:
    """Pids of the helpers of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if b"pulling.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def lives(pid: int) -> bool:
    """Whether it is there and no zombie, which waits for the test's first process only."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
