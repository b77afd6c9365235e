"""Reading configurations, deriving the pods' list from the agent's, fitting it to a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cni.config.conflist import Network, parse, plugin_config
from executor.cni.config.demands import fitted
from executor.cni.config.lint import dangers
from executor.errors import InvalidConfig

IPAM = {"type": "host-local", "dataDir": "/run/cni/networks", "ranges": [[{"subnet": "10.91.1.0/24"}]]}
AGENT = {
    "cniVersion": "0.2.0",
    "name": "podnet",
    "type": "bridge",
    "bridge": "cni-podnet",
    "isGateway": True,
    "ipam": IPAM,
    "dns": {"nameservers": ["10.91.1.1"]},
}
PORT_MAPPER = {
    "name": "podnet",
    "type": "mesos-cni-port-mapper",
    "excludeDevices": ["cni-podnet"],
    "chain": "MESOS-PORTS",
    "delegate": {key: value for key, value in AGENT.items() if key not in ("name", "cniVersion")},
}


def network(conf: object, file: str = "podnet.conf") -> Network:
    return parse(json.dumps(conf), file)


def there(_: str) -> bool:
    return True


@pytest.mark.parametrize("conf", [AGENT, PORT_MAPPER], ids=["plain", "port mapper"])
def test_the_derived_list_keeps_what_addresses_depend_on(conf: dict[str, Any]) -> None:
    derived = network(conf)
    document = derived.document("1.0.0")
    (plugin,) = document["plugins"]
    assert document["name"] == "podnet"
    assert document["disableGC"] is True
    assert plugin == {key: value for key, value in AGENT.items() if key not in ("name", "cniVersion")}
    assert derived.types == ("bridge", "host-local")
    assert derived.identity == {"type": "bridge", "bridge": "cni-podnet", "master": None, "ipam": IPAM}


def test_plugins_are_appended_when_wanted() -> None:
    plain = network(AGENT)
    assert fitted(plain, [], there) == plain
    full = fitted(plain, ["portMappings", "bandwidth"], there)
    assert [each["type"] for each in full.plugins] == ["bridge", "portmap", "bandwidth"]
    assert full.disable_check, "portmap's CHECK fails for pods without IPv6"
    assert not fitted(plain, ["bandwidth"], there).disable_check


@pytest.mark.parametrize(("capability", "plugin"), [("portMappings", "portmap"), ("bandwidth", "bandwidth")])
def test_what_is_wanted_and_not_installed_is_refused(capability: str, plugin: str) -> None:
    with pytest.raises(InvalidConfig, match=f"needs the plugin {plugin} for {capability}"):
        fitted(network(AGENT), [capability], lambda kind: kind != plugin)


def test_capabilities_are_declared_for_plugins_that_take_them() -> None:
    fit = fitted(network(AGENT), ["mac", "ips"], there)
    assert fit.plugins[0]["capabilities"] == {"mac": True, "ips": True}
    ptp = network({"name": "n", "type": "ptp", "ipam": {"type": "dhcp"}})
    for capability in ("mac", "ips"):
        with pytest.raises(InvalidConfig, match=f"ptp cannot take a pod's {capability}"):
            fitted(ptp, [capability], there)


def test_a_list_is_not_extended_behind_the_operators_back() -> None:
    listed = network({"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "bridge"}]}, "n.conflist")
    with pytest.raises(InvalidConfig, match='"portMappings": true') as caught:
        fitted(listed, ["portMappings"], there)
    assert caught.value.subject == "n.conflist"


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ([], "not a JSON object"),
        ({}, "name"),
        ({"name": "", "type": "x"}, "name"),
        ({"name": 5, "type": "x"}, "name"),
        ({"name": "../etc", "type": "x"}, "name"),
        ({"name": "n"}, "type"),
        ({"name": "n", "type": "../../bin/sh"}, "type"),
        ({"name": "n", "type": ".."}, "type"),
        ({"name": "n", "type": ["x"]}, "type"),
        ({"name": "n", "type": "x", "ipam": "host-local"}, "ipam"),
        ({"name": "n", "type": "x", "args": 5}, "args"),
        ({"name": "n", "type": "x", "args": {"org.apache.mesos": {}}}, r"org\.apache\.mesos"),
        ({"name": "n", "type": "mesos-cni-port-mapper"}, "type"),
        ({"name": "n", "type": "mesos-cni-port-mapper", "delegate": {"type": 1}}, "type"),
        ({"name": "n", "cniVersion": "1.0.0", "plugins": []}, "plugins"),
        ({"name": "n", "cniVersion": "1.0.0", "plugins": {}}, "plugins"),
        ({"name": "n", "cniVersion": "1.0.0", "plugins": ["x"]}, "type"),
        ({"name": "n", "cniVersion": "1.0.0", "plugins": [{"type": "x", "capabilities": []}, 5]}, "capabilities|type"),
        ({"name": "n", "plugins": [{"type": "x"}]}, "version"),
        ({"name": "n", "cniVersion": "9.9.9", "plugins": [{"type": "x"}]}, r"9\.9\.9"),
        ({"name": "n", "cniVersion": "0.2.0", "plugins": [{"type": "x"}, {"type": "y"}]}, "knows no lists"),
        ({"name": "n", "cniVersion": "1.0.0", "disableCheck": "maybe", "plugins": [{"type": "x"}]}, "disableCheck"),
    ],
)
def test_a_faulty_configuration_names_file_and_hint(conf: object, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as caught:
        network(conf, "/etc/cni/net.d/x.conf")
    assert caught.value.subject.startswith("/etc/cni/net.d/x.conf")
    assert caught.value.hint


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "type", "plugins", "ipam", "args", "capabilities", "cniVersion", "cniVersions", "delegate"]
            ),
            inner | st.sampled_from(["n", "bridge", "mesos-cni-port-mapper", "1.0.0"]),
            max_size=6,
        )
    ),
)


@given(st.text() | json_values.map(json.dumps))
def test_no_text_does_worse_than_an_error_that_names_the_file(text: str) -> None:
    try:
        found = parse(text, "file")
    except InvalidConfig as caught:
        subject = caught.subject
    else:
        subject = found.file
        assert found.types
        assert found.document(found.versions[0])["plugins"]
        assert dangers([found]) is not None
    assert subject.startswith("file")


def test_versions_a_list_may_be_used_with() -> None:
    listed = {"name": "n", "plugins": [{"type": "x"}]}
    assert network({**listed, "cniVersion": "0.4.0"}).versions == ("0.4.0",)
    both = network({**listed, "cniVersion": "0.4.0", "cniVersions": ["1.1.0", "1.0.0", "7.0.0"]})
    assert both.versions == ("1.1.0", "1.0.0", "0.4.0")


def test_arguments_are_added_to_those_of_the_configuration() -> None:
    derived = network({**AGENT, "args": {"labels": {"a": "b"}}})
    config = plugin_config(
        derived.document("1.0.0"), 0, capability_args={"mac": "x"}, args={"org.apache.mesos": {}}, previous=None
    )
    assert config["args"] == {"labels": {"a": "b"}, "org.apache.mesos": {}}
    assert "runtimeConfig" not in config


def test_dnsname_wants_aliases_by_network() -> None:
    plugins = [{"type": kind, "capabilities": {"aliases": True}} for kind in ("bridge", "dnsname")]
    document = network({"name": "n", "cniVersion": "1.0.0", "plugins": plugins}).document("1.0.0")
    configs = [plugin_config(document, i, capability_args={"aliases": ["a"]}, args={}, previous=None) for i in (0, 1)]
    assert [config["runtimeConfig"]["aliases"] for config in configs] == [["a"], {"n": ["a"]}]


def test_what_is_dangerous_is_said_with_its_file_and_a_hint() -> None:
    safe = network(AGENT)
    assert dangers([safe]) == ()
    new = network({**AGENT, "cniVersion": "0.3.1"})
    kept = network({**AGENT, "ipam": {**IPAM, "dataDir": "/var/lib/cni"}})
    listed = network({"name": "n", "cniVersion": "1.0.0", "plugins": [{"type": "ptp"}]})
    for found, words, grave in (
        (new, "UnknownHostException", True),
        (kept, "over a reboot", False),
        (listed, "skips lists", False),
    ):
        (one,) = dangers([found])
        assert words in str(one) and one.files == (found.file,) and found.file in str(one)
        assert one.hint and one.grave is grave


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ipam": {**IPAM, "ranges": [[{"subnet": "10.99.0.0/24"}]]}}, ["given out twice"]),
        ({"bridge": "other0"}, ["both give out addresses"]),
        ({}, ["given out twice", "both give out addresses"]),
        ({"bridge": "other0", "ipam": {**IPAM, "ranges": [[{"subnet": "fd00::/64"}]]}}, []),
    ],
)
def test_two_networks_that_are_no_two(changes: dict[str, Any], words: list[str]) -> None:
    other = network({**AGENT, "name": "other", **changes}, "other.conf")
    found = dangers([network(AGENT), other])
    assert [any(part in str(one) for part in words) for one in found] == [True] * len(words)
    assert all(one.files[1] == "other.conf" for one in found)
