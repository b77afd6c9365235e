"""The properties that the unit tests check, with many more examples of each than `tests/run unit` has time for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

EXAMPLES_MIN = 100
EXAMPLES_PER_MINUTE = 50

pytestmark = pytest.mark.timeout(0)


def test_the_properties_of_the_unit_tests_hold(seconds: float) -> None:
    """hypothesis marks the tests that it makes examples for."""
    examples = max(EXAMPLES_MIN, round(seconds / 60 * EXAMPLES_PER_MINUTE))
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.support.forked", "--processes=2", "-m", "hypothesis"]
    env = os.environ | {"MPE_TEST_EXAMPLES": str(examples)}
    env.pop("MPE_TEST_REPORT", None)
    command = [sys.executable, "-m", "pytest", *options, "tests/unit"]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr
    assert " passed" in ended.stdout
