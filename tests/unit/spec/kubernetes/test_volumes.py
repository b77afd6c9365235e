"""Volumes, mounts and variables from objects: what a pod gets, and which field a bad one names."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from executor.errors import InvalidTask
from executor.spec import command, volume_files
from executor.spec.launch import parse_launch, parse_pod
from executor.spec.model import PodSpec, TakenText
from executor.spec.volume_files import VolumeFile
from executor.spec.volume_model import ClaimedVolume, EmptyDir, FilesVolume, Propagation, RecursiveReadOnly, VolumeMount
from tests.unit.pod.samples import Document, encoded, pod, scalar, task
from tests.unit.pod.volume_samples import disk, with_objects
from tests.unit.spec.kubernetes.volume_pods import SETTINGS, parse, refusal


def shown(source: Document) -> dict[str, VolumeFile]:
    spec = parse(volumes=[{"name": "v", **source}])
    (volume,) = spec.files_volumes
    return dict(volume_files.files(volume, spec.objects))


def variables(container: Document) -> dict[str, str]:
    return command.own_variables(parse(container).containers[0], {})


def test_a_config_map_shows_every_key_or_its_items() -> None:
    assert shown({"configMap": {"name": "settings"}}) == {
        "a": VolumeFile(b"1", 0o644),
        "b": VolumeFile(b"$(A) and $$", 0o644),
        "blob": VolumeFile(b"\xff", 0o644),
    }
    items = [{"key": "a", "path": "x/./y"}, {"key": "blob", "path": "z", "mode": 0o400}]
    assert shown({"configMap": {"name": "settings", "items": items, "defaultMode": 0o600}}) == {
        "x/y": VolumeFile(b"1", 0o600),
        "z": VolumeFile(b"\xff", 0o400),
    }


def test_what_is_optional_may_be_missing() -> None:
    assert shown({"secret": {"secretName": "none", "optional": True}}) == {}
    items = [{"key": "none", "path": "x"}, {"key": "password", "path": "y"}]
    assert list(shown({"secret": {"secretName": "login", "items": items, "optional": True}})) == ["y"]


def test_a_projected_volume_has_all_of_its_sources() -> None:
    downward = {"items": [{"path": "meta/name", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 0o400}]}
    sources = [
        {"configMap": {"name": "settings", "items": [{"key": "a", "path": "a"}]}},
        {"secret": {"name": "login", "items": [{"key": "password", "path": "p", "mode": 0o440}]}},
        {"downwardAPI": downward},
    ]
    assert shown({"projected": {"sources": sources}}) == {
        "a": VolumeFile(b"1", 0o644),
        "p": VolumeFile(b"hunter2", 0o440),
        "meta/name": VolumeFile(b"web", 0o400),
    }


def test_annotations_are_written_as_kubelet_writes_them() -> None:
    document = pod(volumes=[{"name": "v", "downwardAPI": {"items": [{"path": "l", "fieldRef": NOTES}]}}])
    document["metadata"]["annotations"] = {"b": 'say "hi"\n\x01é', "a": "1"}
    spec = parse_pod(encoded(document))
    files = volume_files.files(spec.files_volumes[0], spec.objects)
    assert files["l"].content.decode() == 'a="1"\nb="say \\"hi\\"\\n\\x01é"'


NOTES = {"fieldPath": "metadata.annotations"}


def test_a_volume_without_a_source_is_an_empty_dir() -> None:
    assert parse(volumes=[{"name": "v"}, {"name": "w", "emptyDir": {"medium": "Memory"}}]).volumes == (
        EmptyDir("v"),
        EmptyDir("w", in_memory=True),
    )


def test_an_ephemeral_volume_is_an_empty_dir_of_the_requested_size() -> None:
    """And what chooses another storage is among the fields without effect."""
    template = {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}
    found = parse(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": template}}}])
    assert found.volumes == (EmptyDir("v", 1 << 30),)
    assert found.without_effect == ("spec.volumes[0].ephemeral.volumeClaimTemplate.spec.storageClassName",)


def test_a_claim_is_a_persistent_volume_of_the_task() -> None:
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "db"}}
    assert parse(volumes=[claim], disks=(disk("db"),)).volumes == (ClaimedVolume("v", "db", "disk-db"),)
    fixed = parse(volumes=[claim], disks=(disk("db", mode="RO"), disk("other")))
    assert fixed.volumes == (ClaimedVolume("v", "db", "disk-db", read_only=True),)
    assert fixed.resources.disk_bytes == 64 << 20, "that of the task alone"
    error = refusal(volumes=[claim], disks=(disk("other"),))
    assert (error.subject, "it has other" in error.message) == ("spec.volumes[0].persistentVolumeClaim.claimName", True)
    assert parse_pod(encoded(pod(volumes=[claim]))).volumes == (ClaimedVolume("v", "db", "db"),)


def test_a_claim_that_is_sent_along_names_the_volume_and_its_size() -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "db"},
        "spec": {"volumeName": "vol-1", "resources": {"requests": {"storage": "64Mi"}}},
    }
    document = with_objects(pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "db"}}]), claim)
    launched = task(document)
    enough = {**launched, "resources": [scalar("mem", 64), disk("vol-1", 64)]}
    assert parse_launch([enough], group=False).volumes == (ClaimedVolume("v", "vol-1", "disk-vol-1"),)
    with pytest.raises(InvalidTask, match="requests more") as caught:
        parse_launch([{**launched, "resources": [scalar("mem", 64), disk("vol-1", 63)]}], group=False)
    assert caught.value.subject == "PersistentVolumeClaim db.spec.resources.requests.storage"


def test_variables_come_in_kubernetes_order() -> None:
    found = variables(
        {
            "envFrom": [{"prefix": "S_", "configMapRef": {"name": "settings"}}, {"configMapRef": {"name": "settings"}}],
            "env": [
                {"name": "a", "value": "own"},
                {"name": "FROM", "value": "$(S_a)-$(a)-$(later)"},
                {"name": "TAKEN", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "b"}}},
                {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "login", "key": "x", "optional": True}}},
                {"name": "later", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
            ],
        }
    )
    assert found == {
        "S_a": "1",
        "S_b": "$(A) and $$",
        "a": "own",
        "b": "$(A) and $$",
        "FROM": "1-own-$(later)",
        "TAKEN": "$(A) and $$",
        "later": "hunter2",
    }


def test_a_secret_variable_is_in_no_repr() -> None:
    ref = {"secretKeyRef": {"name": "login", "key": "password"}}
    spec = parse({"env": [{"name": "P", "valueFrom": ref}]}, volumes=[{"name": "v", "secret": {"secretName": "login"}}])
    assert dict(spec.containers[0].env)["P"] == TakenText("hunter2", secret=True)
    assert "hunter2" not in repr(spec)


def test_mounts() -> None:
    container = {
        "volumeMounts": [
            {"name": "v", "mountPath": "/a/", "subPath": "x/./y/", "readOnly": True, "recursiveReadOnly": "IfPossible"},
            {"name": "v", "mountPath": "/b", "subPathExpr": "$(A)", "mountPropagation": "HostToContainer"},
            {"name": "v", "mountPath": "c/d"},
        ]
    }
    assert parse(container, volumes=[{"name": "v"}]).containers[0].mounts == (
        VolumeMount("v", "/a", True, "x/y", recursive_read_only=RecursiveReadOnly.IF_POSSIBLE),
        VolumeMount("v", "/b", sub_path="$(A)", expands=True, propagation=Propagation.HOST_TO_CONTAINER),
        VolumeMount("v", "/c/d"),
    )


def test_the_files_of_a_pod_are_bounded() -> None:
    large = {**SETTINGS, "data": {"a": "x" * 900_000}, "binaryData": {}}
    volumes = [{"name": f"v{number}", "configMap": {"name": "settings"}} for number in range(5)]
    with pytest.raises(InvalidTask, match="bytes together") as caught:
        parse_launch([task(with_objects(pod(volumes=volumes), large))], group=False)
    assert caught.value.subject == "spec.volumes"
    assert isinstance(parse_launch([task(with_objects(pod(volumes=volumes[:4]), large))], group=False), PodSpec)
    assert all(isinstance(each, FilesVolume) for each in parse(volumes=[]).volumes)


def keys_of(count: int) -> Document:
    small = {**SETTINGS, "data": {f"f{number}": "" for number in range(count)}, "binaryData": {}}
    return with_objects(pod(volumes=[{"name": "v", "configMap": {"name": "settings"}}]), small)


def depths_of(count: int) -> Document:
    items = [{"key": "a", "path": f"{number}/{'d/' * 40}f"} for number in range(count)]
    return with_objects(pod(volumes=[{"name": "v", "configMap": {"name": "settings", "items": items}}]), SETTINGS)


@pytest.mark.parametrize(("document", "most"), [(keys_of, 2048), (depths_of, 48)])
def test_small_files_and_directories_are_bounded_in_whole_pages(document: Callable[[int], Document], most: int) -> None:
    """They have few bytes, and each needs a page."""
    with pytest.raises(InvalidTask, match="8388608 bytes of memory") as caught:
        parse_launch([task(document(most + 1))], group=False)
    assert caught.value.subject == "spec.volumes"
    assert isinstance(parse_launch([task(document(most))], group=False), PodSpec)


def test_the_pages_of_files() -> None:
    def file(size_bytes: int) -> VolumeFile:
        return VolumeFile(b"x" * size_bytes, 0o644)

    assert volume_files.pages_of({}) == 0
    assert volume_files.pages_of({"a": file(0), "b": file(4096), "c": file(4097)}) == 4
    assert volume_files.pages_of({"d/e/a": file(1), "d/e/b": file(1), "d/c": file(1)}) == 5


def test_long_paths_and_many_volumes_of_many_files_take_no_time() -> None:
    """Each directory of a path counts, and each volume that shows a ConfigMap shows all of it."""
    long = [{"key": "a", "path": f"{number}/{'d/' * 1900}f"} for number in range(240)]
    deep = with_objects(pod(volumes=[{"name": "v", "configMap": {"name": "settings", "items": long}}]), SETTINGS)
    volumes = [{"name": f"v{number}", "configMap": {"name": "settings"}} for number in range(800)]
    wide = {**SETTINGS, "data": {f"f{number}": "" for number in range(2000)}, "binaryData": {}}
    for document in (deep, with_objects(pod(volumes=volumes), wide)):
        begin = time.process_time()
        with pytest.raises(InvalidTask, match="8388608 bytes of memory"):
            parse_launch([task(document)], group=False)
        assert time.process_time() - begin < 2


@pytest.mark.parametrize("kind", ["parts", "volumes in memory", "host paths"])
def test_the_mounts_that_a_pod_needs_on_the_node_are_bounded(kind: str) -> None:
    def document(count: int) -> Document:
        memory = [{"name": f"v{number}", "emptyDir": {"medium": "Memory"}} for number in range(count)]
        if kind == "volumes in memory":
            return pod(volumes=memory)
        source = {"hostPath": {"path": "/srv"}} if kind == "host paths" else {"emptyDir": {}}
        part = {"subPath": "x"} if kind == "parts" else {}
        mounts = [{"name": "v", "mountPath": f"/{number}", **part} for number in range(count)]
        return pod({"volumeMounts": mounts}, volumes=[{"name": "v", **source}])

    assert isinstance(parse_launch([task(document(512))], group=False), PodSpec)
    with pytest.raises(InvalidTask, match="needs 513 mounts on the node") as caught:
        parse_launch([task(document(513))], group=False)
    assert caught.value.subject == "spec.volumes"
