"""Revocation requests: what is taken, and how each mistake is named."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InvalidRequest
from executor.revocation.request import Reclaim, Request, Select, parse


def take(document: object) -> Request:
    return parse(document, default_grace_s=3.0, fresh_id="r-fresh")


def test_the_least_request_takes_everything_with_the_configured_grace() -> None:
    request = take({"select": {"all": True}})
    assert request == Request("r-fresh", "", Select(everything=True), 3.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"roles": ["eng", "*"]}, Select(roles=("eng", "*"))),  # type: ignore[arg-type]
        ({"tasks": ["t1"]}, Select(tasks=("t1",))),  # type: ignore[arg-type]
        ({"labels": {"b": "2", "a": "1"}}, Select(labels=(("a", "1"), ("b", "2")))),
    ],
)
def test_each_way_to_select(select: dict[str, Any], expected: Select) -> None:
    assert take({"select": select}).want == expected


def test_a_reclaim_names_amounts() -> None:
    assert take({"reclaim": {"cpus": 2.5, "mem": 1 << 30}}).want == Reclaim(2.5, 1 << 30)
    assert take({"reclaim": {"mem": 0.5}}).want == Reclaim(0, 1), "enough, never less"


@pytest.mark.parametrize(
    ("grace", "deadline", "expected"), [("5s", None, 5.0), (0, None, 0.0), ("1m", "10s", 10.0), ("500ms", "10s", 0.5)]
)
def test_the_grace_is_a_length_of_time_and_never_exceeds_the_deadline(
    grace: object, deadline: object, expected: float
) -> None:
    document = {"select": {"all": True}, "grace": grace} | ({"deadline": deadline} if deadline else {})
    assert take(document).grace_s == expected


@pytest.mark.parametrize(
    ("document", "subject"),
    [
        ([], "revoke"),
        ({}, "revoke"),
        ({"select": {"all": True}, "reclaim": {"cpus": 1}}, "revoke"),
        ({"select": {"all": True}, "graze": 1}, "revoke.graze"),
        ({"select": {}}, "revoke.select"),
        ({"select": {"all": True, "roles": ["a"]}}, "revoke.select"),
        ({"select": {"all": False}}, "revoke.select.all"),
        ({"select": {"everything": True}}, "revoke.select.everything"),
        ({"select": {"roles": []}}, "revoke.select.roles"),
        ({"select": {"roles": "eng"}}, "revoke.select.roles"),
        ({"select": {"tasks": [1]}}, "revoke.select.tasks"),
        ({"select": {"roles": ["eng/"]}}, "revoke.select.roles"),
        ({"select": {"roles": ["eng", "../x"]}}, "revoke.select.roles"),
        ({"select": {"roles": ["eng", "a\0b"]}}, "revoke.select.roles"),
        ({"select": {"roles": ["eng", "\ud800"]}}, "revoke.select.roles"),
        ({"select": {"roles": ["eng", "x" * 256]}}, "revoke.select.roles"),
        ({"reclaim": {"cpus": -1}}, "revoke.reclaim.cpus"),
        ({"reclaim": {"cpus": 10**400}}, "revoke.reclaim.cpus"),
        ({"reclaim": {"mem": float("inf")}}, "revoke.reclaim.mem"),
        ({"select": {"labels": {}}}, "revoke.select.labels"),
        ({"select": {"labels": {"a": 1}}}, "revoke.select.labels"),
        ({"reclaim": {}}, "revoke.reclaim"),
        ({"reclaim": {"cpus": 0}}, "revoke.reclaim.cpus"),
        ({"reclaim": {"mem": True}}, "revoke.reclaim.mem"),
        ({"reclaim": {"mem": float("nan")}}, "revoke.reclaim.mem"),
        ({"select": {"all": True}, "id": "../x"}, "revoke.id"),
        ({"select": {"all": True}, "id": 7}, "revoke.id"),
        ({"select": {"all": True}, "reason": 7}, "revoke.reason"),
        ({"select": {"all": True}, "reason": "\ud83d"}, "revoke.reason"),
        ({"select": {"all": True}, "grace": -1}, "revoke.grace"),
        ({"select": {"all": True}, "grace": "soon"}, "revoke.grace"),
        ({"select": {"all": True}, "grace": float("inf")}, "revoke.grace"),
        ({"select": {"all": True}, "grace": 10**400}, "revoke.grace"),
        ({"select": {"all": True}, "grace": f"{10**400}s"}, "revoke.grace"),
        ({"select": {"all": True}, "grace": 1e12}, "revoke.grace"),
        ({"select": {"all": True}, "deadline": "367days"}, "revoke.deadline"),
        ({"select": {"all": True}, "deadline": None}, "revoke.deadline"),
        ({"select": {"all": True}, "dry_run": "yes"}, "revoke.dry_run"),
    ],
)
def test_a_mistake_is_named_by_its_field(document: object, subject: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        take(document)
    assert caught.value.subject == subject


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["id", "select", "reclaim", "all", "grace"]), inner)
    ),
)


@given(JSON)
def test_whatever_comes_is_a_request_or_one_clear_error(document: object) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(take(document), Request)
