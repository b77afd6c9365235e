"""`validate` on files that no pod is written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "- " * 5_000 + "a"])
def test_validate_of_what_nests_too_deeply(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    ran = run("validate", str(tmp_path / "file"))
    assert ran.code == 6 and "nests too deeply" in ran.err and "Traceback" not in ran.err
