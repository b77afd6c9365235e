"""What a request may hold, and what plugins are handed of it."""

from __future__ import annotations

import pytest

from executor.cni.attachment import Bandwidth, Dns, NetworkRequest, PortMapping
from executor.cni.config.capability import capability_args, check_request, cni_args, demanded
from executor.errors import InvalidRequest


def test_nothing_wanted_is_nothing_handed_over() -> None:
    assert capability_args(NetworkRequest("net", bandwidth=Bandwidth())) == {}
    assert cni_args(NetworkRequest("net"), "pod-1") == "IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID=pod-1"


def test_a_burst_goes_with_every_rate() -> None:
    args = capability_args(NetworkRequest("net", bandwidth=Bandwidth(ingress_bits_per_s=1000, egress_bits_per_s=10**9)))
    assert args["bandwidth"] == {
        "ingressRate": 1000,
        "ingressBurst": 524_288,
        "egressRate": 10**9,
        "egressBurst": 10**8,
    }


def test_names_are_offers_and_ports_are_demands() -> None:
    request = NetworkRequest(
        "net",
        port_mappings=(PortMapping(80, 80),),
        aliases=("a",),
        dns=Dns(("10.0.0.1",), search=("x",), options=("y",)),
    )
    args = capability_args(request)
    assert args["dns"] == {"servers": ["10.0.0.1"], "searches": ["x"], "options": ["y"]}
    assert demanded(args) == ("portMappings",)


@pytest.mark.parametrize(
    "request_",
    [
        NetworkRequest("net", ""),
        NetworkRequest("net", "a/b"),
        NetworkRequest("net", ".."),
        NetworkRequest("net", "eth 0"),
        NetworkRequest("net", "eth:0"),
        NetworkRequest("net", "sixteencharacter"),
        NetworkRequest("net", mac="02:00"),
        NetworkRequest("net", ips=("10.0.0.300/8",)),
        NetworkRequest("net", pod_name="a;CNI_X=1"),
        NetworkRequest("net", pod_namespace="a=b"),
        NetworkRequest("net", pod_uid="a b"),
        NetworkRequest("net", port_mappings=(PortMapping(0, 80),)),
        NetworkRequest("net", port_mappings=(PortMapping(80, 65536),)),
        NetworkRequest("net", port_mappings=(PortMapping(80, 80, "icmp"),)),
        NetworkRequest("net", port_mappings=(PortMapping(80, 80, "tcp", "localhost"),)),
    ],
)
def test_what_cannot_be_asked_for(request_: NetworkRequest) -> None:
    with pytest.raises(InvalidRequest):
        check_request(request_)


@pytest.mark.parametrize(
    "request_",
    [
        NetworkRequest("net", ips=("fe80::1%x\ny/64",)),
        NetworkRequest("net", port_mappings=(PortMapping(80, 80, host_ip="fe80::1%eth0"),)),
        NetworkRequest("net", pod_uid="a\0b"),
        NetworkRequest("net", pod_name="a\ud800"),
    ],
)
def test_what_no_plugin_can_be_given_is_refused(request_: NetworkRequest) -> None:
    with pytest.raises(InvalidRequest):
        check_request(request_)
