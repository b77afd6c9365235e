"""From the configuration to a book."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.config import load
from executor.errors import InvalidConfig
from executor.lending import configured
from executor.lending.amount import Amount
from executor.lending.policy import Quota
from executor.names import Role

FILE = """
[lending]
owners = ["spark", "eng"]
borrowers = {batch = "spark", "dev/x" = "*", ops = "spark eng"}
quotas = {batch = {cpus = 1.5, mem = "1Gi"}}
grow_after_s = 45
by_use = true
"""


def test_a_book_has_the_rules_of_the_file() -> None:
    book = configured.book(load(FILE, {}).lending)
    policy = book.policy
    assert policy.lenders(Role("batch/night")) == ("spark",)
    assert policy.lenders(Role("dev/x")) == policy.lenders(Role("ops")) == ("spark", "eng")
    assert policy.lenders(Role("dev")) == ()
    assert policy.quotas == {"batch": Quota(1500, 1024)}
    assert not policy.within_quotas(Role("batch"), {Role("batch"): Amount(1501)})
    assert (book.terms.grow_after_s, book.terms.by_use, book.terms.memory) == (45, True, True)


def test_a_quota_is_met_to_the_thousandth() -> None:
    quotas = "quotas = {batch = {cpus = 1.001}, dev = {cpus = 0.001}}"
    policy = configured.book(load(f'[lending]\nowners = ["spark"]\n{quotas}\n', {}).lending).policy
    assert policy.quotas == {"batch": Quota(1001), "dev": Quota(1)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "[lending] owners: names no role"),
        ('owners = ["*"]', "[lending] owners: * is no owner"),
        ('owners = ["spark"]\nmasters = []', "[lending] masters: names no master"),
        ('owners = ["spark"]\nborrowers = {batch = "sprak"}', "[lending] borrowers: batch: sprak is no owner"),
    ],
)
def test_what_cannot_work_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        configured.book(load(f"[lending]\n{text}\n", {}).lending)
    assert told in str(error.value) and error.value.hint


def test_the_unit_runs_the_lender() -> None:
    text = Path(__file__).resolve().parents[3].joinpath("packaging/systemd/mesos-pod-executor-lend.service").read_text()
    assert "ExecStart=/usr/bin/mesos-pod-executor lend\n" in text and "Restart=always" in text
