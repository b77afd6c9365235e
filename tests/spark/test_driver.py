"""The one class that stands in for Mesos' native driver: each of its calls does at a real master what it says."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.mesos.cluster import Cluster
from tests.support.mesos.server import free_port
from tests.support.spark import submit

pytestmark = [pytest.mark.root, pytest.mark.mesos]

EXERCISE = Path(submit.__file__).with_name("DriverExercise.java")
EXECUTOR = f"PYTHONPATH={submit.ROOT} exec {sys.executable} -m tests.support.driver_executor"
CLASSES = f"{submit.MESOS_DRIVER}:{submit.PACKAGES}/pyspark/jars/*"
SEEN = ["registered", "offer", "TASK_RUNNING", "message hello", "TASK_RUNNING", "TASK_RUNNING", "TASK_KILLED", "offer"]


def start(master: str, command: str = "true") -> subprocess.Popen[str]:
    java = ["java", submit.JAVA_OPTIONS.split()[0], "-classpath", CLASSES, str(EXERCISE), master, command]
    return subprocess.Popen(java, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_every_call_also_over_a_new_master() -> None:
    with Cluster() as cluster:
        with start(cluster.endpoint, EXECUTOR) as java:
            assert java.stdout and java.stderr
            lines = list(itertools.takewhile("restart the master".__ne__, map(str.rstrip, java.stdout)))
            assert lines == SEEN, java.stderr.read()
            cluster.master.kill()
            cluster.master.start()
            assert java.communicate(timeout=30)[0].splitlines() == ["disconnected", "reregistered"]
        assert java.returncode == 0
        frameworks = cluster.master.operator.call("GET_FRAMEWORKS")["get_frameworks"]
        assert not frameworks.get("frameworks") and len(frameworks["completed_frameworks"]) == 1


def test_no_master_is_an_error_of_the_scheduler() -> None:
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    with start(address) as java:
        assert java.stdout
        assert java.stdout.readline().startswith(f"error no master at {address}: ")
        java.kill()
