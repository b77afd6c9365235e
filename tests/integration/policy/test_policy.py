"""What the policy of a role does to pods on a real node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.history import Status
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import NETWORK, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def printed(rig: Rig, scheduler: Scheduler, name: str, script: str, **pod: Any) -> list[str]:
    """What a pod prints that runs this script to its end."""
    scheduler.launch([rig.pod(name, command=("sh", "-c", script), **pod)], rig.executor())
    scheduler.wait_status(name, "TASK_FINISHED", 60)
    return Path(rig.json("inspect", name)["containers"][0]["log"]["stdout"]).read_text().splitlines()


def test_a_pod_that_its_role_may_not_run(rig: Rig, scheduler: Scheduler) -> None:
    spec = {"hostPID": True, "hostNetwork": True, "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}
    scheduler.launch([rig.pod("wide", spec=spec)], rig.executor())
    status = scheduler.wait_status("wide", "TASK_FAILED", 30)
    assert status.reason == "REASON_TASK_UNAUTHORIZED"
    for path in ("spec.hostNetwork", "spec.hostPID", "spec.volumes[0].hostPath.path"):
        assert path in status.message, status.message
    (refused,) = [each for each in rig.journal("mixed", scheduler) if each.get("code") == "pod.refused"]
    assert "[Host Namespaces]" in json.dumps(refused)


def test_a_pod_that_names_no_network_has_loopback_only(rig: Rig, scheduler: Scheduler) -> None:
    script = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; ls -L -i /proc/self/ns/net | cut -d' ' -f1"
    *interfaces, inode = printed(rig, scheduler, "alone", script)
    assert interfaces == ["lo"]
    assert int(inode) != Path("/proc/self/ns/net").stat().st_ino
    raw = scheduler.wait_status("keeper", "TASK_RUNNING", 5).raw
    assert not any(each.get("ip_addresses") for each in raw["container_status"]["network_infos"]), raw


@pytest.mark.parametrize("infos", [[{}, {}], [{}, {"name": "none"}]], ids=["default", "none"])
def test_a_pod_that_names_none_twice_does_not_share_the_nodes_network(
    rig: Rig, scheduler: Scheduler, infos: list[dict[str, str]]
) -> None:
    name, script = f"twice-{len(infos[1])}", "ls -L -i /proc/self/ns/net | cut -d' ' -f1"
    task = rig.pod(name, command=("sh", "-c", script))
    scheduler.launch([{**task, "container": {"type": "MESOS", "network_infos": infos}}], rig.executor())
    scheduler.wait_status(name, "TASK_FINISHED", 30)
    printed = Path(rig.json("inspect", name)["containers"][0]["log"]["stdout"]).read_text()
    assert int(printed) != Path("/proc/self/ns/net").stat().st_ino


def test_a_pod_may_name_a_network(rig: Rig, scheduler: Scheduler) -> None:
    metadata = {"annotations": {"mesos-pod-executor/networks": NETWORK}}
    (found,) = printed(rig, scheduler, "joined", "grep -c eth0 /proc/net/dev", metadata=metadata)
    assert found == "1"


def shows(path: Path | str, kind: str = "", *, read_only: bool = False) -> dict[str, Any]:
    """The parts of a pod with this path of the node at /v."""
    return {
        "spec": {"volumes": [{"name": "v", "hostPath": {"path": str(path), "type": kind}}]},
        "container": {"volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": read_only}]},
    }


def failed(rig: Rig, scheduler: Scheduler, name: str, **pod: Any) -> Status:
    scheduler.launch([rig.pod(name, **pod)], rig.executor())
    return scheduler.wait_status(name, "TASK_FAILED", 30)


def test_a_directory_that_a_list_allows(rig: Rig, scheduler: Scheduler, shown: Path) -> None:
    (shown / "data").mkdir()
    assert printed(rig, scheduler, "writes", "echo text > /v/file; cat /v/file", **shows(shown / "data")) == ["text"]
    assert (shown / "data/file").read_text() == "text\n"
    assert printed(rig, scheduler, "makes", "ls -d /v", **shows(shown / "a/b", "DirectoryOrCreate")) == ["/v"]
    assert printed(rig, scheduler, "untyped", "ls -d /v", **shows(shown / "c/d")) == ["/v"]
    assert (shown / "a/b").is_dir() and (shown / "c/d").is_dir()


def test_a_directory_that_may_be_read(rig: Rig, scheduler: Scheduler, shown: Path) -> None:
    """All the way down: a file system that is mounted below it is read only, too."""
    library = shown / "library"
    (library / "book").write_text("words\n")
    (library / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", library / "below"], check=True)
    try:
        script = "cat /v/book; for at in /v /v/below; do touch $at/x 2>/dev/null && echo written || echo refused; done"
        lines = printed(rig, scheduler, "reads", script, **shows(library, read_only=True))
    finally:
        subprocess.run(["umount", library / "below"], check=True)
    assert lines == ["words", "refused", "refused"]
    missing = failed(rig, scheduler, "missing", **shows(library / "new", read_only=True))
    assert "No such file" in missing.message and not (library / "new").exists()
    for name, path in (("library-rw", library), ("above-rw", shown)):
        status = failed(rig, scheduler, name, **shows(path))
        assert "set readOnly" in status.message and status.reason == "REASON_TASK_UNAUTHORIZED"
    script = "cat /v/library/book; touch /v/library/x || mv /v/library /v/moved || echo refused"
    assert printed(rig, scheduler, "above", script, **shows(shown, read_only=True)) == ["words", "refused"]


def test_a_link_leads_nowhere(rig: Rig, scheduler: Scheduler, shown: Path) -> None:
    (shown / "link").symlink_to("/etc")
    for name, path in (("link", shown / "link"), ("below", shown / "link/ssl")):
        assert "symbolic link" in failed(rig, scheduler, name, **shows(path)).message


def test_directories_that_no_pod_gets(rig: Rig, scheduler: Scheduler) -> None:
    for number, path in enumerate((rig.run_dir, rig.directory / "state", Path("/proc"), Path("/"))):
        assert failed(rig, scheduler, f"own-{number}", **shows(path)).reason == "REASON_TASK_UNAUTHORIZED"


@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this kernel has no FUSE")
def test_a_device_that_a_list_allows(rig: Rig, scheduler: Scheduler) -> None:
    script = "exec 3<>/v && echo opened"
    assert printed(rig, scheduler, "fuse", script, **shows("/dev/fuse", "CharDevice")) == ["opened"]
    assert "is not a device that the role may use" in failed(rig, scheduler, "kmsg", **shows("/dev/kmsg")).message


HARDENED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}


@pytest.mark.usefixtures("room")
def test_each_role_has_its_policy(rig: Rig) -> None:
    """A role below one that is listed has that one's."""
    with rig.scheduler(name="guests", roles=("eng/dev",)) as framework:
        plain = rig.pod("plain")
        hardened = rig.pod("hardened", command=("id", "-u"), container={"securityContext": HARDENED})
        framework.launch([plain, hardened], rig.executor("guests"), role="eng/dev")
        refused = framework.wait_status("plain", "TASK_FAILED", 30)
        assert refused.reason == "REASON_TASK_UNAUTHORIZED"
        assert all(
            f"[{each}]" in refused.message for each in ("Running as Non-root", "Privilege Escalation", "Seccomp")
        )
        framework.wait_status("hardened", "TASK_FINISHED", 30)


@pytest.mark.usefixtures("room")
def test_a_command_in_a_container_is_confined_as_the_container(rig: Rig) -> None:
    """By exec, and after a restart of the container."""
    with rig.scheduler(name="confined", roles=("eng/dev",)) as framework:
        again = "[ -e /work/once ] && exec sleep 600; touch /work/once"
        container = {"securityContext": HARDENED, "volumeMounts": [{"name": "work", "mountPath": "/work"}]}
        spec = {"restartPolicy": "Always", "volumes": [{"name": "work", "emptyDir": {}}]}
        framework.launch(
            [rig.pod("confined", command=("sh", "-c", again), container=container, spec=spec)],
            rig.executor("confined"),
            role="eng/dev",
        )
        framework.wait_status("confined", "TASK_RUNNING", 30)
        assert wait_for(lambda: rig.json("inspect", "confined")["containers"][0]["restarts"] == 1 or None, 30)
        fields = "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):"
        of_first, of_exec = (
            rig.command("exec", "confined", "--", "grep", "-E", fields, f"/proc/{pid}/status").stdout
            for pid in ("1", "self")
        )
        assert of_first == of_exec
        values = dict(line.split(":\t") for line in of_exec.splitlines())
        assert {values.pop("NoNewPrivs"), values.pop("Seccomp")} == {"1", "2"}
        assert {int(mask, 16) for mask in values.values()} == {0}
        assert rig.command("exec", "confined", "--", "id", "-u").stdout == "1000\n"
