"""The stubs' generator on the real protos: what it writes loads, and a second run changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import generate_stubs
import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "packaging/generate_stubs.py"


def generate(output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments, "--output", str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir() if path.is_file()}


def test_a_second_run_changes_nothing_and_damage_is_mended(tmp_path: Path) -> None:
    output = tmp_path / "api"
    first = generate(output)
    assert first.returncode == 0, first.stderr
    before = contents(output)
    assert {"tasks_pb2.py", "tasks_pb2.pyi", "__init__.py"} <= set(before)

    assert "up to date" in generate(output).stdout
    assert contents(output) == before

    (output / ".stamp").write_text("of other protos")
    (output / "stale_pb2.py").touch()
    assert "written" in generate(output).stdout
    (output / "tasks_pb2.py").unlink()
    assert "written" in generate(output).stdout
    assert {name: data for name, (data, _) in contents(output).items()} == {
        name: data for name, (data, _) in before.items()
    }


def test_options_for_go_are_left_out_and_an_unknown_import_is_named() -> None:
    """containerd 1.7 has an option for field paths, which its earlier versions have not."""
    head = 'syntax = "proto3";\npackage containerd.events;\n'
    imported = 'import "github.com/containerd/containerd/api/types/fieldpath.proto";\n'
    option = "option (containerd.types.fieldpath_all) = true;\n"
    assert "fieldpath" not in generate_stubs.prepare(head + imported + option)
    with pytest.raises(ValueError, match=r"imports api/types/new\.proto.*PROTOS"):
        generate_stubs.prepare(head + 'import "github.com/containerd/containerd/api/types/new.proto";\n')


def test_a_directory_without_protos_is_named(tmp_path: Path) -> None:
    done = generate(tmp_path / "api", "--protos", str(tmp_path))

    assert done.returncode == 1
    assert f"no containerd protos in {tmp_path}" in done.stderr
    assert not (tmp_path / "api").exists()
