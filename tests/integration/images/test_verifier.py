"""The operator's verifier ends with the pull that it is for."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from executor.errors import Failure
from executor.images.images import Images
from executor.images.model import Image
from executor.images.pulling.verifier import verify
from tests.integration.images.ensuring import config, helpers, lives
from tests.integration.images.pulls import Node, until
from tests.support.images import ImageSpec
from tests.support.registry_front import Front

pytestmark = pytest.mark.root


async def verifying(here: Node, front: Front, tmp_path: Path) -> tuple[Images, asyncio.Task[Image], list[int]]:
    """A pull whose verifier does not end, and the pids of the verifier and of what it has started."""
    program, pids = tmp_path / "verify", tmp_path / "pids"
    program.write_text(f"#!/bin/sh\nsleep 1000 &\necho $$ $! > {pids}.new\nmv {pids}.new {pids}\nwait\n")
    program.chmod(0o755)
    images = Images(here.client, config(here, front, verifier=(str(program),), verifier_timeout_s=600.0))
    launch = asyncio.create_task(images.ensure(f"{front.host}/team/app:1"))
    await until(pids.exists)
    return images, launch, [int(pid) for pid in pids.read_text().split()]


async def test_a_verifier_ends_with_the_pull(here: Node, app: ImageSpec, front: Front, tmp_path: Path) -> None:
    images, launch, pids = await verifying(here, front, tmp_path)
    await images.close()
    with pytest.raises(asyncio.CancelledError):
        await launch
    await until(lambda: not any(map(lives, pids)), 5)


async def test_a_verifier_ends_when_its_helper_is_killed(
    here: Node, app: ImageSpec, front: Front, tmp_path: Path
) -> None:
    images, launch, (program, started) = await verifying(here, front, tmp_path)
    os.kill(helpers()[0], signal.SIGKILL)
    with pytest.raises(Failure, match="ended with -9"):
        await launch
    await until(lambda: not lives(program), 5)
    os.kill(started, signal.SIGKILL)
    await images.close()


async def test_the_end_of_one_verifier_leaves_the_others(tmp_path: Path) -> None:
    program = tmp_path / "verify"
    program.write_text("#!/bin/sh\nsleep $1\n")
    program.chmod(0o755)
    both = [verify((str(program), text), "image", "sha256:0", timeout_s=30) for text in ("0", "1")]
    await asyncio.gather(*both)
