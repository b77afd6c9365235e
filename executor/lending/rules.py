"""The words of a receipt for a loan that broke a rule of [lending]. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from executor.lending.amount import Amount
from executor.lending.policy import Policy
from executor.names import Role

_NO_OWNER: Final = "may borrow from no owner of this node"
_QUOTA: Final = "is over its quota, or one above it"


def may_not_borrow(role: str) -> str:
    """[lending] borrowers has no owner for this role."""
    return f"role {role} {_NO_OWNER}"


def over_quota(role: str) -> str:
    """The role, with those below it, holds more than [lending] quotas allows."""
    return f"role {role} {_QUOTA}"


def broken(policy: Policy, role: Role, held: Mapping[Role, Amount]) -> str:
    """The rule that a role breaks; empty: none. `held`: what each role has borrowed on this node."""
    if not policy.lenders(role):
        return may_not_borrow(role)
    return "" if policy.within_quotas(role, held) else over_quota(role)


def is_broken(reason: str) -> bool:
    """Whether the reason of a revocation is a broken rule: the same pod would be ended again."""
    return reason.endswith((_NO_OWNER, _QUOTA))
