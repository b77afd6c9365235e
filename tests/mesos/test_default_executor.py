"""A framework that asks for Mesos' default executor (ExecutorInfo type DEFAULT, LAUNCH_GROUP) on an agent whose
launcher directory is this program's. Each test is a row of packaging/doc/default-executor.md.
"""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import tarfile
import tempfile
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from executor.cli.launch import launcher_dir
from tests.support.mesos import build, messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.mesos.server import wait_until
from tests.support.rig import IMAGE, OPTIONS, PROGRAM, PROGRAM_ENVIRONMENT, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

EXECUTOR = "default"
APART = {"linux_info": {"share_cgroups": False}}
CHECKED = "REASON_TASK_CHECK_STATUS_UPDATED"
RESOURCES = [messages.scalar("cpus", 0.1), messages.scalar("mem", 64), messages.scalar("disk", 32)]
WAITS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """An agent with a launcher directory that the command has made."""
    directory = Path(tempfile.mkdtemp(prefix="mpe-launcher-"))
    program = directory / "mesos-pod-executor"
    words = shlex.join(["env", *(f"{key}={value}" for key, value in PROGRAM_ENVIRONMENT.items()), *PROGRAM])
    program.write_text(f'#!/bin/sh\nexec {words} --config "{directory}/config.toml" "$@"\n')
    program.chmod(0o755)
    launcher_dir.make(build.ensure() / "libexec", directory / "launcher", program)
    options = replace(OPTIONS, extra={**OPTIONS.extra, "MESOS_LAUNCHER_DIR": str(directory / "launcher")})
    try:
        with Rig(options, config={"PODS_DEFAULT_IMAGE": ""}) as node:
            shutil.copy(node.write_config(), directory / "config.toml")
            yield node
    finally:
        shutil.rmtree(directory)


def executor(executor_id: str = EXECUTOR, **fields: Any) -> dict[str, Any]:
    """What a framework that knows nothing of this program sends."""
    return {"type": "DEFAULT", "executor_id": {"value": executor_id}, "resources": RESOURCES, **fields}


def task(name: str, script: str = WAITS, *, container: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    command = {"value": script, **fields.pop("command", {})}
    image = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": IMAGE}}}}
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 32), *fields.pop("resources", [])]
    return messages.task_info(name, resources, command=command, container={**image, **(container or {})}, **fields)


def states(scheduler: Scheduler, name: str) -> list[str]:
    return [each.state for each in scheduler.statuses(name)]


def directory(rig: Rig, scheduler: Scheduler) -> str:
    """The executor's, as Mesos' page learns it from the agent."""
    state = json.load(urllib.request.urlopen(f"http://{rig.agent.endpoint}/state"))
    frameworks = [*state["frameworks"], *state["completed_frameworks"]]
    (framework,) = [each for each in frameworks if each["id"] == scheduler.framework_id]
    executors = [*framework["executors"], *framework["completed_executors"]]
    (found,) = [each for each in executors if each["id"] == EXECUTOR]
    assert found["type"] == "DEFAULT"
    return str(found["directory"])


def has_ended(rig: Rig) -> bool:
    state = json.load(urllib.request.urlopen(f"http://{rig.agent.endpoint}/state"))
    return not any(framework["executors"] for framework in state["frameworks"])


def on_the_page(rig: Rig, path: str) -> str:
    """A file as Mesos' page reads it: by the agent's files API."""
    query = urllib.parse.urlencode({"path": path, "offset": 0, "length": 4096})
    answer = json.load(urllib.request.urlopen(f"http://{rig.agent.endpoint}/files/read?{query}"))
    return str(answer["data"])


def output(rig: Rig, scheduler: Scheduler, name: str) -> list[str]:
    return on_the_page(rig, f"{directory(rig, scheduler)}/tasks/{name}/stdout").splitlines()


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The files of a directory over HTTP."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_a_group_runs_and_its_executor_ends_with_it(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([task("one", "exit 0"), task("two", "sleep 0.5")], executor(), group=True)
    for name in ("one", "two"):
        scheduler.wait_status(name, "TASK_FINISHED", 60)
        assert states(scheduler, name) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    wait_until(lambda: has_ended(rig), 20, lambda: "the executor has not ended")


def test_a_second_group_lives_in_the_same_executor(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([task("first")], executor(), group=True)
    scheduler.wait_status("first", "TASK_RUNNING", 60)
    scheduler.launch([task("second")], executor(), group=True)
    scheduler.wait_status("second", "TASK_RUNNING", 60)
    scheduler.kill("first")
    scheduler.wait_status("first", "TASK_KILLED")
    assert not has_ended(rig) and states(scheduler, "second") == ["TASK_STARTING", "TASK_RUNNING"]
    scheduler.kill("second")
    wait_until(lambda: has_ended(rig), 20, lambda: "the executor has not ended")


def test_a_failed_task_ends_its_group_and_no_other(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([task("other")], executor(), group=True)
    scheduler.wait_status("other", "TASK_RUNNING", 60)
    scheduler.launch([task("fails", "sleep 0.5; exit 3"), task("waits")], executor(), group=True)
    failed = scheduler.wait_status("fails", "TASK_FAILED", 60)
    killed = scheduler.wait_status("waits", "TASK_KILLED")
    assert "status 3" in failed.message and "task fails of the same group failed" in killed.message
    assert states(scheduler, "waits") == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]
    assert states(scheduler, "other")[-1] == "TASK_RUNNING"


def test_an_invalid_task_refuses_its_whole_group(rig: Rig, scheduler: Scheduler) -> None:
    """The second of three tasks names a file out of its sandbox."""
    invalid = task("invalid", command={"uris": [{"value": "http://127.0.0.1/file", "output_file": "../out"}]})
    scheduler.launch([task("first"), invalid, task("last")], executor(), group=True)
    for name in ("first", "invalid", "last"):
        ended = scheduler.wait_status(name, messages.TERMINAL, 60)
        assert states(scheduler, name) == ["TASK_FAILED"] and ended.reason == "REASON_TASK_INVALID"
        assert ended.message.startswith("tasks[1].command.uris[0].output_file: '../out' is not a relative path")
    wait_until(lambda: has_ended(rig), 20, lambda: "the executor has not ended")


def test_a_finished_task_ends_nothing(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([task("done", "exit 0"), task("goes-on", "sleep 1.5")], executor(), group=True)
    scheduler.wait_status("done", "TASK_FINISHED", 60)
    scheduler.wait_status("goes-on", "TASK_FINISHED")
    assert states(scheduler, "goes-on") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]


def test_a_kill_of_one_task_ends_the_group_with_each_task_own_grace(rig: Rig, scheduler: Scheduler) -> None:
    """`deaf` is killed after its own grace, while `slow` has the time that it needs."""
    deaf = task("deaf", "trap '' TERM; while true; do sleep 0.1; done", kill_policy=messages.kill_policy(0.5))
    slow = task("slow", "trap 'sleep 2; echo clean; exit 0' TERM; while true; do sleep 0.1; done")
    slow["kill_policy"] = messages.kill_policy(60)
    scheduler.launch([deaf, slow], executor(), group=True)
    for name in ("deaf", "slow"):
        scheduler.wait_status(name, "TASK_RUNNING", 60)
    scheduler.kill("deaf")
    ends = {name: scheduler.wait_status(name, "TASK_KILLED") for name in ("deaf", "slow")}
    assert [states(scheduler, name)[2:] for name in ends] == [["TASK_KILLING", "TASK_KILLED"]] * 2
    (log,) = rig.agent.sandbox(scheduler.framework_id, EXECUTOR).glob("pods/*/slow.stdout")
    assert log.read_text() == "clean\n"


def test_the_grace_of_a_kill_call_wins(rig: Rig, scheduler: Scheduler) -> None:
    deaf = task("deaf", "trap '' TERM; while true; do sleep 0.1; done", kill_policy=messages.kill_policy(600))
    scheduler.launch([deaf], executor(), group=True)
    scheduler.wait_status("deaf", "TASK_RUNNING", 60)
    scheduler.kill("deaf", grace_s=0.5)
    scheduler.wait_status("deaf", "TASK_KILLED")


def test_the_max_completion_time_fails_the_task_and_ends_the_group(rig: Rig, scheduler: Scheduler) -> None:
    late = task("late", "trap '' TERM; while true; do sleep 0.1; done", max_completion_time=messages.seconds(1.5))
    scheduler.launch([late, task("other")], executor(), group=True)
    failed = scheduler.wait_status("late", "TASK_FAILED", 60)
    scheduler.wait_status("other", "TASK_KILLED")
    assert failed.reason == "REASON_MAX_COMPLETION_TIME_REACHED"
    assert states(scheduler, "late") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]


def test_a_failing_health_check_kills_the_task_and_its_group(rig: Rig, scheduler: Scheduler) -> None:
    check = {"type": "COMMAND", "command": {"value": "exit 1"}, "delay_seconds": 0, "interval_seconds": 0.2}
    sick = task("sick", health_check={**check, "grace_period_seconds": 0, "consecutive_failures": 2})
    scheduler.launch([sick, task("other")], executor(), group=True)
    killed = scheduler.wait_status("sick", "TASK_KILLED", 60)
    scheduler.wait_status("other", "TASK_KILLED")
    assert killed.raw["healthy"] is False
    assert states(scheduler, "sick")[-2:] == ["TASK_KILLING", "TASK_KILLED"]


def test_the_value_of_a_check_is_in_every_status(rig: Rig, scheduler: Scheduler) -> None:
    check = {"type": "COMMAND", "command": {"command": {"value": "exit 7"}}, "delay_seconds": 0}
    scheduler.launch([task("checked", check=check)], executor(), group=True)
    found = scheduler.wait(
        lambda: [each for each in scheduler.statuses("checked") if each.reason == CHECKED], 60, lambda: "no update"
    )
    assert found[0].raw["check_status"] == {"type": "COMMAND", "command": {"exit_code": 7}}
    assert scheduler.statuses("checked")[0].raw["check_status"] == {"type": "COMMAND", "command": {}}
    scheduler.kill("checked")
    scheduler.wait_status("checked", "TASK_KILLED")


def test_a_shutdown_kills_every_task_within_the_grace_of_mesos(rig: Rig, scheduler: Scheduler) -> None:
    agent = scheduler.launch([task("one"), task("two")], executor(), group=True)
    for name in ("one", "two"):
        scheduler.wait_status(name, "TASK_RUNNING", 60)
    scheduler.shutdown_executor(agent, EXECUTOR)
    for name in ("one", "two"):
        assert scheduler.wait_status(name, "TASK_KILLED").source == "SOURCE_EXECUTOR"
    wait_until(lambda: has_ended(rig), 20, lambda: "the executor has not ended")


def test_a_group_outlives_a_restart_of_the_agent(rig: Rig, scheduler: Scheduler) -> None:
    short = task("short", "sleep 2; echo through; exit 0")
    scheduler.launch([short, task("long")], executor(), group=True)
    scheduler.wait_status("long", "TASK_RUNNING", 60)
    rig.agent.restart()
    scheduler.wait_status("short", "TASK_FINISHED", 30)
    scheduler.kill("long")
    scheduler.wait_status("long", "TASK_KILLED", 30)
    assert states(scheduler, "short").count("TASK_FINISHED") == 1


def test_the_sandbox_of_a_task_is_where_the_page_looks_for_it(rig: Rig, scheduler: Scheduler) -> None:
    """The page reads `<executor's directory>/tasks/<task id>` by the agent's files API."""
    script = "pwd; echo oops >&2; echo mine >own-file; id -u; exit 0"
    scheduler.launch([task("page.1", script, command={"user": "65534"})], executor(), group=True)
    scheduler.wait_status("page.1", "TASK_FINISHED", 60)
    sandbox = f"{directory(rig, scheduler)}/tasks/page.1"
    assert on_the_page(rig, f"{sandbox}/stdout") == "/mnt/mesos/sandbox\n65534\n"
    assert on_the_page(rig, f"{sandbox}/stderr") == "oops\n"
    assert on_the_page(rig, f"{sandbox}/own-file") == "mine\n"
    query = urllib.parse.urlencode({"path": sandbox})
    listed = json.load(urllib.request.urlopen(f"http://{rig.agent.endpoint}/files/browse?{query}"))
    assert {each["path"].rpartition("/")[2] for each in listed} == {"stdout", "stderr", "own-file"}


def test_a_task_knows_its_sandbox_role_and_address(rig: Rig, scheduler: Scheduler) -> None:
    script = 'for each in "$MESOS_SANDBOX" "$MESOS_ALLOCATION_ROLE" "$MESOS_CONTAINER_IP"; do echo "$each"; done'
    scheduler.launch([task("knows", script)], executor(), group=True)
    running = scheduler.wait_status("knows", "TASK_RUNNING", 60)
    scheduler.wait_status("knows", "TASK_FINISHED")
    ip = running.raw["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"]
    assert output(rig, scheduler, "knows") == ["/mnt/mesos/sandbox", "*", ip]


def test_uris_are_in_the_sandbox_before_the_task_starts(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\necho ran as $(id -u)\n")
    with tarfile.open(tmp_path / "app.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "run", "lib/run")
    with served(tmp_path) as url:
        uris = [
            {"value": f"{url}/run", "executable": True, "output_file": "bin/run"},
            {"value": f"{url}/app.tar.gz", "cache": True},
            {"value": str(tmp_path / "app.tar.gz"), "extract": False, "output_file": "local.tar.gz"},
        ]
        script = "bin/run; sh lib/run; ls; echo more >>lib/run && exit 0"
        scheduler.launch([task("uses", script, command={"uris": uris, "user": "65534"})], executor(), group=True)
        scheduler.wait_status("uses", "TASK_FINISHED", 60)
    found = ["ran as 65534", "ran as 65534", "app.tar.gz", "bin", "lib", "local.tar.gz", "stderr", "stdout"]
    assert output(rig, scheduler, "uses") == found


def test_a_uri_that_cannot_be_fetched_fails_the_group(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        lacks = task("lacks", command={"uris": [{"value": f"{url}/none"}]})
        scheduler.launch([lacks, task("other")], executor(), group=True)
        failed = scheduler.wait_status("lacks", "TASK_FAILED", 60)
        scheduler.wait_status("other", "TASK_FAILED", 60)
    assert failed.reason == "REASON_CONTAINER_LAUNCH_FAILED" and "answers 404" in failed.message


def test_a_task_without_an_image_runs_on_the_node_s_file_system(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    """As root, as its framework is; /mnt/mesos is not made on the node, and what it writes elsewhere is the node's."""
    script = f"pwd; python3 -c 'print(6 * 7)'; ls /run; echo here >{tmp_path}/written; cat /etc/hosts; exit 0"
    plain = task("plain", script)
    del plain["container"]
    scheduler.launch([plain, task("image", "test ! -e /usr/bin/python3 && exit 0")], executor(), group=True)
    for name in ("plain", "image"):
        scheduler.wait_status(name, "TASK_FINISHED", 60)
    printed = output(rig, scheduler, "plain")
    assert printed[:3] == ["/mnt/mesos/sandbox", "42", "mesos-pod-executor"]
    assert any("plain" in line for line in printed[3:]), "the hosts file is the pod's"
    assert (tmp_path / "written").read_text() == "here\n" and not Path("/mnt/mesos").exists()


def test_a_kill_ends_a_group_whose_files_are_still_fetched(rig: Rig, scheduler: Scheduler) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/never"
        scheduler.launch([task("waits", command={"uris": [{"value": url}]}), task("other")], executor(), group=True)
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            scheduler.kill("other")
            for name in ("waits", "other"):
                killed = scheduler.wait_status(name, "TASK_KILLED", 20)
                assert killed.reason == "REASON_TASK_KILLED_DURING_LAUNCH"
            connection.settimeout(20)
            while connection.recv(4096):  # the helper has ended with its launch
                pass


def test_the_limit_of_cpus_is_the_quota_of_the_task(rig: Rig, scheduler: Scheduler) -> None:
    script = "cat /sys/fs/cgroup/cpu*/cpu.cfs_quota_us | head -n 1; exit 0"
    bound = task("bound", script, container=APART, limits={"cpus": {"value": 0.3}})
    scheduler.launch([bound, task("free", script, container=APART)], executor(), group=True)
    for name in ("bound", "free"):
        scheduler.wait_status(name, "TASK_FINISHED", 60)
    assert (output(rig, scheduler, "bound"), output(rig, scheduler, "free")) == (["30000"], ["-1"])


@pytest.mark.parametrize("container", [{}, APART], ids=["shared", "apart"])
def test_the_tasks_of_a_group_share_their_mem_unless_they_are_set_apart(
    rig: Rig, scheduler: Scheduler, container: dict[str, Any]
) -> None:
    """`uses` has 32 MiB and takes 60, `leaves` has 96."""
    uses = task("uses", "head -c 60m /dev/zero | tail -c 60m >/dev/null && exit 0", container=container)
    leaves = task("leaves", container=container, resources=[messages.scalar("mem", 64)])
    scheduler.launch([uses, leaves], executor(), group=True)
    ended = scheduler.wait_status("uses", ["TASK_FAILED", "TASK_FINISHED"], 60)
    assert ended.state == ("TASK_FAILED" if container else "TASK_FINISHED")
    scheduler.kill("leaves")
    scheduler.wait_status("leaves", "TASK_KILLED", 30)


@pytest.mark.parametrize("mode", ["PRIVATE", "SHARE_PARENT"])
def test_the_tasks_of_a_group_share_one_dev_shm(rig: Rig, scheduler: Scheduler, mode: str) -> None:
    linux = {"linux_info": {"ipc_mode": mode, **({"shm_size": 8} if mode == "PRIVATE" else {})}}
    writes = task("writes", "echo >/dev/shm/here; sleep 1", container=linux)
    reads = task("reads", "until test -e /dev/shm/here; do sleep 0.1; done", container=linux)
    scheduler.launch([writes, reads], executor(), group=True)
    for name in ("writes", "reads"):
        scheduler.wait_status(name, "TASK_FINISHED", 30)
