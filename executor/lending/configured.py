"""From the configuration to a lender's book. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from executor.errors import InvalidConfig
from executor.lending.amount import MIB, Amount
from executor.lending.book import Book
from executor.lending.decision import Terms
from executor.lending.node import NO_ROLE
from executor.lending.policy import Policy, Quota
from executor.names import Role

if TYPE_CHECKING:
    from executor.config.lending import LendingSection
    from executor.config.role_limit import RoleLimit


def book(section: LendingSection) -> Book:
    """A book without accounts. Raises InvalidConfig without an owner or a master, and for an owner that is none."""
    if not section.owners:
        hint = 'as in owners = ["spark"], the roles whose unused reservations are offered'
        raise InvalidConfig("names no role", subject="[lending] owners", hint=hint)
    if NO_ROLE in section.owners:
        hint = "name the roles: what is reserved for no role is offered to every framework anyway"
        raise InvalidConfig("* is no owner", subject="[lending] owners", hint=hint)
    if not section.masters:
        hint = 'as in masters = ["10.0.0.1:5050"]: without a master the offer never grows'
        raise InvalidConfig("names no master", subject="[lending] masters", hint=hint)
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
    """In the units of amounts: `cpus` are thousandths already, of which a binary fraction may be a little less."""
    return Quota(
        None if limit.cpus is None else Amount.offered(limit.cpus, 0).millicpus,
        None if limit.mem_bytes is None else limit.mem_bytes // MIB,
    )
