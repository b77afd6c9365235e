"""`validate` on files that no pod is written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "- " * 5_000 + "a"])
def test_validate_of_what_nests_too_deeply(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    ran = run("validate", str(tmp_path / "file"))
    assert ran.code == 6 and "nests" in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_validate_of_a_number_with_thousands_of_digits(run: Run, tmp_path: Path, form: str) -> None:
    spec = f'"terminationGracePeriodSeconds": {"9" * 5_000}, "containers": [{{"name": "a", "image": "b"}}]'
    text = f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "x"}}, "spec": {{{spec}}}}}'
    (tmp_path / "file").write_text(text if form == "json" else f"# YAML\n{text}")
    ran = run("validate", str(tmp_path / "file"))
    place = "spec.terminationGracePeriodSeconds" if form == "json" else "file:2"
    assert ran.code == 6 and place in ran.err and "more than 40 digits" in ran.err, ran.err
    assert "set_int_max" not in ran.err and len(ran.err) < 500
