"""The documents that come with a pod: how they are read, and what is wrong with them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec.kubernetes import companions
from executor.spec.launch import parse_pod
from executor.spec.objects import DATA_MAX_BYTES, Claim, DataKind
from executor.spec.reading import fields
from executor.spec.reading.marks import Status
from tests.support.cases import check_each
from tests.unit.pod.samples import Document, changed, encoded, pod, steps, without


def config_map(name: str = "settings", **fields: Any) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def secret(name: str = "password", **fields: Any) -> Document:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **fields}


def claim(name: str = "data", **spec: Any) -> Document:
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def listed(*documents: Document) -> str:
    return encoded({"apiVersion": "v1", "kind": "List", "items": [pod(), *documents]})


def base64_of(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_a_pod_with_what_it_names() -> None:
    found = companions.read(
        listed(
            config_map(data={"a": "1"}, binaryData={"b": base64_of(b"\xff")}, immutable=True),
            secret(data={"p": base64_of(b"x"), "q": base64_of(b"y")}, stringData={"q": "z"}, type="kubernetes.io/tls"),
            claim(volumeName="vol-7", resources={"requests": {"storage": "1Gi"}}, accessModes=["ReadWriteOnce"]),
            claim("other"),
        )
    )
    assert found.pod == pod()
    settings, password = found.objects.config_maps["settings"], found.objects.secrets["password"]
    assert (settings.kind, settings.values, settings.binary, settings.immutable) == (
        DataKind.CONFIG_MAP,
        {"a": b"1", "b": b"\xff"},
        frozenset({"b"}),
        True,
    )
    assert (password.values, password.type, password.immutable) == ({"p": b"x", "q": b"z"}, "kubernetes.io/tls", False)
    assert found.objects.claims == {"data": Claim("data", "vol-7", 2**30), "other": Claim("other", "other", 0)}


def test_what_is_kept_secret_is_in_no_repr() -> None:
    found = companions.read(listed(secret(stringData={"p": "hunter2"})))
    assert found.objects.secrets["password"].values == {"p": b"hunter2"}
    assert "hunter2" not in repr(found)


def test_a_null_is_an_empty_value() -> None:
    found = companions.read(listed(config_map(data={"a": None}), secret(data={"p": None}, stringData={"q": None})))
    assert found.objects.config_maps["settings"].values == {"a": b""}
    assert found.objects.secrets["password"].values == {"p": b"", "q": b""}


def test_yaml_documents_are_read_alike() -> None:
    text = b"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\nkind: Pod\n---\n"
    found = companions.read(encoded(text))
    assert found.pod == {"kind": "Pod"}
    assert found.objects.config_maps["c"].values == {"a": b"b"}


def test_what_only_a_cluster_uses_is_among_the_fields_without_effect() -> None:
    service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {}}
    account = {"kind": "ServiceAccount", "apiVersion": "v1"}
    assert parse_pod(listed(service, account)).without_effect == ("Service web", "ServiceAccount ?")


WRONG = {
    "two pods": ([pod()], "TaskInfo.data", "2 documents"),
    "a policy": ([{"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1"}], "TaskInfo.data", "NetworkPolicy"),
    "twice": ([config_map(), config_map()], "ConfigMap settings", "twice"),
    "no name": ([{"kind": "Secret", "apiVersion": "v1", "metadata": {}}], "Secret ?.metadata.name", "missing"),
    "a number as name": ([{**secret(), "metadata": {"name": 1}}], "Secret ?.metadata.name", "expected str"),
    "another namespace": (
        [config_map(metadata={"name": "settings", "namespace": "x"})],
        "ConfigMap settings.metadata.namespace",
        "is x",
    ),
    "no base64": ([secret(data={"p": "hunter-2"})], "Secret password.data['p']", "not base64"),
    "a key with a slash": ([config_map(data={"a/b": "1"})], "ConfigMap settings.data['a/b']", "cannot be a key"),
    "a key upwards": ([config_map(data={"..data": "1"})], "ConfigMap settings.data['..data']", "cannot be a key"),
    "a key in both": (
        [config_map(data={"a": "1"}, binaryData={"a": ""})],
        "ConfigMap settings.data['a']",
        "in data and in binaryData",
    ),
    "a number as value": ([config_map(data={"a": 1})], "ConfigMap settings.data['a']", "expected str"),
    "a block device": ([claim(volumeMode="Block")], "PersistentVolumeClaim data.spec.volumeMode", "Block"),
    "a field of nothing": ([config_map(datas={})], "ConfigMap settings.datas", "not a field"),
}


@pytest.mark.parametrize(("documents", "subject", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(documents: list[Document], subject: str, words: str) -> None:
    with pytest.raises(InvalidTask, match=words) as caught:
        parse_pod(listed(*documents))
    assert caught.value.subject == subject
    assert "hunter-2" not in str(caught.value)


def test_every_fault_is_named_once() -> None:
    """Also those of the pod, which has no further one for naming an object with faults."""
    bad = secret(data={"p": "!", "q/": ""})
    volumes = [
        {"name": "v", "secret": {"secretName": "password"}},
        {"name": "w", "configMap": {"name": "none"}},
        {"name": "x", "persistentVolumeClaim": {"claimName": "data"}},
    ]
    variable = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "password", "key": "p"}}}
    document = pod({"env": [variable]}, volumes=volumes)
    items = [document, bad, config_map("c", metadata={"name": "c", "namespace": "x"}), claim(volumeMode="Block")]
    with pytest.raises(InvalidTask) as caught:
        parse_pod(encoded({"apiVersion": "v1", "kind": "List", "items": items}))
    assert {fault.subject for fault in caught.value.faults} == {
        "Secret password.data['p']",
        "ConfigMap c.metadata.namespace",
        "PersistentVolumeClaim data.spec.volumeMode",
        "spec.volumes[1].configMap.name",
    }


def test_a_large_one_is_refused() -> None:
    text = base64_of(b"x" * (DATA_MAX_BYTES // 2 - 1000))
    with pytest.raises(InvalidTask, match="larger than"):
        companions.read(listed(config_map(data={"a": text, "b": text})))


SAMPLES: dict[str, Document] = {
    "ConfigMap": config_map(data={"a": "1"}, binaryData={"b": "/w=="}, immutable=True),
    "Secret": secret(data={"a": "MQ=="}, stringData={"b": "2"}, immutable=True, type="kubernetes.io/tls"),
    "PersistentVolumeClaim": claim(volumeName="v", resources={"requests": {"storage": "1Mi"}}),
}
FIXED = ("apiVersion", "kind", "metadata.namespace")


def whole(document: Document) -> Any:
    found = companions.objects([document], "default")
    return [*found.config_maps.values(), *found.secrets.values(), *found.claims.values()]


def test_the_table_of_fields_is_true() -> None:
    """A supported field makes a difference, an accepted one none."""
    check_each(((row.path, row) for row in fields.object_rows()), is_true)


def is_true(row: fields.Row) -> None:
    kind, _, path = row.path.partition(".")
    document = SAMPLES[kind]
    if row.status is Status.ACCEPTED:
        (value,) = row.only[:1] if row.only else ("x",)
        assert whole(changed(document, steps(path), value)) == whole(document)
    elif path.startswith("metadata") or path in FIXED:
        with pytest.raises(InvalidTask):
            whole(changed(document, steps(path), "Something else"))
    else:
        assert whole(without(document, steps(path))) != whole(document)
