"""A process is the executor that the agent started, whatever its environment says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from executor.errors import InvalidConfig
from executor.mesos import identity

ID = "da72dc56-3501-4443-baf2-532528e74310"


@pytest.mark.parametrize("place", [f"/var/lib/mesos/runs/{ID}", f"0::/mesos/{ID}", f"4:freezer:/m/{ID}/executor"])
def test_a_container_is_known_by_its_directory_or_its_cgroup(place: str) -> None:
    identity.check_container(ID, ["/", place])


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ("", "is not an id"),
        ("..", "is not an id"),
        ("a b", "is not an id"),
        ("x" * 200, "is not an id"),
        (ID[:-1], "neither in"),
    ],
)
def test_another_container_is_not_this_ones(container: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        identity.check_container(container, [f"/runs/{ID}", f"0::/mesos/{ID}"])


def checked(cwd: Path, **environ: str) -> str:
    """What a process says that was started in `cwd`."""
    program = "import os; from executor.mesos import identity; identity.check(os.environ)"
    env = {"PYTHONPATH": str(Path(__file__).resolve().parents[3]), **environ}
    ran = subprocess.run([sys.executable, "-c", program], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    return ran.stderr.strip().rpartition("\n")[2]


def test_a_process_in_its_sandbox(tmp_path: Path) -> None:
    own, other = tmp_path / ID, tmp_path / "other"
    (own / "below").mkdir(parents=True)
    other.mkdir()
    (tmp_path / "link").symlink_to(own)
    for cwd in (own, own / "below"):
        assert checked(cwd, MESOS_DIRECTORY=str(own)) == ""
        assert checked(cwd, MESOS_DIRECTORY=str(own), MESOS_SANDBOX=str(tmp_path / "link")) == ""
    assert "MESOS_SANDBOX: " in checked(own, MESOS_DIRECTORY=str(own), MESOS_SANDBOX=str(other))
    assert "MESOS_SANDBOX: " in checked(own, MESOS_DIRECTORY=str(own), MESOS_SANDBOX="/")
    assert "MESOS_SANDBOX: " in checked(own, MESOS_DIRECTORY=str(own), MESOS_SANDBOX=".")
    assert "MESOS_DIRECTORY: " in checked(own, MESOS_DIRECTORY=str(other))
    assert "MESOS_DIRECTORY: " in checked(own, MESOS_DIRECTORY=f"{own}/..")


def test_only_what_the_program_reads_is_kept() -> None:
    environ = {
        "MESOS_DIRECTORY": "/a", "LANG": "C.UTF-8", "LC_ALL": "C", "PATH": "/tmp/evil", "LD_PRELOAD": "/tmp/x.so",
        "PYTHONPATH": "/x", "TMPDIR": "/x", "http_proxy": "http://x", "GRPC_TRACE": "all", "SSL_CERT_FILE": "/x",
    }  # fmt: skip
    identity.clean(environ)
    assert environ == {"MESOS_DIRECTORY": "/a", "LANG": "C.UTF-8", "LC_ALL": "C", "PATH": identity.PATH}
    assert os.environ["PATH"], "the mapping that is given, no other"
