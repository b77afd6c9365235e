"""What a pod finds in its volumes and variables on a real containerd: one pod that looks at everything once."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mesos.volume_pods import FS_GROUP, LOGIN, SECRET, SETTINGS, container, facts, mounts_of, task
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="volumes") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks
    assert not mounts_of(rig)


LOOK = r"""
ARGUMENTS="$0 $1"
say() { echo "$1=$(eval "$2" 2>&1 | tr '\n' '|')"; }
say env 'echo $MODE,$PASSWORD,$CONF_mode,$LOGIN_user,$NONE,$MIXED,$CPU'
say args 'echo $ARGUMENTS'
say config 'ls -A /config; cat /config/conf.d/app.conf'
say config_mode 'stat -Lc "%a %g" /config/conf.d/app.conf'
say config_data 'readlink /config/conf.d; readlink /config/..data | cut -c1-5'
say config_write 'echo x > /config/y'
say blob 'od -An -tx1 /all/blob'
say all 'cd /all && find . -name "..*" -prune -o -print -follow | sort'
say secret 'cat /keys/password; stat -Lc %a /keys/password'
say secret_fs 'stat -fc %T /keys'
say about 'cat /about/notes; echo; cat /about/memory; echo; cat /about/name'
say memory 'stat -fc %T /memory; df -k /memory | tail -1 | tr -s " " | cut -d" " -f2; stat -c "%a %g" /memory'
say disk 'stat -c "%a %g" /disk; touch /disk/x; stat -c %g /disk/x'
say groups 'id -G'
say part 'stat -c "%a %g" /part; echo hello > /part/file; cat /disk/sub/dir/file'
say expr 'ls -d /disk/app-fast; touch /expr/y; ls /disk/app-fast'
say file 'cat /etc/app.conf'
say absent 'ls /absent'
say plain 'touch /plain/x && ls /plain'
say host 'cat /host/hello; echo x > /host/hello'
say rro 'echo x > /rro/nested/x; echo y > /ro/nested/y && echo written'
"""

VOLUMES: list[dict[str, Any]] = [
    {
        "name": "config",
        "configMap": {
            "name": "settings",
            "items": [{"key": "app.conf", "path": "conf.d/app.conf", "mode": 0o400}],
            "defaultMode": 0o640,
        },
    },
    {"name": "keys", "secret": {"secretName": "login", "defaultMode": 0o400}},
    {
        "name": "all",
        "projected": {
            "sources": [
                {"configMap": {"name": "settings"}},
                {"secret": {"name": "login", "items": [{"key": "user", "path": "login/user"}]}},
                {"downwardAPI": {"items": [{"path": "meta/ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
                {"secret": {"name": "none", "optional": True}},
            ]
        },
    },
    {
        "name": "about",
        "downwardAPI": {
            "items": [
                {"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}},
                {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
                {
                    "path": "memory",
                    "resourceFieldRef": {"containerName": "app", "resource": "limits.memory", "divisor": "1Mi"},
                },
            ]
        },
    },
    {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
    {"name": "disk", "emptyDir": {"sizeLimit": "64Mi"}},
    {"name": "absent", "configMap": {"name": "none", "optional": True}},
    {"name": "plain"},
]
MOUNTS: list[dict[str, Any]] = [
    *({"name": name, "mountPath": f"/{name}"} for name in ("config", "keys", "all", "about", "memory", "disk")),
    *({"name": name, "mountPath": f"/{name}"} for name in ("absent", "plain", "host")),
    {"name": "disk", "mountPath": "/part", "subPath": "sub/dir"},
    {"name": "disk", "mountPath": "/expr", "subPathExpr": "app-$(MODE)"},
    {"name": "all", "mountPath": "/etc/app.conf", "subPath": "app.conf"},
    {"name": "tree", "mountPath": "/rro", "readOnly": True, "recursiveReadOnly": "Enabled"},
    {"name": "tree", "mountPath": "/ro", "readOnly": True, "mountPropagation": "HostToContainer"},
]
ENV = [
    {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
    {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "login", "key": "none", "optional": True}}},
    {"name": "MIXED", "value": "$(MODE)-$(LOGIN_user)-$(NONE)"},
    {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Ki"}}},
]
ENV_FROM = [
    {"prefix": "CONF_", "configMapRef": {"name": "settings"}},
    {"prefix": "LOGIN_", "secretRef": {"name": "login"}},
    {"secretRef": {"name": "none", "optional": True}},
]


@pytest.fixture(scope="module")
def looked(rig: Rig, scheduler: Scheduler, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One pod that has all of it."""
    import subprocess

    host, tree = tmp_path_factory.mktemp("host"), tmp_path_factory.mktemp("tree")
    (host / "hello").write_text("from the node")
    (tree / "nested").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "nested", str(tree / "nested")], check=True)
    volumes = [
        *VOLUMES,
        {"name": "host", "hostPath": {"path": str(host), "type": "Directory"}},
        {"name": "tree", "hostPath": {"path": str(tree)}},
    ]
    app = container(LOOK, env=ENV, envFrom=ENV_FROM, volumeMounts=MOUNTS)
    app["command"] += ["$(MODE)-$(CONF_mode)", "--password=$(PASSWORD)"]
    app["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", "echo $PASSWORD | wc -c > /host/stopped"]}}}
    app["resources"] = {"limits": {"memory": "32Mi"}}
    spec = {
        "containers": [app],
        "volumes": volumes,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"fsGroup": FS_GROUP, "runAsUser": 0},
    }
    scheduler.launch([task("looker", spec, SETTINGS, LOGIN)], rig.executor())
    scheduler.wait_status("looker", "TASK_RUNNING", 30)
    try:
        return facts(rig, "looker")
    finally:
        subprocess.run(["umount", str(tree / "nested")], check=True)


EXPECTED = {
    "env": f"fast,{SECRET},fast,alice,,fast-alice-$(NONE),32768|",
    "args": f"fast-fast --password={SECRET}|",
    "config_mode": f"440 {FS_GROUP}|",
    "config_data": "..data/conf.d|..202|",
    "blob": " ff 00 01|",
    "secret": f"{SECRET}440|",
    "secret_fs": "tmpfs|",
    "about": 'note="a\\"b"|32|looker',
    "memory": f"tmpfs|8192|2777 {FS_GROUP}|",
    "disk": f"2777 {FS_GROUP}|{FS_GROUP}|",
    "part": f"2777 {FS_GROUP}|hello|",
    "expr": "/disk/app-fast|y|",
    "file": "color=red",
    "absent": "",
    "plain": "x|",
    "host": "from the node",
}


@pytest.mark.parametrize("key", EXPECTED)
def test_what_a_pod_finds(looked: dict[str, str], key: str) -> None:
    assert looked[key] == EXPECTED[key]


def test_the_layout_is_that_of_kubelet(looked: dict[str, str]) -> None:
    names = looked["config"].split("|")
    assert [name[:5] for name in names[:3]] == ["..202", "..dat", "conf."]
    assert names[-1] == "color=red"
    assert looked["all"].split("|")[:-1] == [
        ".", "./app.conf", "./blob", "./login", "./login/user", "./meta", "./meta/ns", "./mode", "./unused",
    ]  # fmt: skip


def test_what_is_read_only_cannot_be_written(looked: dict[str, str]) -> None:
    assert "Read-only file system" in looked["config_write"]
    assert looked["rro"].endswith("written|"), looked["rro"]
    assert "Read-only file system" in looked["rro"]


def test_the_group_of_the_volumes_is_one_of_each_process(looked: dict[str, str]) -> None:
    assert str(FS_GROUP) in looked["groups"].removesuffix("|").split()


def test_a_secret_is_on_no_disk(rig: Rig, scheduler: Scheduler, looked: dict[str, str]) -> None:
    """Neither as it is nor as base64, while the pod lives: not in the sandbox, the agent's directories, the records of
    containerd, what runc keeps, the journal, the log, or what commands print.
    """
    assert SECRET in looked["env"]
    words = (SECRET.encode(), base64.b64encode(SECRET.encode()))
    places = [rig.directory, rig.cluster.directory, rig.containerd.directory, Path("/run/containerd")]
    found = [path for place in places if place.is_dir() for path in holding(place, words)]
    log = Path(rig.json("inspect", "looker")["containers"][0]["log"]["stdout"])
    assert found == [log], "the container itself has printed it"
    for command in (("inspect", "looker"), ("ps",), ("events",), ("why", "looker")):
        assert SECRET not in rig.command(*command).stdout
    process = rig.command("exec", "looker", "--", "sh", "-c", "echo $PASSWORD $MIXED")
    assert process.stdout == f"{SECRET} fast-alice-$(NONE)\n"


def holding(place: Path, words: tuple[bytes, ...]) -> list[Path]:
    """Files with one of these words."""
    files = [path for path in place.rglob("*") if not path.is_symlink() and path.is_file()]
    return [path for path in files if any(word in path.read_bytes() for word in words)]
