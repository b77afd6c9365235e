"""The directory of configurations: a fault stays with its own network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.cni.config.catalog import Catalog
from executor.cni.config.lint import dangers
from executor.errors import InvalidConfig, NotFound

PLUGIN: dict[str, Any] = {"type": "bridge", "bridge": "b", "ipam": {"type": "host-local", "subnet": "10.0.0.0/24"}}


def write(directory: Path, file: str, conf: object) -> str:
    path = directory / file
    path.write_text(conf if isinstance(conf, str) else json.dumps(conf))
    return str(path)


def single(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **PLUGIN, **more}


def listed(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "cniVersion": "1.0.0", "plugins": [{**PLUGIN, **more}, {"type": "portmap"}]}


def test_faulty_files_leave_others_alone(tmp_path: Path) -> None:
    write(tmp_path, "00.conf", "{garbage")
    write(tmp_path, "01.conf", {"name": "typeless"})
    write(tmp_path, "02.conf", {"type": "bridge"})
    (tmp_path / "03.conf").write_bytes(b"\xff\xfe")
    (tmp_path / "04.conf").mkdir()
    write(tmp_path, "05.txt", single("ignored"))
    good = write(tmp_path, "10.conf", single("good"))
    catalog = Catalog(tmp_path)
    assert catalog.names() == ("good",)
    assert catalog.get("good").file == good
    assert [Path(problem.subject).name for problem in catalog.problems()] == [f"0{number}.conf" for number in range(5)]


def test_a_faulty_file_is_named_when_its_network_is_asked_for(tmp_path: Path) -> None:
    typeless = write(tmp_path, "01.conf", {"name": "typeless"})
    with pytest.raises(InvalidConfig) as caught:
        Catalog(tmp_path).get("typeless")
    assert caught.value.subject == typeless
    garbage = write(tmp_path, "00.conf", "{garbage")
    with pytest.raises(InvalidConfig, match="may be the configuration of network 'lost'") as caught:
        Catalog(tmp_path).get("lost")
    assert caught.value.subject == garbage


def test_an_unknown_network(tmp_path: Path) -> None:
    write(tmp_path, "10.conf", single("good"))
    with pytest.raises(NotFound, match="has: good"):
        Catalog(tmp_path).get("bad")
    with pytest.raises(NotFound, match="has: none"):
        Catalog(tmp_path / "absent").get("bad")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (single("net"), single("net")),
        (listed("net"), listed("net")),
        (single("net"), listed("net", ipam={"type": "host-local", "subnet": "10.0.0.0/24", "dataDir": "/else"})),
        (single("net"), listed("net", bridge="c")),
        (single("net"), {"name": "net"}),
    ],
)
def test_two_files_of_one_name_are_refused(tmp_path: Path, one: dict[str, Any], other: dict[str, Any]) -> None:
    files = {write(tmp_path, "10.conf", one), write(tmp_path, "11.conf", other)}
    write(tmp_path, "12.conf", single("bystander"))
    catalog = Catalog(tmp_path)
    assert catalog.names() == ("bystander",)
    assert len(catalog.problems()) == 1
    with pytest.raises(InvalidConfig) as caught:
        catalog.get("net")
    assert caught.value.subject in files


def test_an_operators_list_beside_the_agents_plugin_is_used(tmp_path: Path) -> None:
    write(tmp_path, "10.conf", single("net", cniVersion="0.2.0"))
    chosen = write(tmp_path, "11.conflist", listed("net"))
    catalog = Catalog(tmp_path)
    assert catalog.get("net").file == chosen
    assert catalog.problems() == ()


@pytest.mark.parametrize(("version", "words"), [("0.2.0", []), ("0.3.1", ["UnknownHostException"])])
def test_a_list_beside_the_agents_plugin_is_what_the_hint_asks_for(
    tmp_path: Path, version: str, words: list[str]
) -> None:
    """The agent's tasks join the network by its own file, whose version counts for them."""
    ipam = {"type": "host-local", "subnet": "10.0.0.0/24", "dataDir": "/run/cni"}
    agents = write(tmp_path, "10.conf", single("net", ipam=ipam, cniVersion=version))
    write(tmp_path, "11.conflist", listed("net", ipam=ipam))
    found = dangers(Catalog(tmp_path).networks())
    assert [each.files for each in found] == [(agents,)] * len(words)
    assert all(word in str(each) for each, word in zip(found, words, strict=True))


def test_an_edited_file_counts_at_once(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    write(tmp_path, "10.conf", single("net"))
    assert catalog.get("net").plugins[0]["bridge"] == "b"
    write(tmp_path, "10.conf", single("net", bridge="c"))
    assert catalog.get("net").plugins[0]["bridge"] == "c"
