"""How Spark is started: its settings, and its driver, on this machine or in a pod. Pure.

Spark needs no image: in a pod it finds the node's own Java, Python and libraries, mounted read-only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.rig import IMAGE, NETWORK, Rig

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ROOT / ".build/spark/packages"
MESOS_DRIVER = ROOT / ".build/spark/mesos-driver.jar"
JOB = Path(__file__).with_name("job.py")
PYTHON = "/usr/bin/python3"
DRIVER = "wordcount"
EXECUTORS, CORES = 2, 2
DRIVER_MEM = 1024
"""MB of the driver's pod: its Java heap of 512 MB, what Java needs besides, and the Python on top of it."""
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
"""Starts in half of the time; a short job gains nothing from what this leaves out."""
_NODE = {
    "usr": ("/usr", "/usr"),
    "lib": ("/usr/lib", "/lib"),
    "lib64": ("/usr/lib64", "/lib64"),
    "alternatives": ("/etc/alternatives", "/etc/alternatives"),
    "java": ("/etc/java-17-openjdk", "/etc/java-17-openjdk"),
    "spark": (str(ROOT / ".build/spark"), str(ROOT / ".build/spark")),
    "job": (str(JOB.parent), str(JOB.parent)),
}
"""What the driver needs of the node: the directory there, and where it is in the pod."""


def environment() -> dict[str, str]:
    python = {"PYTHONPATH": str(PACKAGES), "PYSPARK_PYTHON": PYTHON}
    return {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "JAVA_TOOL_OPTIONS": JAVA_OPTIONS, **python}


def settings(driver_host: str) -> dict[str, str]:
    """One executor on each host: there is room for no second one of this size. They call the driver by
    `driver_host`.
    """
    return {
        "spark.driver.host": driver_host,
        "spark.driver.bindAddress": "0.0.0.0",
        "spark.driver.memory": "512m",
        "spark.driver.extraClassPath": str(MESOS_DRIVER),
        "spark.executor.memory": "512m",
        "spark.executor.cores": str(CORES),
        "spark.cores.max": str(CORES * EXECUTORS),
        "spark.executorEnv.PYTHONPATH": str(PACKAGES),
        "spark.executorEnv.JAVA_TOOL_OPTIONS": JAVA_OPTIONS,
        "spark.mesos.executor.home": str(PACKAGES / "pyspark"),
        "spark.mesos.network.name": NETWORK,
        "spark.mesos.coarse.shutdownTimeout": "5s",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "60s",
        "spark.task.maxFailures": "1",
        "spark.ui.enabled": "false",
    }


def command(plan: Mapping[str, Any]) -> tuple[str, ...]:
    return PYTHON, str(JOB), json.dumps(plan)


def driver_pod(rig: Rig, plan: Mapping[str, Any]) -> dict[str, Any]:
    """A regular pod that is Spark's driver; its task finishes with the job."""
    volumes = [{"name": name, "hostPath": {"path": node}} for name, (node, _) in _NODE.items()]
    mounts = [{"name": name, "mountPath": path, "readOnly": True} for name, (_, path) in _NODE.items()]
    variables = [{"name": name, "value": value} for name, value in environment().items()]
    container = {"name": "driver", "image": IMAGE, "command": list(command(plan)), "env": variables}
    spec = {"volumes": volumes, "containers": [container | {"volumeMounts": mounts}]}
    return rig.pod(DRIVER, spec=spec, cpus=1, mem=DRIVER_MEM)
