"""A node with a reservation for each module, and no estimator: the lender is the only source of revocable resources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.lending import OPTIONS_RESERVED
from tests.support.rig import Rig


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(OPTIONS_RESERVED) as node:
        yield node
