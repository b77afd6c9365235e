"""Images that are made to stop the executor which starts them: the event loop goes on, and so does a revocation; each
pod runs, or fails with a message that says why.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.mesos.lagging import PROGRAM, Node
from tests.support.images import ImageSpec, write_archive
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import NAMESPACE, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SLEEP = ("/bin/sh", "-c", "sleep 1000")
PASSWD = b"".join(b"u%d:x:%d:%d::/:/bin/sh\n" % (number, number + 1, number + 1) for number in range(400_000))
IMAGES: dict[str, tuple[ImageSpec, str]] = {
    "variables": (ImageSpec("docker.io/library/variables:1", cmd=SLEEP, env=[f"A{n}=x" for n in range(20_000)]), ""),
    "a-long-variable": (
        ImageSpec("docker.io/library/variable:1", cmd=SLEEP, env=["A=" + "x" * 3_000_000]),
        "larger than 131072 bytes",
    ),
    "words": (ImageSpec("docker.io/library/words:1", cmd=[*SLEEP, *["x"] * 40_000]), ""),
    "volumes": (
        ImageSpec("docker.io/library/volumes:1", cmd=SLEEP, volumes=[f"/v{n}" for n in range(9_000)]),
        "more than 1000 Volumes",
    ),
    "a-long-user": (
        ImageSpec("docker.io/library/user:1", cmd=SLEEP, user="u" * 3_000_000),
        "User of its configuration has more than 1024 letters",
    ),
    "a-long-signal": (
        ImageSpec("docker.io/library/signal:1", cmd=SLEEP, stop_signal="9" * 900),
        "StopSignal of its configuration has more than 64 letters",
    ),
    "a-long-directory": (
        ImageSpec("docker.io/library/directory:1", cmd=SLEEP, working_dir="/d" * 1_000_000),
        "WorkingDir of its configuration has more than 4096 letters",
    ),
    "many-users": (
        ImageSpec("docker.io/library/users:1", cmd=SLEEP, user="nobody-of-them", files={"etc/passwd": PASSWD}),
        "larger than 1024 KiB (etc/passwd)",
    ),
}
"""And words of the end of a pod with this image; empty if it runs."""
PODS = 4


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    archive = tmp_path_factory.mktemp("images") / "hostile.tar"
    write_archive(archive, *(image for image, _ in IMAGES.values()))
    with Rig(program=PROGRAM) as rig:
        place = ["--address", rig.containerd.address, "--namespace", NAMESPACE]
        subprocess.run(["ctr", *place, "images", "import", archive], check=True)  # ours refuses most of them
        with rig.scheduler(name="images") as scheduler:
            yield Node(rig, scheduler)
        assert not any((leaks := rig.wait_clean()).values()), leaks


@pytest.mark.parametrize("name", IMAGES)
def test_image(node: Node, name: str) -> None:
    image, words = IMAGES[name]

    def names(number: int) -> list[str]:
        return [f"{name}-{number}-{at}" for at in range(PODS)]

    def send(number: int) -> None:
        container = {"image": image.name, "command": None, "imagePullPolicy": "Never"}
        pods = [node.rig.pod(pod, container=container) for pod in names(number)]
        node.scheduler.launch(pods, node.rig.executor())

    def ended(number: int) -> None:
        for pod in names(number):
            end = node.scheduler.wait_status(pod, (*TERMINAL, "TASK_RUNNING"), 60)
            if words:
                assert end.state == "TASK_FAILED" and words in end.message and len(end.message) < 1024, end
            else:
                assert end.state == "TASK_RUNNING", end
                node.scheduler.kill(pod, grace_s=0)
                node.scheduler.wait_status(pod, TERMINAL, 30)

    node.judge(name, send, ended)
