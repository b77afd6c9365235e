"""Names: as Mesos-DNS and Kubernetes make them, and never anything that is not a name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.dns.names import (
    NAME_MAX,
    NAMES_MAX,
    PodNames,
    Zones,
    address,
    dashed,
    first_of_each_family,
    fragment,
    from_labels,
    hosts_text,
    is_label,
    is_name,
    label,
    mesos_names,
    parse_hosts,
    pod_names,
    services,
    to_labels,
)
from executor.names import SERVICE_KEY
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec

ZONES = Zones()
HOSTS_LINE = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF))
IPS = st.ip_addresses().map(str)


def spec(**changes: object) -> PodSpec:
    resources = [{"name": name, "type": "SCALAR", "scalar": {"value": 64}} for name in ("cpus", "mem")]
    container = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": "busybox"}}}}
    task = {"task_id": {"value": "t"}, "name": "web-0", "agent_id": {"value": "s"}, "resources": resources}
    made = parse_launch([{**task, "container": container}], group=False)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", "web"),
        ("Web_Server.1", "web-server-1"),
        ("--web--", "web"),
        ("a b/c:d", "abcd"),
        ("42", "42"),
        ("x" * 80, "x" * 63),
        ("x" * 62 + "-y", "x" * 62 + "y"),  # Mesos-DNS skips a `-` that would be last
        ("a---b", "a---b"),
        ("ünïx", "nx"),
        ("___", ""),
        ("", ""),
    ],
)
def test_labels_are_mangled_as_mesos_dns_does(text: str, expected: str) -> None:
    assert label(text) == expected


@given(st.text())
def test_a_label_is_empty_or_valid_and_stays_as_it_is(text: str) -> None:
    made = label(text)
    assert made == "" or is_label(made)
    assert label(made) == made


@pytest.mark.parametrize(
    ("name", "expected"), [("Spark prod.x", "sparkprod.x"), ("marathon", "marathon"), ("..a..b..", "a.b"), ("!", "")]
)
def test_a_framework_keeps_its_dots(name: str, expected: str) -> None:
    assert fragment(name) == expected


def test_mesos_names() -> None:
    """The hash is Mesos-DNS' own: five characters of z-base-32 of the task id's SHA-1."""
    names = mesos_names("Web.0", "reviewbot.dcd1f8ee", "Spark prod.x", "d7975694-a35b-S12", ZONES)
    assert names[0] == "web-0.sparkprod.x.mesos"
    assert names[1].startswith("web-0-") and names[1].endswith("-s12.sparkprod.x.mesos")
    assert mesos_names("web", "other", "f", "S0", ZONES)[1] != mesos_names("web", "id", "f", "S0", ZONES)[1]
    # from Mesos-DNS' own tests (records/generator_test.go)
    made = mesos_names("liquor-store", "liquor-store.b8db9f73-562f-11e4-a088-c20493233aa5", "marathon", "x-0", ZONES)
    assert made == ("liquor-store.marathon.mesos", "liquor-store-4dfjd-0.marathon.mesos")


@pytest.mark.parametrize(("task", "framework"), [("!!", "f"), ("t", "!!"), ("t", "f." * 130)])
def test_what_cannot_be_a_name_has_none(task: str, framework: str) -> None:
    assert mesos_names(task, "id", framework, "S0", ZONES) == ()


@given(st.text(), st.text(), st.text(), st.text())
def test_mesos_names_are_names(task: str, task_id: str, framework: str, agent: str) -> None:
    assert all(map(is_name, mesos_names(task, task_id, framework, agent, ZONES)))


@pytest.mark.parametrize(
    ("ip", "expected"),
    [("10.1.2.3", "10-1-2-3"), ("2001:db8::1", "2001-db8--1"), ("::1", "0--1"), ("fd00::", "fd00--0"), ("::", "0--0")],
)
def test_dashed(ip: str, expected: str) -> None:
    assert dashed(ip) == expected


@given(IPS)
def test_every_address_has_a_label(ip: str) -> None:
    assert is_name(dashed(ip))
    assert address(f"{ip}/24") == address(ip) != ""


def test_the_first_address_of_each_family_counts() -> None:
    assert first_of_each_family(["10.0.0.2/16", "fd00:0::2/64", "10.9.0.2", "x", "fd01::1"]) == ("10.0.0.2", "fd00::2")


def test_a_pod_has_kubernetes_names() -> None:
    pod = spec(namespace="prod", hostname="w0", subdomain="sub", annotations={SERVICE_KEY: "web, api,web"})
    made = pod_names(pod, ["10.0.0.2/16", "fd00::2/64"], ZONES, mesos=["web-0.fw.mesos"])
    assert made.names == (
        "web-0.prod.pod.cluster.local",
        "sub.prod.svc.cluster.local",
        "w0.sub.prod.svc.cluster.local",
        "web.prod.svc.cluster.local",
        "w0.web.prod.svc.cluster.local",
        "api.prod.svc.cluster.local",
        "w0.api.prod.svc.cluster.local",
        "web-0.fw.mesos",
    )
    pairs = made.pairs()
    assert ("10.0.0.2", "10-0-0-2.prod.pod.cluster.local") in pairs
    assert ("fd00::2", "fd00--2.prod.pod.cluster.local") in pairs
    assert ("10.0.0.2", "fd00--2.prod.pod.cluster.local") not in pairs
    assert {("10.0.0.2", name) for name in made.names} <= set(pairs)
    assert pairs[0] == ("10.0.0.2", "web-0.prod.pod.cluster.local")


def test_services_are_named_by_annotation_or_label() -> None:
    assert services({SERVICE_KEY: "a"}, {SERVICE_KEY: "b"}) == ("a",)
    assert services({}, {SERVICE_KEY: "b"}) == ("b",)
    assert services({SERVICE_KEY: "UPPER, a.b, , ok-1, -x"}, {}) == ("ok-1",)
    assert services({}, {}) == ()


def test_the_search_list_finds_services_first() -> None:
    assert ZONES.search("prod") == (
        "prod.svc.cluster.local",
        "prod.pod.cluster.local",
        "svc.cluster.local",
        "cluster.local",
    )


def test_labels_carry_names_to_other_nodes() -> None:
    made = pod_names(spec(annotations={SERVICE_KEY: "web"}), ["10.0.0.2"], ZONES, mesos=["web-0.fw.mesos"])
    names, namespace = from_labels(to_labels(made, ZONES), ZONES)
    assert names == tuple(name for name in made.names if not name.endswith(".mesos"))
    assert namespace == "default"
    assert to_labels(PodNames(("10.0.0.1",), ("a.mesos",)), ZONES) == {}


@pytest.mark.parametrize(
    "text",
    [
        "www.example.com",
        "cluster.local",
        "x.cluster.local",
        "evil.mesos",
        "a\nb.svc.cluster.local",
        "svc.cluster.local",
        "x.prod.svc.cluster.local",
        "a.svc.cluster.local",
        "10.6.6.6",
        "default.svc.cluster.local",
    ],
)
def test_foreign_labels_cannot_claim_other_domains(text: str) -> None:
    assert from_labels({"dns.names": text, "dns.namespace": "default"}, ZONES) == ((), "default")
    assert from_labels({"dns.names": text, "dns.namespace": "a.b"}, ZONES) == ((), "")
    assert from_labels({"dns.names": text}, ZONES) == ((), "")


def test_foreign_labels_are_bounded() -> None:
    text = " ".join(f"n{number}.default.svc.cluster.local" for number in range(10 * NAMES_MAX))
    assert len(from_labels({"dns.names": text, "dns.namespace": "default"}, ZONES)[0]) == NAMES_MAX


@given(st.lists(st.text(max_size=20)), st.lists(st.text(max_size=300)), st.text(max_size=300))
def test_only_names_and_addresses_become_pairs(ips: list[str], names: list[str], domain: str) -> None:
    for ip, name in PodNames(tuple(ips), tuple(names), domain).pairs():
        assert address(ip) == ip
        assert is_name(name) and len(name) <= NAME_MAX


@given(st.lists(st.tuples(IPS.map(address), st.from_regex(r"[a-z]{1,3}\.mesos", fullmatch=True)), unique=True))
def test_a_file_says_what_was_written(pairs: list[tuple[str, str]]) -> None:
    note, found = parse_hosts(hosts_text('{"task": "#x"}', pairs))
    assert note == '{"task": "#x"}'
    assert sorted(found) == sorted(pairs)


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    parse_hosts(text)
