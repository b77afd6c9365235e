"""Which network a pod is on, and what is asked of it: from annotations and NetworkInfos to requests and statuses."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.cni import Attachment, Bandwidth, Dns
from executor.cni import PortMapping as CniPort
from executor.config.role_policy import RolePolicy
from executor.errors import InvalidTask
from executor.names import NO_NETWORK
from executor.pod.network.executor_network import OwnNetwork
from executor.pod.network.requests import has_loopback_only, network_infos, requests
from executor.policy.violations import NodeFacts, violations
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec, PortMapping
from tests.unit.pod.samples import Document, task

NETWORKS = "mesos-pod-executor/networks"
INGRESS, EGRESS = "kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth"


def pod(annotations: dict[str, str] | None = None, **spec: Any) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "prod", "uid": "u-1", "annotations": annotations or {}},
        "spec": {"containers": [{"name": "a", "image": "x"}], **spec},
    }


def parse(document: Document, *infos: Document) -> PodSpec:
    container: dict[str, Any] = {"container": {"type": "MESOS", "network_infos": list(infos)}} if infos else {}
    return parse_launch([task(document, **container)], group=False)


def refusal(document: Document, *infos: Document) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        parse(document, *infos)
    return caught.value


@pytest.mark.parametrize(
    ("text", "names"),
    [("podnet", ["podnet"]), (" podnet , storage,", ["podnet", "storage"]), ('[{"name": "podnet"}]', ["podnet"])],
)
def test_networks_by_annotation(text: str, names: list[str]) -> None:
    found = requests(parse(pod({NETWORKS: text})), "default")
    assert [(each.network, each.ifname) for each in found] == [(name, f"eth{n}") for n, name in enumerate(names)]
    assert [each.network_info for each in found] == [{"name": name} for name in names]


def test_an_annotation_may_ask_for_a_mac_and_addresses() -> None:
    entry = {"name": "storage", "mac": "02:00:00:00:00:01", "ips": ["10.1.2.3", "fd00::3/64"]}
    first, second = requests(parse(pod({NETWORKS: json.dumps([{"name": "podnet"}, entry])})), "")
    assert (first.mac, first.ips) == ("", ())
    assert (second.mac, second.ips) == (entry["mac"], tuple(entry["ips"]))


@pytest.mark.parametrize(
    "text",
    [
        "", " , ", "[]", "pod net", "../x", "[", '[{"name": 1}]', '[{"nam": "x"}]', '[{"name": "a", "mac": "zz"}]',
        '[{"name": "a", "ips": ["10.1.2"]}]', '[{"name": "a", "ips": "10.1.2.3"}]', "[" * 5000,
    ],
)  # fmt: skip
def test_an_annotation_that_cannot_be_meant(text: str) -> None:
    assert refusal(pod({NETWORKS: text})).subject == f"metadata.annotations['{NETWORKS}']"


def test_networks_are_asked_for_in_one_place() -> None:
    assert refusal(pod({NETWORKS: "a"}), {"name": "a"}).subject == f"metadata.annotations['{NETWORKS}']"
    assert refusal(pod({NETWORKS: "a"}, hostNetwork=True)).subject == f"metadata.annotations['{NETWORKS}']"


def test_limits_of_the_first_network() -> None:
    found = requests(parse(pod({NETWORKS: "a,b", INGRESS: "10M", EGRESS: "1500k"})), "")
    assert [each.bandwidth for each in found] == [Bandwidth(10_000_000, 1_500_000), None]
    for text in ("1", "fast", "2P", "-1k"):
        assert refusal(pod({INGRESS: text})).subject == f"metadata.annotations['{INGRESS}']"
    assert refusal(pod({EGRESS: "1M"}, hostNetwork=True)).subject == f"metadata.annotations['{EGRESS}']"


def test_an_address_in_a_network_info_is_wanted() -> None:
    info = {"name": "podnet", "ip_addresses": [{"protocol": "IPv4", "ip_address": "10.1.2.3"}, {"protocol": "IPv6"}]}
    (found,) = requests(parse(pod(), info), "")
    assert (found.ips, found.network_info) == (("10.1.2.3",), info)
    bad = {"name": "podnet", "ip_addresses": [{"ip_address": "10.1.2"}]}
    assert refusal(pod(), bad).subject == "TaskInfo.container.network_infos[0].ip_addresses[0].ip_address"


def test_plugins_are_told_whose_the_interface_is() -> None:
    document = pod({"mesos-pod-executor/service": "shop,api"}, hostname="w0", dnsConfig={"nameservers": ["10.0.0.1"]})
    (found,) = requests(parse(document), "podnet")
    assert (found.pod_name, found.pod_namespace, found.pod_uid) == ("web", "prod", "u-1")
    assert found.aliases == ("w0", "shop", "api")
    assert found.dns == Dns(nameservers=("10.0.0.1",))


def test_a_network_info_without_a_name_is_the_node_s_default() -> None:
    labels = {"labels": [{"key": "a"}]}
    spec = parse(pod(), {"labels": labels})
    (found,) = requests(spec, "podnet")
    assert (found.network, found.network_info) == ("podnet", {"name": "podnet", "labels": labels})
    assert requests(spec, "") == ()


def test_host_ports_lead_to_the_first_network() -> None:
    spec = replace(parse(pod({NETWORKS: "a,b"})), host_ports=(PortMapping(31000, 80),))
    assert [each.port_mappings for each in requests(spec, "")] == [(CniPort(31000, 80, "tcp"),), ()]


def test_what_mesos_is_told() -> None:
    asked = requests(parse(pod({NETWORKS: "a,b"})), "")
    made = [Attachment("a", "eth0", ("10.0.0.2/24", "fd00::2/64"))]
    v4, v6 = {"protocol": "IPv4", "ip_address": "10.0.0.2"}, {"protocol": "IPv6", "ip_address": "fd00::2"}
    assert network_infos(asked, made, ("10.9.9.9",)) == [
        {"name": "a", "ip_addresses": [v4, v6]},
        {"name": "b", "ip_addresses": []},
    ]
    assert network_infos((), (), ("10.0.0.2",)) == [{"ip_addresses": [v4]}]


# --- where the executor itself is ---


def test_an_executor_on_the_node_s_network() -> None:
    own = OwnNetwork("192.0.2.1", "podnet")
    own.subscribed({"container": {"type": "MESOS", "network_infos": [{"labels": {}}]}})
    assert (own.default, own.names) == ("podnet", ())
    for spec in (parse(pod()), parse(pod(hostNetwork=True))):
        assert own.addresses(spec) == ("192.0.2.1",)
        path = own.namespace(spec)
        assert path is not None and path.samefile("/proc/self/ns/net")
        own.check(spec)


def test_an_executor_that_the_framework_put_on_a_network() -> None:
    own = OwnNetwork("192.0.2.1", "podnet")
    own.subscribed({"container": {"type": "MESOS", "network_infos": [{"name": "spark"}]}})
    plain, on_node, named = parse(pod()), parse(pod(hostNetwork=True)), parse(pod({NETWORKS: "storage"}))
    assert requests(plain, own.default) == (), "the framework's choice, not the node's default"
    assert own.namespace(plain) == Path(f"/proc/{Path('/proc/self').readlink()}/ns/net")
    assert own.namespace(on_node) is None and own.addresses(on_node) == ("192.0.2.1",)
    own.check(plain)
    with pytest.raises(InvalidTask, match=r"spark.*storage"):
        own.check(named)


def test_what_a_shared_network_cannot_give_is_refused() -> None:
    plain, alone = parse(pod()), OwnNetwork("192.0.2.1")
    alone.check(replace(plain, host_ports=(PortMapping(31000, 31000),)))
    for spec, words in (
        (replace(plain, host_ports=(PortMapping(31000, 80),)), "port 80"),
        (replace(plain, egress_bits_per_s=1000), "not limited"),
    ):
        with pytest.raises(InvalidTask, match=words):
            alone.check(spec)
        OwnNetwork("192.0.2.1", "podnet").check(spec)


NAMES = ("", NO_NETWORK, "podnet")


@pytest.mark.parametrize("default", NAMES)
@pytest.mark.parametrize("names", [each for size in range(4) for each in itertools.product(NAMES, repeat=size)])
def test_no_spelling_of_networks_gives_the_nodes_network(names: tuple[str, ...], default: str) -> None:
    """The default may be named more than once, and it may be none."""
    spec = parse(pod(), *({"name": name} for name in names))
    network, allowed = OwnNetwork("192.0.2.1", default), NodeFacts(default_network=default)
    resolved = [name for each in names or ("",) if (name := each or default)]
    if len(set(resolved)) > 1 and NO_NETWORK in resolved:
        with pytest.raises(InvalidTask, match="none is named beside networks"):
            network.check(spec)
        return
    network.check(spec)
    alone, asked = has_loopback_only(spec, default), requests(spec, default)
    assert alone is (bool(resolved) and set(resolved) == {NO_NETWORK})
    assert [each.network for each in asked] == ([] if alone else resolved)
    shares_the_nodes = not alone and not asked
    assert shares_the_nodes is bool(violations(spec, RolePolicy(), allowed)), "the policy judges what it becomes"
