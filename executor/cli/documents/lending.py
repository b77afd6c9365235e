"""The lender's document (packaging/doc/schema/lending.json)."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Amount(TypedDict):
    cpus: float
    mem_bytes: int


class Owner(TypedDict):
    role: str
    reserved: Amount
    surplus: Amount


class Share(Amount):
    owner: str
    borrower: str


class Loan(Amount):
    task: str
    role: str
    since: str
    asked: NotRequired[str]
    reason: NotRequired[str]


class Totals(TypedDict):
    loans: int
    asked: int
    cpu_s: float


class Lending(TypedDict):
    agent: str
    subscribed: bool
    master: bool
    offer: Amount
    borrowed: Amount
    owners: list[Owner]
    shares: list[Share]
    loans: list[Loan]
    totals: list[Totals]
