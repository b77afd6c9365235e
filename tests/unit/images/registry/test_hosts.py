"""hosts.toml, as containerd documents it."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.errors import InvalidConfig
from executor.images.registry.hosts import Endpoint, directories, of_certificates, of_registry, parse

DIRECTORY = Path("/etc/containerd/certs.d/r.example")
DEFAULT = of_registry("r.example")


def endpoints(text: str) -> tuple[Endpoint, ...]:
    return parse(text, DIRECTORY, DEFAULT)


def test_mirrors_come_first_in_the_order_of_the_file() -> None:
    found = endpoints("""
        server = "https://r.example"
        [host."https://z-mirror.example"]
          capabilities = ["pull"]
        [host."http://a-mirror.example:5000"]
    """)

    assert [each.url for each in found] == [
        "https://z-mirror.example/v2",
        "http://a-mirror.example:5000/v2",
        "https://r.example/v2",
    ]
    assert [(each.pulls, each.resolves) for each in found] == [(True, False), (True, True), (True, True)]
    assert [each.is_of("r.example") for each in found] == [False, False, True]
    assert [each.is_plain for each in found] == [False, True, False]


def test_without_a_server_the_registry_itself_comes_last() -> None:
    assert [each.url for each in endpoints('[host."https://m"]')] == ["https://m/v2", "https://r.example/v2"]


def test_the_server_may_have_settings_of_its_own() -> None:
    (found,) = endpoints('ca = "ca.crt"\nskip_verify = true')

    assert (found.url, found.ca, found.skip_verify) == (DEFAULT.url, (DIRECTORY / "ca.crt",), True)


def test_the_table_of_the_registry_itself_is_kept() -> None:
    (found,) = endpoints("""
        server = "https://r.example"
        [host."https://r.example"]
          ca = "ca.crt"
    """)
    assert (found.url, found.ca) == (DEFAULT.url, (DIRECTORY / "ca.crt",))

    (hub,) = parse('[host."https://docker.io"]\nskip_verify = true', DIRECTORY, of_registry("docker.io"))
    assert (hub.url, hub.skip_verify) == ("https://registry-1.docker.io/v2", True)


def test_the_registry_is_asked_for_what_its_table_does_not_allow() -> None:
    found = endpoints("""
        server = "https://R.example"
        [host."https://r.example"]
          capabilities = ["pull"]
    """)
    assert [(each.url, each.resolves) for each in found] == [(DEFAULT.url, False), (DEFAULT.url, True)]


def test_settings_of_the_server_are_kept_beside_a_table_of_the_same_host() -> None:
    found = endpoints('ca = "ca.crt"\n[host."https://r.example"]\nskip_verify = true')
    assert [(each.skip_verify, each.ca) for each in found] == [(True, ()), (False, (DIRECTORY / "ca.crt",))]


def test_certificates_keys_and_headers() -> None:
    found = endpoints("""
        [host."https://m"]
          ca = ["one.crt", "/etc/two.crt"]
          client = [["c.cert", "c.key"], ["both.pem", ""]]
          [host."https://m".header]
            x-one = "1"
            x-more = ["2", "3"]
    """)[0]

    assert found.ca == (DIRECTORY / "one.crt", Path("/etc/two.crt"))
    assert found.client == ((DIRECTORY / "c.cert", DIRECTORY / "c.key"), (DIRECTORY / "both.pem", None))
    assert found.headers == (("x-one", "1"), ("x-more", "2"), ("x-more", "3"))
    assert endpoints('[host."m"]\nclient = "c.pem"')[0].client == ((DIRECTORY / "c.pem", None),)


def test_the_path_of_the_api() -> None:
    assert endpoints('[host."https://m/proxy"]')[0].url == "https://m/proxy/v2"
    assert endpoints('[host."https://m/v2/proxy"]\noverride_path = true')[0].url == "https://m/v2/proxy"
    assert endpoints('server = "https://docker.io"')[0].url == "https://registry-1.docker.io/v2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server = 1", "server"),
        ('sever = "https://r"', "unknown key 'sever'"),
        ('[host."ftp://m"]', "not a URL"),
        ('[host."https://user:pass@m"]', "not a URL"),
        ('[host."https://m:port"]', "not a URL"),
        ('[host."https://m"]\ncapabilities = ["all"]', "capabilities"),
        ('[host."https://m"]\nca = 1', "`ca`"),
        ('[host."https://m"]\nclient = [[1]]', "`client`"),
        ('[host."https://m"]\nskip_verify = "yes"', "skip_verify"),
        ('[host."https://m"]\nheader = {a = "b\\n"}', "control character"),
        ('host = ["https://m"]', "`host`"),
        ("x = ", "not TOML"),
        ("\n".join(f'[host."https://m{n}"]' for n in range(33)), "32 entries"),
    ],
)
def test_faults_are_named(text: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as caught:
        endpoints(text)
    assert str(DIRECTORY / "hosts.toml") in caught.value.subject


def test_directories_of_a_registry() -> None:
    assert directories("r.example") == ("r.example", "_default")
    assert directories("r.example:5000") == ("r.example:5000", "r.example_5000_", "_default")


def test_a_directory_of_certificates_only() -> None:
    found = of_certificates(["ca.crt", "me.cert", "me.key", "notes"], DIRECTORY, DEFAULT)

    assert found.ca == (DIRECTORY / "ca.crt",)
    assert found.client == ((DIRECTORY / "me.cert", DIRECTORY / "me.key"),)


def test_docker_hub_is_served_elsewhere() -> None:
    assert of_registry("docker.io").url == "https://registry-1.docker.io/v2"
    assert of_registry("127.0.0.1:5000", plain=True).url == "http://127.0.0.1:5000/v2"
