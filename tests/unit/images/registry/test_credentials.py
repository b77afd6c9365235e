"""docker's config.json and which registry gets which of its credentials."""

from __future__ import annotations

import base64
import json

import pytest

from executor.errors import InvalidConfig
from executor.images.registry.credentials import Credential, matching, parse_docker_config


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def parsed(value: object) -> tuple[Credential, ...]:
    return parse_docker_config(json.dumps(value), subject="config.json")


def test_a_config_as_docker_login_writes_it() -> None:
    auths = {
        "https://index.docker.io/v1/": auth("hub", "pass:with:colons"),
        "r.example:5000": {"username": "u", "password": "p"},
        "gcr.example/team": {"identitytoken": "t", **auth("<token>", "")},
        "empty.example": {},
    }

    hub, port, token = parsed({"auths": auths, "credsStore": "pass"})

    assert (hub.host, hub.username, hub.password) == ("docker.io", "hub", "pass:with:colons")
    assert (port.host, port.username, port.password) == ("r.example:5000", "u", "p")
    assert (token.host, token.path, token.identity_token) == ("gcr.example", "team", "t")


def test_the_older_form_has_no_auths() -> None:
    assert [each.host for each in parsed({"r.example": auth("u", "p")})] == ["r.example"]
    assert parsed({"credHelpers": {"r.example": "x"}}) == ()


@pytest.mark.parametrize("auth_text", ["%%%", base64.b64encode(b"no-colon").decode(), "/w=="])
def test_a_broken_entry_is_named_without_its_value(auth_text: str) -> None:
    with pytest.raises(InvalidConfig, match="base64") as caught:
        parsed({"auths": {"r.example": {"auth": auth_text}}})
    assert "auths[r.example].auth" in caught.value.subject
    assert auth_text not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"auths": []}', "[" * 100_000])
def test_what_is_no_config_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match=r"JSON|auths"):
        parse_docker_config(text, subject="config.json")


def test_secrets_are_not_shown() -> None:
    assert "geheim" not in repr(Credential("h", "", "u", "geheim", "geheim"))


def hosts(patterns: list[str], host: str, path: str = "a/b") -> list[str]:
    credentials = parsed({"auths": {pattern: auth("u", pattern) for pattern in patterns}})
    return [each.password for each in matching(credentials, host, path)]


def test_the_most_specific_comes_first() -> None:
    patterns = ["*.r.example", "x.r.example", "x.r.example/a", "x.r.example/a/b", "x.r.example/other"]

    assert hosts(patterns, "x.r.example") == ["x.r.example/a/b", "x.r.example/a", "x.r.example", "*.r.example"]


def test_a_port_is_a_part_of_the_registry() -> None:
    assert hosts(["r.example"], "r.example:5000") == []
    assert hosts(["r.example:5000"], "r.example:5000") == ["r.example:5000"]


def test_a_star_never_stands_for_a_dot() -> None:
    assert hosts(["*.example"], "evil.r.example") == []
    assert hosts(["*"], "r.example") == []
    assert hosts(["*.*.example"], "a.r.example") == ["*.*.example"]


def test_docker_hub_has_several_names() -> None:
    assert hosts(["https://index.docker.io/v1/"], "registry-1.docker.io") == ["https://index.docker.io/v1/"]
    assert hosts(["docker.io"], "docker.io") == ["docker.io"]


def test_a_path_ends_at_a_slash() -> None:
    assert hosts(["r.example/a"], "r.example", "ab/c") == []
