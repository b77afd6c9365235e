"""`mesos-pod-executor images` on a real containerd and a real registry."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.containerd.launching import Launcher
from tests.integration.images.pulls import SIZE, Node
from tests.support.images import ImageSpec, write_archive
from tests.support.registry import Registry, docker_config
from tests.support.schema import faults

pytestmark = pytest.mark.root


class Shell:
    """Runs the command with a node's configuration."""

    def __init__(self, here: Node, directory: Path, **images: object) -> None:
        settings = here.settings
        section = {
            "hosts_dir": settings.hosts_dir,
            "docker_config": settings.docker_config,
            "plain_http": list(settings.plain_http),
            "content_dir": str(directory),
            **images,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in section.items()]
        containerd = f'[containerd]\naddress = "{settings.address}"\nnamespace = "{settings.namespace}"\n'
        node = f'[node]\nrun_dir = "{settings.run_dir}"\n'
        self.config = directory / "config.toml"
        self.config.write_text(f"{containerd}{node}[images]\n" + "\n".join(lines) + "\n")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "executor", "--config", str(self.config), "images", *words]

    def run(self, *words: str, code: int = 0, given: str = "") -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(self.command(*words), input=given, capture_output=True, text=True, check=False)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran


@pytest.fixture
def shell(here: Node, tmp_path: Path) -> Shell:
    return Shell(here, tmp_path)


def test_an_image_from_its_pull_to_its_removal(shell: Shell, app: ImageSpec, plain: Registry) -> None:
    name = f"{plain.host}/team/app:1"
    ran = shell.run("pull", name)
    assert ran.stdout.startswith(f"pulled {name} sha256:") and "fetched" in ran.stdout
    assert f"{name}: unpacking" in ran.stderr

    listed = json.loads(shell.run("ls", "--json").stdout)
    assert faults("images", listed) == []
    (row,) = listed["images"]
    assert (row["name"], row["origin"], row["in_use"]) == (name, "pulled", False)
    assert row["size_bytes"] > SIZE
    assert name in shell.run("ls").stdout

    assert shell.run("rm", name).stdout == f"removed {name}\n"
    assert "no such image" in shell.run("rm", name, code=3).stderr


def test_progress_on_a_terminal(shell: Shell, app: ImageSpec, plain: Registry) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(shell.command("pull", f"{plain.host}/team/app:1"), stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = bytearray()
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    assert process.wait(60) == 0
    assert b"\r\x1b[K" in shown and b"unpacking" in shown and b"of 2 layers" in shown


def test_credentials_of_a_file_or_standard_input(shell: Shell, here: Node, secure: Registry, tmp_path: Path) -> None:
    secure.push("team/app", "1", ImageSpec("unused", files={"a": os.urandom(1000)}))
    here.trust(secure)
    name, text = f"{secure.host}/team/app:1", docker_config(secure.host)
    refused = json.loads(shell.run("pull", name, "--json", code=1).stdout)
    assert "401" in refused["images"][0]["error"]

    (tmp_path / "credentials").write_text(text)
    shell.run("pull", name, "--credentials", str(tmp_path / "credentials"))
    shell.run("pull", name, "--credentials", "-", given=text)
    assert "absent" in shell.run("pull", name, "--credentials", "absent", code=6).stderr


async def test_gc_spares_what_is_used_or_imported(
    here: Node, app: ImageSpec, plain: Registry, launcher: Launcher, tmp_path: Path
) -> None:
    shell = Shell(here, tmp_path, gc_min_age_s=0)
    plain.push("team/idle", "1", ImageSpec("unused", files={"a": os.urandom(1000)}))
    idle, used = f"{plain.host}/team/idle:1", f"{plain.host}/team/app:1"
    for name in (idle, used):
        await here.pull(name)
    await launcher.create("user", "true", image_name=used)
    archive = write_archive(tmp_path / "mine.tar", ImageSpec("docker.io/mine/own:1"))
    assert shell.run("import", str(archive)).stdout == "imported docker.io/mine/own:1\n"

    full = Shell(here, tmp_path, gc_min_age_s=0, gc_high_percent=100)
    assert json.loads(full.run("gc", "--json").stdout)["removed"] == []  # the disk has room
    full = Shell(here, tmp_path, gc_min_age_s=0, gc_high_percent=1, gc_low_percent=0)
    assert json.loads(full.run("gc", "--dry-run", "--json").stdout)["removed"] == [idle]
    assert f"removed {idle}" in full.run("gc").stdout
    names = {record.name for record in await here.client.images.list()}
    assert {used, "docker.io/mine/own:1"} <= names and idle not in names
    assert "a container uses it" in shell.run("rm", used, code=4).stderr
