"""From the configuration to a lender's book. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from executor.errors import InvalidConfig
from executor.lending.amount import MIB
from executor.lending.book import Book
from executor.lending.decision import Terms
from executor.lending.policy import Policy, Quota
from executor.names import Role

if TYPE_CHECKING:
    from executor.config.lending import LendingSection
    from executor.config.role_limit import RoleLimit


def book(section: LendingSection) -> Book:
    """A book without accounts. Raises InvalidConfig without an owner, and for a borrower's owner that is none."""
    if not section.owners:
        hint = 'as in owners = ["spark"], the roles whose unused reservations are offered'
        raise InvalidConfig("names no role", subject="[lending] owners", hint=hint)
    owners = tuple(map(Role, section.owners))
    borrowers = {Role(role): tuple(map(Role, text.split())) for role, text in section.borrowers.items()}
    for role, allowed in borrowers.items():
        for owner in allowed:
            if owner not in owners and owner != "*":
                hint = f"owners are {', '.join(owners)}; * means all of them"
                raise InvalidConfig(f"{owner} is no owner", subject=f"[lending] borrowers: {role}", hint=hint)
    quotas = {Role(role): _quota(limit) for role, limit in section.quotas.items()}
    terms = Terms(
        grow_after_s=section.grow_after_s,
        memory=section.memory,
        by_use=section.by_use,
        margin_percent=section.margin_percent,
        half_life_s=section.peak_half_life_s,
        grace_s=section.grace_s,
    )
    return Book(Policy(owners, MappingProxyType(borrowers), MappingProxyType(quotas)), terms)


def _quota(limit: RoleLimit) -> Quota:
    """In the units of amounts, rounded down."""
    return Quota(
        None if limit.cpus is None else int(limit.cpus * 1000),
        None if limit.mem_bytes is None else limit.mem_bytes // MIB,
    )
