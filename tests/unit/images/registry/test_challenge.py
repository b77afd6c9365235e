"""WWW-Authenticate, as registries write it and as nobody should."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.images.registry.challenge import CHALLENGES_MAX, Challenge, choose, parse


def test_a_bearer_challenge_of_a_registry() -> None:
    header = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"'

    (found,) = parse([header])

    assert found == Challenge(
        "bearer",
        {
            "realm": "https://auth.example/token",
            "service": "registry.example",
            "scope": "repository:a/b:pull,push",
        },
    )


def test_several_challenges_in_one_header_and_in_several() -> None:
    both = parse(['Basic realm="x", Bearer realm="https://a/t"'])

    assert [each.scheme for each in both] == ["basic", "bearer"]
    assert [each.scheme for each in parse(['BASIC realm="x"', "Negotiate"])] == ["basic", "negotiate"]


def test_escapes_and_bare_values() -> None:
    assert parse([r'Basic realm="a \"b\"", charset=UTF-8'])[0].parameters == {"realm": 'a "b"', "charset": "UTF-8"}


def test_bearer_is_preferred_and_needs_a_realm() -> None:
    basic, bearer, bare = Challenge("basic", {}), Challenge("bearer", {"realm": "https://a"}), Challenge("bearer", {})

    assert choose([basic, bearer]) is bearer
    assert choose([bare, basic]) is basic
    assert choose([bare]) is None
    assert choose([]) is None


@given(st.lists(st.text(max_size=200), max_size=4))
def test_no_header_is_too_odd(headers: list[str]) -> None:
    assert len(parse(headers)) <= CHALLENGES_MAX


def test_a_long_header_takes_no_long_time() -> None:
    parse(['Bearer a="' + "\\" * 100_000, "a," * 100_000, 'x y="' * 100_000])
