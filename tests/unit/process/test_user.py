"""An agent starts an executor as its framework's user: another one than root is one clear error."""

from __future__ import annotations

import pytest

from executor.errors import InvalidConfig
from executor.process.run import check_user


def test_another_user_than_root_is_a_clear_error() -> None:
    check_user(0)
    with pytest.raises(InvalidConfig, match="needs root") as caught:
        check_user(65534)
    assert "user must be root" in caught.value.hint
