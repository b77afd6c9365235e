"""Credential helpers of docker, as real programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from executor.errors import Failure, InvalidConfig
from executor.images.failures import PullFailure
from executor.images.reference import parse as parse_reference
from executor.images.registry import helpers
from executor.images.registry.credentials import Credential, Helpers, parse_docker_config, parse_helpers
from executor.images.registry.hosts import of_registry
from executor.images.registry.repository import Repository
from tests.unit.images.registry.scripted import Asked, Reply, Scripted
from tests.unit.images.registry.test_trust import BASIC, CONTENT, LAYER, LOGIN

GIVES = 'echo \'{"ServerURL": "x", "Username": "user", "Secret": "secret"}\''
Ask = Callable[[str], Credential | None]


def helper(directory: Path, does: str) -> Ask:
    """A helper that keeps what it was asked for."""
    program = directory / "docker-credential-test"
    program.write_text(f'#!/bin/sh\necho "$@ $(cat)" >> {directory}/asked\n{does}\n')
    program.chmod(0o755)
    return partial(helpers.ask, "test", path=f"{directory}:/usr/bin:/bin", limit_s=1.0)


def test_a_helper_is_asked_for_one_registry(tmp_path: Path) -> None:
    ask = helper(tmp_path, GIVES)

    assert ask("r.example:5000") == Credential("r.example:5000", "", "user", "secret")
    assert ask("docker.io") == Credential("docker.io", "", "user", "secret")
    assert (tmp_path / "asked").read_text().splitlines() == ["get r.example:5000", "get https://index.docker.io/v1/"]


def test_an_identity_token(tmp_path: Path) -> None:
    ask = helper(tmp_path, 'echo \'{"Username": "<token>", "Secret": "secret"}\'')
    assert ask("r.example") == Credential("r.example", identity_token="secret")


def test_a_helper_that_has_nothing_for_the_registry(tmp_path: Path) -> None:
    assert helper(tmp_path, "echo credentials not found in native keychain; exit 1")("r.example") is None


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("echo secret; exit 3", "ended with 3"),
        ("echo secret", "no credentials"),
        ('echo \'{"Username": 1, "Secret": "secret"}\'', "no credentials"),
        ("sleep 60 & echo secret; wait", "within 1 s"),
        ("exec yes secret", "no credentials"),
    ],
)
def test_a_helper_that_fails_is_named_without_what_it_said(tmp_path: Path, does: str, words: str) -> None:
    begin = time.monotonic()
    with pytest.raises(Failure, match=words) as caught:
        helper(tmp_path, does)("r.example")
    assert "docker-credential-test" in str(caught.value) and "secret" not in str(caught.value)
    assert time.monotonic() - begin < 10


def test_a_helper_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"docker-credential-absent.*No such file"):
        helpers.ask("absent", "r.example", path=str(tmp_path))


def test_which_helper_knows_a_registry() -> None:
    config = {"credsStore": "pass", "credHelpers": {"r.example": "ecr-login", "index.docker.io": "hub"}}
    found = parse_helpers(json.dumps(config), subject="config.json")

    assert [found.of(host) for host in ("r.example", "docker.io", "other.example")] == ["ecr-login", "hub", "pass"]
    assert parse_helpers("{}", subject="x") == Helpers()
    assert parse_docker_config(json.dumps(config), subject="x") == ()


@pytest.mark.parametrize("name", ["../evil", "a b", "", 1, "/bin/sh"])
def test_a_name_that_is_no_helper_is_refused(name: object) -> None:
    with pytest.raises(InvalidConfig, match="credHelpers"):
        parse_helpers(json.dumps({"credHelpers": {"r.example": name}}), subject="config.json")


def pull(registry: Scripted, ask: Ask, *credentials: Credential) -> bytes:
    endpoint = of_registry(registry.host, plain=True)
    reference = parse_reference(f"{registry.host}/team/app:1")
    found = Repository(reference, [endpoint], credentials, ask_helper=ask)
    try:
        with found.layer(LAYER, 0).answer as answer:
            return answer.body(1000)
    finally:
        found.close()


def demands_the_password(asked: Asked) -> Reply:
    return Reply(200, body=CONTENT) if asked.authorization == LOGIN else Reply(401, BASIC)


def test_a_helper_is_asked_after_the_credentials_that_are_known(tmp_path: Path) -> None:
    ask = helper(tmp_path, GIVES)
    with Scripted(demands_the_password) as registry:
        wrong = Credential(registry.host, "", "user", "old")
        assert pull(registry, ask, wrong) == CONTENT
    assert (tmp_path / "asked").read_text().count("get") == 1


def test_a_helper_is_not_asked_where_nothing_is_demanded(tmp_path: Path) -> None:
    with Scripted(lambda _: Reply(200, body=CONTENT)) as registry:
        assert pull(registry, helper(tmp_path, GIVES)) == CONTENT
    assert not (tmp_path / "asked").exists()


def test_a_broken_helper_is_named_where_the_registry_refuses(tmp_path: Path) -> None:
    with Scripted(demands_the_password) as registry, pytest.raises(PullFailure, match=r"401.*docker-credential-test"):
        pull(registry, helper(tmp_path, "exit 1"))


def test_a_broken_helper_does_not_stop_the_pull_of_what_is_public(tmp_path: Path) -> None:
    def public(asked: Asked) -> Reply:
        if asked.path.startswith("/token"):
            return Reply(200, body=b'{"token": "t"}')
        bearer = f'Bearer realm="http://{registry.host}/token"'
        return Reply(200, body=CONTENT) if asked.authorization else Reply(401, {"www-authenticate": bearer})

    with Scripted(public) as registry:
        assert pull(registry, helper(tmp_path, "exit 1")) == CONTENT
