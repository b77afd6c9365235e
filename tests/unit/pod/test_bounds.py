"""What a description of a pod may hold at most, and that a refusal costs no more than reading it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from executor import duration
from executor.errors import MESSAGE_MAX, NAME_MAX, ExecutorError, Failure, InvalidInput, InvalidTask
from executor.names import SERVICE_KEY
from executor.spec.launch import parse_launch
from executor.spec.network_annotations import NETWORKS_KEY
from tests.unit.pod.samples import pod, ports, scalar, task, with_image

MANY = 1001


def named(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": f"n{number}", **fields} for number in range(count)]


TOO_MANY: dict[str, tuple[dict[str, Any], str]] = {
    "containers": (pod(containers=named(101, image="a:1")), "spec.containers"),
    "volumes": (pod(volumes=named(MANY, emptyDir={})), "spec.volumes"),
    "env": (pod({"env": named(MANY, value="x")}), "spec.containers[0].env"),
    "ports": (pod({"ports": [{"containerPort": 80}] * MANY}), "spec.containers[0].ports"),
    "arguments": (pod({"args": ["x"] * MANY}), "spec.containers[0].args"),
    "aliases": (pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a"]}] * MANY), "spec.hostAliases"),
    "names of an alias": (
        pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a"] * MANY}]),
        "spec.hostAliases[0].hostnames",
    ),
    "annotations": (
        {**pod(), "metadata": {"annotations": dict.fromkeys(map(str, range(MANY)), "x")}},
        "metadata.annotations",
    ),
}


@pytest.mark.parametrize(("document", "subject"), TOO_MANY.values(), ids=TOO_MANY)
def test_lists_and_mappings_have_an_end(document: dict[str, Any], subject: str) -> None:
    with pytest.raises(InvalidTask, match=r"has \d+ items, which is more than 1000?$") as caught:
        parse_launch([task(document)], group=False)
    assert caught.value.subject == subject


def test_lists_of_a_task() -> None:
    labels = [{"key": str(number), "value": "x"} for number in range(MANY)]
    with pytest.raises(InvalidTask, match="more than 1000") as caught:
        parse_launch([task(pod(), labels={"labels": labels})], group=False)
    assert caught.value.subject == "TaskInfo.labels.labels"


def test_tasks_of_a_group() -> None:
    member = {"command": {"value": "true"}, "container": with_image()}
    tasks = [task(task_id=f"t{at}", resources=[scalar("mem", 8)], **member) for at in range(2000)]
    with pytest.raises(InvalidTask, match="are 2000, and a pod has at most 100 containers"):
        parse_launch(tasks, group=True)
    assert len(parse_launch(tasks[:100], group=True).containers) == 100


def test_many_unknown_fields_near_known_ones() -> None:
    typos = {f"imagePullPolic{number}": 1 for number in range(4_000)}
    begin = time.process_time()
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(pod(typos))], group=False)
    assert time.process_time() - begin < 0.5
    assert "(did you mean imagePullPolicy?); 3999 more faults: " in caught.value.message
    assert len(str(caught.value)) < 2000


def test_many_ports_of_many_ranges() -> None:
    ranges = ports(*((at, at) for at in range(10_000, 12_000, 2)))
    declared = [{"containerPort": 80, "hostPort": at} for at in range(10_000, 11_998, 2)]
    begin = time.process_time()
    found = parse_launch([task(pod({"ports": declared}), resources=[scalar("mem", 64), ranges])], group=False)
    assert len(found.host_ports) == 999
    assert time.process_time() - begin < 1


NUMBERS: dict[str, Any] = {
    "an exponent": "1e999999999",
    "a small exponent": "1e-999999999",
    "many digits": "9" * 10_000,
    "many decimals": "0." + "9" * 10_000,
    "a whole number of many digits": 10**4000,
    "a float": 1e308,
}


@pytest.mark.parametrize("amount", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_huge_quantities(amount: Any, name: str) -> None:
    begin = time.process_time()
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(pod({"resources": {"limits": {name: amount}}}))], group=False)
    assert len(str(caught.value)) < 500
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize("field", ["containerPort", "hostPort"])
def test_a_port_of_many_digits(field: str) -> None:
    with pytest.raises(InvalidTask):
        parse_launch([task(pod({"ports": [{"containerPort": 80, field: 10**4000}]}))], group=False)


@pytest.mark.parametrize(
    "text", ["1" * 1_000_000, "1s" * 500_000, " " * 1_000_000 + "1", "1." * 500_000, "1" * 400_000]
)
def test_lengths_of_time_are_short_texts(text: str) -> None:
    begin = time.process_time()
    if len(text.strip()) > 64:
        with pytest.raises(InvalidInput):
            duration.seconds(text, subject="grace")
    else:
        assert duration.seconds(text, subject="grace") == 1
    assert time.process_time() - begin < 0.2


def test_what_an_error_says_has_an_end() -> None:
    error = Failure("x" * 10_000_000 + "end", subject="s" * 100_000, hint="m" * 100_000)
    assert len(error.message) < MESSAGE_MAX + 50
    assert error.message.endswith("end")
    assert "[... 9998003 letters ...]" in error.message
    assert max(len(error.subject), len(error.hint)) < NAME_MAX + 50
    assert ExecutorError("short").message == "short"


LONG: dict[str, tuple[dict[str, Any], str]] = {
    "path": (pod({"workingDir": "/" + "./" * 400_000}), "spec.containers[0].workingDir"),
    "image": (pod({"image": "a/" * 400_000}), "spec.containers[0].image"),
    "networks": ({**pod(), "metadata": {"annotations": {NETWORKS_KEY: "a," * 17}}}, "metadata.annotations"),
    "networks as JSON": (
        {**pod(), "metadata": {"annotations": {NETWORKS_KEY: json.dumps([{"name": "a"}] * 9000)}}},
        "metadata.annotations",
    ),
    "services": ({**pod(), "metadata": {"annotations": {SERVICE_KEY: "a," * 33}}}, "metadata.annotations"),
    "services as label": ({**pod(), "metadata": {"labels": {SERVICE_KEY: "a," * 33}}}, "metadata.labels"),
    "annotations": ({**pod(), "metadata": {"annotations": {"a": "x" * 300_000}}}, "metadata.annotations"),
    "search": (pod(dnsConfig={"searches": ["x" * 513]}), "spec.dnsConfig.searches[0]"),
}


@pytest.mark.parametrize(("document", "subject"), LONG.values(), ids=LONG)
def test_texts_have_an_end(document: dict[str, Any], subject: str) -> None:
    begin = time.process_time()
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(document)], group=False)
    assert caught.value.subject.startswith(subject)
    assert len(str(caught.value)) < 500
    assert time.process_time() - begin < 0.2


def test_network_infos_of_a_task() -> None:
    infos = [{"name": f"n{number}"} for number in range(17)]
    with pytest.raises(InvalidTask, match="names 17 networks, which is more than 16"):
        parse_launch([task(pod(), container={"type": "MESOS", "network_infos": infos})], group=False)


# Each of these once took more than a second, in which nothing else of the process ran.
SLOW_YAML = {
    "tags": b"".join(b"%%TAG !a%d! b\n" % number for number in range(25_000)) + b"---\na: 1",
    "tags behind a document": b"a: 1\n...\n" + b"%TAG !a! b\n" * 25_000 + b"---\n",
}


@pytest.mark.parametrize("data", SLOW_YAML.values(), ids=SLOW_YAML)
def test_yaml_that_libyaml_reads_slowly(data: bytes) -> None:
    begin = time.process_time()
    with pytest.raises(InvalidTask, match="directives are not accepted"):
        parse_launch([task(data)], group=False)
    assert time.process_time() - begin < 0.2


def test_what_is_handed_to_plugins() -> None:
    info = {"name": "n", "labels": {"labels": [{"key": "k", "value": "x" * 20_000}]}}
    with pytest.raises(InvalidTask, match="more than 16384") as caught:
        parse_launch([task(pod(), container={"type": "MESOS", "network_infos": [info]})], group=False)
    assert caught.value.subject == "TaskInfo.container.network_infos[0]"


MORE: dict[str, tuple[dict[str, Any], str]] = {
    "uid": ({**pod(), "metadata": {"uid": "x" * 254}}, "metadata.uid"),
    "priority": (pod(priority=10**400), "spec.priority"),
    "preStop": (
        pod({"lifecycle": {"preStop": {"exec": {"command": ["x" * 140_000]}}}}),
        "container app, commands of probes and hooks",
    ),
}


@pytest.mark.parametrize(("document", "subject"), MORE.values(), ids=MORE)
def test_more_that_has_an_end(document: dict[str, Any], subject: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(document)], group=False)
    assert caught.value.subject == subject


def test_labels_of_a_task_together() -> None:
    labels = [{"key": str(number), "value": "x" * 1000} for number in range(300)]
    with pytest.raises(InvalidTask, match="bytes together"):
        parse_launch([task(pod(), labels={"labels": labels})], group=False)
