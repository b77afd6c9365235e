"""Which registries are asked through a proxy, and that they are."""

from __future__ import annotations

import base64

import pytest

from executor.images.failures import PullFailure
from executor.images.reference import parse as parse_reference
from executor.images.registry.hosts import of_registry
from executor.images.registry.proxies import Proxies
from executor.images.registry.repository import Repository
from executor.images.registry.urls import origin
from tests.unit.images.registry.scripted import Asked, Reply, Scripted
from tests.unit.images.registry.test_trust import CONTENT, LAYER, LOGIN, demands_a_password, login

PLAIN, TLS = "http://plain-proxy:3128", "http://tls-proxy:3128"


def of(url: str, *no_proxy: str) -> str:
    return Proxies(PLAIN, TLS, no_proxy).of(*origin(url))


def test_the_scheme_chooses() -> None:
    assert of("https://r.example/v2/") == TLS
    assert of("http://r.example/v2/") == PLAIN
    assert Proxies(https=TLS).of(*origin("http://r.example/")) == ""
    assert Proxies().of(*origin("https://r.example/")) == ""


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"])
def test_this_machine_is_asked_without_a_proxy(host: str) -> None:
    assert of(f"https://{host}/") == ""


@pytest.mark.parametrize(
    ("host", "entry", "direct"),
    [
        ("r.example", "r.example", True),
        ("r.example", "R.Example", True),
        ("a.r.example", "r.example", True),
        ("other-r.example", "r.example", False),
        ("a.r.example", ".r.example", True),
        ("r.example", ".r.example", False),
        ("a.r.example", "*.r.example", True),
        ("r.example:5000", "r.example:5000", True),
        ("r.example", "r.example:443", True),
        ("r.example", "r.example:5000", False),
        ("r.example:5000", "r.example", True),
        ("10.1.2.3", "10.1.0.0/16", True),
        ("10.2.2.3", "10.1.0.0/16", False),
        ("10.1.2.3:5000", "10.1.2.3", True),
        ("10.1.2.3:5000", "10.1.2.3:5000", True),
        ("10.1.2.3:5000", "10.1.2.3:1", False),
        ("[fd00::1]:5000", "fd00::/8", True),
        ("[fd00::1]:5000", "fd00::1", True),
        ("[fd00::1]:5000", "[fd00::1]:5000", True),
        ("r.example", "10.0.0.0/8", False),
        ("r.example", "300.0.0.0/8", False),
        ("r.example", "*", True),
        ("r.example", "", False),
        ("r.example", " r.example ", True),
    ],
)
def test_what_is_asked_without_a_proxy(host: str, entry: str, direct: bool) -> None:
    assert of(f"https://{host}/v2/", entry) == ("" if direct else TLS)


def layer(proxies: Proxies, domain: str = "r.test") -> bytes:
    reference = parse_reference(f"{domain}/team/app:1")
    found = Repository(reference, [of_registry(domain, plain=True)], [login(domain)], proxies=proxies)
    try:
        with found.layer(LAYER, 0).answer as answer:
            return answer.body(1000)
    finally:
        found.close()


def test_a_registry_is_asked_through_the_proxy() -> None:
    with Scripted(demands_a_password) as proxy:
        assert layer(Proxies(http=f"http://{proxy.host}")) == CONTENT
    assert [each.path for each in proxy.seen] == [f"http://r.test/v2/team/app/blobs/{LAYER.digest}"] * 2
    assert [each.authorization for each in proxy.seen] == ["", LOGIN]


def test_a_proxy_gets_its_credential_and_the_registry_does_not() -> None:
    with Scripted(lambda _: Reply(200, body=CONTENT)) as proxy:
        proxies = Proxies(http=f"http://{proxy.host}", credential="me:hunter2")
        assert layer(proxies) == CONTENT
    expected = f"Basic {base64.b64encode(b'me:hunter2').decode()}"
    assert [each.headers["proxy-authorization"] for each in proxy.seen] == [expected]
    assert "hunter2" not in repr(proxies) and proxy.seen[0].authorization == ""


def test_a_redirect_to_a_host_without_a_proxy_is_asked_directly() -> None:
    with Scripted(lambda _: Reply(200, body=CONTENT)) as target:
        redirect = Reply(307, {"location": f"http://{target.host}/blob"})
        with Scripted(lambda _: redirect) as proxy:
            assert layer(Proxies(http=f"http://{proxy.host}")) == CONTENT
    assert [each.path for each in target.seen] == ["/blob"]


def test_a_proxy_that_does_not_answer_is_named() -> None:
    with pytest.raises(PullFailure, match=r"through the proxy http://127\.0\.0\.1:1"):
        layer(Proxies(http="http://127.0.0.1:1"))


def test_a_proxy_that_refuses_is_told() -> None:
    def refuse(asked: Asked) -> Reply:
        return Reply(407, {"proxy-authenticate": "Basic"})

    with Scripted(refuse) as proxy, pytest.raises(PullFailure, match="407"):
        layer(Proxies(http=f"http://{proxy.host}"))
