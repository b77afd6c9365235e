"""One node for all modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.rig import Rig


@pytest.fixture(scope="package")
def rig() -> Iterator[Rig]:
    """Without names: these are tested with a real server elsewhere."""
    with Rig(config={"DNS_ENABLED": "false", "POLICY_DEFAULT": "baseline"}) as node:
        yield node
