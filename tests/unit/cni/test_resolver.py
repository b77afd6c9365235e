"""resolv.conf and hosts of pods."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cni.attachment import Dns
from executor.cni.resolver import hosts_file, parse_resolv_conf, resolv_conf, resolver
from executor.errors import InvalidTask
from executor.hostnames import address
from executor.spec.model import DnsConfig, HostAlias

HOST = (
    "; made by hand\nnameserver 192.0.2.1\nnameserver 192.0.2.2 # two\nsearch example.org\noptions timeout:1 rotate\n"
)
NETWORK = Dns(("10.91.1.1",), "mesos", ("mesos", "default.pod.cluster.local"), ("ndots:2",))


@pytest.mark.parametrize(
    ("policy", "dns", "host_network", "servers"),
    [
        ("ClusterFirst", NETWORK, False, ("10.91.1.1",)),
        ("ClusterFirst", None, False, ("192.0.2.1", "192.0.2.2")),
        ("ClusterFirst", Dns(domain="x"), False, ("192.0.2.1", "192.0.2.2")),
        ("ClusterFirst", NETWORK, True, ("192.0.2.1", "192.0.2.2")),
        ("ClusterFirstWithHostNet", NETWORK, True, ("10.91.1.1",)),
        ("Default", NETWORK, False, ("192.0.2.1", "192.0.2.2")),
    ],
)
def test_policies(policy: str, dns: Dns | None, host_network: bool, servers: tuple[str, ...]) -> None:
    assert resolver(policy, None, dns, HOST, host_network=host_network).nameservers == servers


def test_the_file() -> None:
    assert resolv_conf("ClusterFirst", DnsConfig(("192.0.2.9",), ("x.org",), ("ndots:5", "edns0")), NETWORK, HOST) == (
        "# Made by mesos-pod-executor.\n"
        "nameserver 10.91.1.1\n"
        "nameserver 192.0.2.9\n"
        "search mesos default.pod.cluster.local x.org\n"
        "options ndots:5 edns0\n"
    )


def test_policy_none_takes_only_the_pods_own() -> None:
    text = resolv_conf("None", DnsConfig(("192.0.2.9",)), NETWORK, HOST)
    assert text == "# Made by mesos-pod-executor.\nnameserver 192.0.2.9\n"
    with pytest.raises(InvalidTask, match=r"spec\.dnsConfig\.nameservers"):
        resolv_conf("None", None, NETWORK, HOST)


def test_the_networks_domain_is_searched_if_it_names_no_list() -> None:
    assert resolver("ClusterFirst", None, Dns(("10.0.0.1",), "mesos"), HOST).searches == ("mesos",)


def test_what_glibc_would_ignore_is_left_out_and_said() -> None:
    found = resolver("Default", DnsConfig(("192.0.2.1", "192.0.2.3", "192.0.2.4")), None, HOST)
    assert found.nameservers == ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert "# left out: nameserver 192.0.2.4: glibc reads the first 3 only\n" in found.text()


def test_the_loopback_of_the_host_is_no_use_in_a_pod() -> None:
    stub = "nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\n"
    found = resolver("Default", None, None, stub)
    assert found.nameservers == ("fe80::1%eth0",)
    assert len(found.dropped) == 2
    assert resolver("Default", None, None, stub, host_network=True).dropped == ()


def test_too_many_domains_are_left_out_and_said() -> None:
    found = resolver("Default", DnsConfig(searches=tuple(f"d{number}.org" for number in range(40))), None, HOST)
    assert len(found.searches) == 32
    assert len(found.dropped) == 9
    long = resolver("Default", DnsConfig(searches=tuple(f"{'x' * 60}.{'y' * 60}.d{n}" for n in range(30))), None, "")
    assert len(" ".join(long.searches)) <= 2048
    assert long.dropped


def test_reading_a_resolv_conf() -> None:
    text = "domain a\nsearch b c\n\nnameserver\nnameserver 1.1.1.1\n#nameserver 2.2.2.2\noptions x:1\noptions y\nwhat\n"
    assert parse_resolv_conf(text) == Dns(("1.1.1.1",), "", ("b", "c"), ("x:1", "y"))


@pytest.mark.parametrize(
    ("config", "subject"),
    [
        (DnsConfig(("x",)), "spec.dnsConfig.nameservers[0]"),
        (DnsConfig(("10.0.0.1", "10.0.0.1\nsearch evil")), "spec.dnsConfig.nameservers[1]"),
        (DnsConfig(("fe80::1%eth0",)), "spec.dnsConfig.nameservers[0]"),
        (DnsConfig(searches=("a b",)), "spec.dnsConfig.searches[0]"),
        (DnsConfig(searches=("ok.org.", "a\nnameserver 6.6.6.6")), "spec.dnsConfig.searches[1]"),
        (DnsConfig(searches=("",)), "spec.dnsConfig.searches[0]"),
        (DnsConfig(options=("a b",)), "spec.dnsConfig.options[0]"),
        (DnsConfig(options=("ndots:2\nx",)), "spec.dnsConfig.options[0]"),
    ],
)
def test_nothing_breaks_out_of_its_line(config: DnsConfig, subject: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        resolv_conf("Default", config, None, HOST)
    assert caught.value.subject == subject


def test_an_unknown_policy() -> None:
    with pytest.raises(InvalidTask, match=r"spec\.dnsPolicy"):
        resolv_conf("clusterFirst", None, None, HOST)


def test_hosts() -> None:
    aliases = [HostAlias("10.5.5.5", ("db", "db.example.org")), HostAlias("fd00::9", ("six",))]
    text = hosts_file("web-1", ("10.1.2.3/24", "fd00::3/64"), aliases, domain="web.default.svc.cluster.local")
    lines = text.splitlines()
    assert "127.0.0.1\tlocalhost" in lines
    assert "10.1.2.3\tweb-1.web.default.svc.cluster.local\tweb-1" in lines
    assert "fd00::3\tweb-1.web.default.svc.cluster.local\tweb-1" in lines
    assert lines[-2:] == ["10.5.5.5\tdb db.example.org", "fd00::9\tsix"]
    assert text.endswith("\n")


def test_hosts_of_a_pod_on_the_hosts_network() -> None:
    text = hosts_file("web", (), [HostAlias("10.5.5.5", ("db",))], host_text="127.0.0.1 localhost\n192.0.2.7 node")
    assert text.splitlines()[1:3] == ["127.0.0.1 localhost", "192.0.2.7 node"]
    assert text.endswith("10.5.5.5\tdb\n")


@pytest.mark.parametrize(
    ("alias", "subject"),
    [
        (HostAlias("x", ("db",)), "spec.hostAliases[0].ip"),
        (HostAlias("10.0.0.1", ()), "spec.hostAliases[0].hostnames"),
        (HostAlias("10.0.0.1", ("ok", "a b")), "spec.hostAliases[0].hostnames[1]"),
        (HostAlias("10.0.0.1", ("a\n6.6.6.6 bank",)), "spec.hostAliases[0].hostnames[0]"),
        (HostAlias("10.0.0.1", ("10.6.6.6",)), "spec.hostAliases[0].hostnames[0]"),
        (HostAlias("10.0.0.1", ("1",)), "spec.hostAliases[0].hostnames[0]"),
        (HostAlias("fe80::1%x\n6.6.6.6 bank", ("db",)), "spec.hostAliases[0].ip"),
    ],
)
def test_aliases_are_checked(alias: HostAlias, subject: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        hosts_file("web", (), [alias])
    assert caught.value.subject == subject


HOSTILE = "fe80::1%x\n10.6.6.6 db"
INJECTED = ["10.0.0.1\nnameserver 6.6.6.6", "fe80::1%x\nsearch evil", "a b", "x\toptions", "%", "fe80::1%eth0 x"]


@pytest.mark.parametrize("text", INJECTED)
def test_a_plugin_s_dns_writes_no_line_of_its_own(text: str) -> None:
    dns = Dns(nameservers=("10.0.0.1", text), search=("good.example", text), options=("ndots:2", text))
    made = resolv_conf("ClusterFirst", None, dns, HOST).splitlines()
    lines = [line for line in made if not line.startswith("#")]
    assert lines == ["nameserver 10.0.0.1", "search good.example", "options ndots:2"]
    assert sum(line.startswith("# left out:") for line in made) == 3


@given(st.text(), st.lists(st.text()), st.text())
def test_a_hosts_file_has_addresses_and_names_only(hostname: str, ips: list[str], domain: str) -> None:
    for line in hosts_file(hostname, [*ips, "10.1.2.3/24", HOSTILE], [], domain=domain).split("\n")[:-1]:
        if not line.startswith("#"):
            ip, *names = line.split("\t")
            assert address(ip) == ip or ip == "fe00::0"
            assert names and "10.6.6.6" not in line


def test_a_host_name_that_looks_like_an_address_is_left_out() -> None:
    assert "10.1.2.3" not in hosts_file("10.6.6.6", ("10.1.2.3/24",), [])
    assert "10.1.2.3\t1.web.default.svc.cluster.local\n" in hosts_file(
        "1", ("10.1.2.3/24",), [], domain="web.default.svc.cluster.local"
    )
