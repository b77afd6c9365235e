"""Who gets a registry's credentials, and who gets the certificate and the trust of its endpoint."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.containerd.types import Descriptor
from executor.images.failures import PullFailure
from executor.images.reference import parse as parse_reference
from executor.images.registry import hosts
from executor.images.registry.credentials import Credential
from executor.images.registry.hosts import Endpoint, of_registry
from executor.images.registry.repository import Repository
from tests.unit.images.registry.scripted import Asked, Reply, Scripted

CONTENT = b"a layer"
LAYER = Descriptor("", f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))
LOGIN = f"Basic {base64.b64encode(b'user:secret').decode()}"
BASIC = {"www-authenticate": 'Basic realm="x"'}


def login(host: str) -> Credential:
    return Credential(host, "", "user", "secret")


def repository(
    domain: str, *endpoints: Endpoint, credentials: tuple[Credential, ...] = (), **more: object
) -> Repository:
    return Repository(parse_reference(f"{domain}/team/app:1"), endpoints, credentials, **more)  # type: ignore[arg-type]


def layer(found: Repository) -> bytes:
    try:
        with found.layer(LAYER, 0).answer as answer:
            return answer.body(1000)
    finally:
        found.close()


def redirects_to(target: Callable[[], str]) -> Callable[[Asked], Reply]:
    return lambda _: Reply(307, {"location": target()})


def demands_a_password(asked: Asked) -> Reply:
    return Reply(200, body=CONTENT) if asked.authorization else Reply(401, BASIC)


def test_the_target_of_a_redirect_cannot_ask_for_the_password() -> None:
    with (
        Scripted(demands_a_password, address="127.0.0.2") as thief,
        Scripted(redirects_to(lambda: f"http://{thief.host}/steal")) as registry,
    ):
        found = repository(registry.host, of_registry(registry.host, plain=True), credentials=(login(registry.host),))
        with pytest.raises(PullFailure, match=r"steal.*401"):
            layer(found)

    assert [each.authorization for each in thief.seen] == [""]


def test_the_target_of_a_redirect_cannot_name_a_token_server() -> None:
    def challenge(asked: Asked) -> Reply:
        realm = f'Bearer realm="http://{thief.host}/token"'
        return Reply(200, body=b'{"token": "t"}') if "/token" in asked.path else Reply(401, {"www-authenticate": realm})

    with (
        Scripted(challenge, address="127.0.0.2") as thief,
        Scripted(redirects_to(lambda: f"http://{thief.host}/steal")) as registry,
    ):
        found = repository(registry.host, of_registry(registry.host, plain=True), credentials=(login(registry.host),))
        with pytest.raises(PullFailure, match="401"):
            layer(found)

    assert [each.path for each in thief.seen] == ["/steal"]


def test_a_redirect_within_the_registry_is_still_answered_with_the_password() -> None:
    def answer(asked: Asked) -> Reply:
        return demands_a_password(asked) if asked.path == "/here" else Reply(307, {"location": "/here"})

    with Scripted(answer) as registry:
        found = repository(registry.host, of_registry(registry.host, plain=True), credentials=(login(registry.host),))
        assert layer(found) == CONTENT


def test_another_server_gets_its_own_credentials_and_the_name_of_the_registry(tmp_path: Path) -> None:
    with Scripted(demands_a_password) as other:
        endpoints = hosts.parse(f'server = "http://{other.host}"', tmp_path, of_registry("r.example"))
        with pytest.raises(PullFailure, match="401"):
            layer(repository("r.example", *endpoints, credentials=(login("r.example"),)))
        assert [each.authorization for each in other.seen] == [""]
        assert other.seen[0].path.endswith("?ns=r.example")

        own = Credential(other.host, "", "user", "secret")
        assert layer(repository("r.example", *endpoints, credentials=(login("r.example"), own))) == CONTENT
        assert other.seen[-1].authorization == LOGIN


@pytest.mark.parametrize(
    ("url", "domain", "same"),
    [
        ("https://r.example/v2", "r.example", True),
        ("https://r.example:443/v2", "r.example", True),
        ("https://r.example/v2", "r.example:443", True),
        ("http://r.example:80/v2", "r.example", True),
        ("https://r.example:80/v2", "r.example", False),
        ("https://r.example:5000/v2", "r.example", False),
        ("https://registry-1.docker.io/v2", "docker.io", True),
        ("https://index.docker.io/v2", "docker.io", True),
        ("https://mirror.example/v2", "docker.io", False),
    ],
)
def test_which_endpoint_is_the_registry_itself(url: str, domain: str, same: bool) -> None:
    assert Endpoint(url).is_of(domain) is same


def test_a_token_server_without_tls_is_asked_only_where_the_operator_lists_it() -> None:
    def token(asked: Asked) -> Reply:
        return Reply(200, body=json.dumps({"token": "t"}).encode())

    def registry_of(asked: Asked) -> Reply:
        realm = f'Bearer realm="http://{tokens.host}/token"'
        return Reply(200, body=CONTENT) if asked.authorization else Reply(401, {"www-authenticate": realm})

    with Scripted(token, address="127.0.0.2") as tokens, Scripted(registry_of) as registry:
        endpoint, own = of_registry(registry.host, plain=True), (login(registry.host),)
        with pytest.raises(PullFailure, match=r"not asked over HTTPS.*plain_http"):
            layer(repository(registry.host, endpoint, credentials=own))
        assert tokens.seen == []

        listed = (registry.host, tokens.host)
        assert layer(repository(registry.host, endpoint, credentials=own, plain_http=listed)) == CONTENT
        assert tokens.seen[0].authorization == LOGIN


@pytest.mark.parametrize(
    "realm", ["https://[bad", "https://a:port/t", "https://a:70000/t", "http://", "mailto:x", "/t"]
)
def test_a_malformed_token_server_is_a_failure_of_the_pull(realm: str) -> None:
    with Scripted(lambda _: Reply(401, {"www-authenticate": f'Bearer realm="{realm}"'})) as registry:
        found = repository(registry.host, of_registry(registry.host, plain=True), credentials=(login(registry.host),))
        with pytest.raises(PullFailure) as caught:
            layer(found)
    assert caught.value.is_lasting


@pytest.mark.parametrize("target", ["http://[bad", "http://a:port/", "http://a:70000/", "ftp://a/x"])
def test_a_malformed_redirect_is_a_failure_of_the_pull(target: str) -> None:
    with Scripted(redirects_to(lambda: target)) as registry, pytest.raises(PullFailure) as caught:
        layer(repository(registry.host, of_registry(registry.host, plain=True)))
    assert caught.value.is_lasting


def test_a_message_has_neither_the_user_nor_the_query_of_a_redirect_and_is_short() -> None:
    with (
        Scripted(redirects_to(lambda: f"ftp://user:hunter2@a/{'x' * 5000}?signature=abc")) as registry,
        pytest.raises(PullFailure) as caught,
    ):
        layer(repository(registry.host, of_registry(registry.host, plain=True)))
    assert "hunter2" not in str(caught.value) and "signature" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_the_headers_of_an_endpoint_stay_with_it_and_keep_all_values() -> None:
    with (
        Scripted(lambda _: Reply(200, body=CONTENT), address="127.0.0.2") as target,
        Scripted(redirects_to(lambda: f"http://{target.host}/blob")) as registry,
    ):
        endpoint = Endpoint(f"http://{registry.host}/v2", headers=(("x-own", "1"), ("x-own", "2")))
        assert layer(repository(registry.host, endpoint)) == CONTENT
    assert registry.seen[0].headers["x-own"] == "1, 2"
    assert "x-own" not in target.seen[0].headers
