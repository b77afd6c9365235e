"""A node from the package's installation to its removal, as an operator walks through it; one line of JSON at the end.

    python -m tests.packages.walk INSTALL REMOVE

Both are shell commands. Runs in a root without the package, in a private node: Mesos and containerd are this
program's, the executor and every command come from the package, which is configured by its own file and uses its own
directories. At the end of the walk an executor dies with its pods, so that the removal has something to release.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from executor.containerd import Containerd
from tests.support import cgroupdirs, config_file, demo, leaks
from tests.support.demo_story import Story
from tests.support.mesos.cluster import node_cgroup
from tests.support.rig import NAMESPACE, OPTIONS, Rig, wait_for
from tests.support.sources import ROOT

PROGRAM = "/usr/bin/mesos-pod-executor"
CONFIGURATION = Path("/etc/mesos-pod-executor/config.toml")
TALK = ("sh", "-c", "trap 'exit 0' TERM; echo as installed; sleep 1000 & wait")
OWN = ("CONTAINERD_ADDRESS", "CNI_CONFIG_DIR", "CNI_DEFAULT_NETWORK", "CGROUPS_ROOT", "PODS_DEFAULT_IMAGE")
"""What this node has in other places than most."""
NOT_OURS = ("proc", "sys", "dev", "tmp", "root", "var/log", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/lib/rpm",
            "run/containerd", "run/.var-lib", "run/lock", "run/mount", str(ROOT).strip("/"))  # fmt: skip


class Installed(Rig):
    """Neither the executor nor the commands get anything by their environment."""

    program_environment: Mapping[str, str] = MappingProxyType({})

    def environment(self) -> dict[str, str]:
        return {}

    def options(self, config: Mapping[str, str]) -> list[str]:
        assert not config
        return []

    @property
    def run_dir(self) -> Path:
        return Path("/run/mesos-pod-executor")

    def configure(self) -> None:
        """As an operator does, in the file that was installed."""
        values = self.values()
        CONFIGURATION.write_text(config_file.text({name: values[name] for name in OWN}))


def main(install: str, remove: str) -> None:
    with Installed(OPTIONS, program=(PROGRAM,)) as rig:
        before = traces(rig)
        subprocess.run(install, shell=True, check=True, stdout=sys.stderr)
        rig.configure()
        told: dict[str, Any] = {"doctor": doctor(rig)}
        told["demo"] = demo.faults(demo.play(rig, Story(quiet=True), 3, 5, "0s"))
        told |= look(rig)
        told["left_by_the_dead"] = sum(rig.leaks().values())
        removed = subprocess.run(remove, shell=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        told["removal"] = removed.stdout.decode() if removed.returncode else ""
        after = traces(rig)
    told["left"] = {kind: sorted(found - before[kind]) for kind, found in after.items()}
    told["missing"] = {kind: sorted(found - after[kind]) for kind, found in before.items()}
    print(json.dumps(told))


def doctor(rig: Rig) -> dict[str, str]:
    """What it finds fault with."""
    document = json.loads(rig.command("doctor", "--json", "--agent", rig.agent.endpoint, check=False).stdout)
    return {each["check"]: each["verdict"] for each in document["checks"] if each["verdict"] in ("warn", "fail")}


def look(rig: Rig) -> dict[str, Any]:
    """Logs, events and metrics of running pods; and then their executor is killed."""
    with rig.scheduler(name="walk") as scheduler:
        tasks = [rig.pod("web", command=TALK), rig.pod("batch", revocable=True)]
        scheduler.launch(tasks, rig.executor("walk"))
        for name in ("web", "batch"):
            scheduler.wait_status(name, "TASK_RUNNING", 60)
        found = {
            "logs": wait_for(lambda: rig.command("logs", "web").stdout or None, 10),
            "codes": [each["code"] for each in map(json.loads, rig.command("events", "--json").stdout.splitlines())],
            "pods": {
                each["sample"]: each["value"]
                for each in rig.json("metrics")["samples"]
                if each["sample"].startswith("mesos_pod_executor_pods{") and each["value"]
            },
            "log": (rig.agent.sandbox(scheduler.framework_id, "walk") / "stderr").read_text().count("pod.running"),
        }
        rig.agent.kill()  # or it would clean up after its executor
        for owner in rig.run_dir.glob("*.owner"):
            os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
    return found


def traces(rig: Rig) -> dict[str, set[str]]:
    """Everything that an installation, an executor or a pod could leave on this node."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    accounts = [line for file in ("passwd", "group") for line in Path("/etc", file).read_text().splitlines()]
    tops = (node_cgroup(), rig.cgroup, rig.agent.cgroups_root)
    cgroups = {str(path) for top in (node_cgroup(), "/mesos-pod-executor") for path in cgroupdirs.below(top)}
    return {
        "files": files(Path("/")),
        "accounts": set(accounts),
        "mounts": {mount for mount in mounts if not mount.startswith("/tmp/")},
        "cgroups": {path for path in cgroups if not path.endswith(tops)},
        "links": set(leaks.veths()),
        "networks": set(leaks.reserved_ips([rig.directory / "ipam"])),
        "rules": set(leaks.firewall_rules()),
        "records": asyncio.run(records(rig)),
        "processes": {name for name in processes() if "mesos-pod-executor" in name or "containerd-shim" in name},
    }


def files(top: Path) -> set[str]:
    found = set()
    for directory, names, leaves in os.walk(top):
        inside = [str(Path(directory, name).relative_to(top)) for name in (*names, *leaves)]
        found |= {name for name in inside if name not in NOT_OURS}
        names[:] = [name for name in names if str(Path(directory, name).relative_to(top)) not in NOT_OURS]
    return found


async def records(rig: Rig) -> set[str]:
    """containerd's, in the namespace of the pods; images are the operator's."""
    async with await Containerd.connect(rig.containerd.address, NAMESPACE) as client:
        containers = {f"container {each.id}" for each in await client.containers.list()}
        snapshots = {f"snapshot {each.key}" for each in await client.snapshots.list() if each.kind == "active"}
        return containers | snapshots | {f"lease {each.id}" for each in await client.leases.list()}


def processes() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")


if __name__ == "__main__":
    main(*sys.argv[1:])
