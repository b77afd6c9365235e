"""One run of one plugin: what it inherits, how it is ended, what is made of its words."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path

import pytest

from executor.cni.plugins.plugin import Call, Plugins, read_outcome
from tests.unit.cni.bench import Bench, gone

ADD = Call("ADD", {"cniVersion": "1.0.0"}, container_id="pod-1", ifname="eth0")


def plugins(bench: Bench, timeout_s: float = 20.0) -> Plugins:
    return Plugins([bench.plugin_dir], timeout_s)


def script(bench: Bench, text: str) -> None:
    path = bench.plugin_dir / "one"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


async def test_nothing_of_the_environment_or_the_descriptors_is_inherited(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "secret")
    leaked = fcntl.fcntl(0, fcntl.F_DUPFD, 100)
    keys, descriptors = "$(env | cut -d= -f1)", "$(ls /proc/$$/fd)"
    script(bench, f"""cat >/dev/null; echo {{\\"keys\\": \\"{keys}\\", \\"fds\\": \\"{descriptors}\\"}}""")
    outcome = await plugins(bench).run("one", ADD)
    os.close(leaked)
    assert outcome.result is not None
    assert set(outcome.result["keys"].split()) == {
        "CNI_COMMAND",
        "CNI_CONTAINERID",
        "CNI_IFNAME",
        "CNI_PATH",
        "PATH",
        "PWD",
    }
    assert str(leaked) not in outcome.result["fds"].split()


async def test_a_hung_plugin_and_its_children_are_killed(bench: Bench) -> None:
    bench.plugin("one", ADD=[{"child": "mine", "hang": True}])
    outcome = await plugins(bench, timeout_s=0.6).run("one", ADD)
    assert outcome.error is not None
    assert "did not end within 0.6 s" in outcome.error.msg
    await gone(int((bench.plugin_dir / "child.pid").read_text()))
    await gone(bench.calls("ADD")[0]["pid"])


async def test_children_of_a_plugin_that_was_killed_are_killed(bench: Bench) -> None:
    bench.plugin("one", ADD=[{"child": "mine", "killed": True}])
    outcome = await plugins(bench).run("one", ADD)
    assert outcome.error is not None
    assert outcome.error.msg == "killed by SIGKILL"
    await gone(int((bench.plugin_dir / "child.pid").read_text()))


async def test_a_daemon_left_behind_does_not_hold_the_result_up(bench: Bench) -> None:
    bench.plugin("one", ADD=[{"child": "daemon"}])
    loop = asyncio.get_running_loop()
    before = loop.time()
    outcome = await plugins(bench).run("one", ADD)
    daemon = int((bench.plugin_dir / "child.pid").read_text())
    assert outcome.result is not None
    assert loop.time() - before < 5
    os.kill(daemon, 9)  # raises if it was killed with the plugin


async def test_cancelling_lets_the_plugin_finish(bench: Bench) -> None:
    """One that is killed may leave half of what it was to do, such as an address that belongs to nobody."""
    script(bench, f"echo >{bench.plugin_dir}/begun; sleep 0.3; echo >{bench.plugin_dir}/finished; echo '{{}}'")
    task = asyncio.create_task(plugins(bench).run("one", ADD))
    async with asyncio.timeout(5):
        while not (bench.plugin_dir / "begun").exists():  # noqa: ASYNC110 a script tells nobody
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.plugin_dir / "finished").exists()


async def test_cancelling_lets_a_plugin_finish_that_has_just_been_started(bench: Bench) -> None:
    """The loop was busy meanwhile, so that it does not know yet that the plugin runs."""
    script(bench, f"echo >{bench.plugin_dir}/begun; sleep 0.3; echo >{bench.plugin_dir}/finished; echo '{{}}'")
    task = asyncio.create_task(plugins(bench).run("one", ADD))
    await asyncio.sleep(0)
    deadline = time.monotonic() + 5
    while not (bench.plugin_dir / "begun").exists() and time.monotonic() < deadline:
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 that is the point
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.plugin_dir / "finished").exists()


async def test_cancelling_kills_a_plugin_that_hangs(bench: Bench) -> None:
    bench.plugin("one", ADD=[{"hang": True}])
    task = asyncio.create_task(plugins(bench).run("one", ADD))
    await bench.called("ADD one")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(bench.calls("ADD")[0]["pid"])


async def test_what_is_printed_is_bounded(bench: Bench) -> None:
    script(bench, "head -c 3000000 /dev/zero")
    outcome = await plugins(bench).run("one", ADD)
    assert outcome.error is not None
    assert "more than 1048576 bytes" in outcome.error.msg
    script(bench, "head -c 3000000 /dev/zero | tr '\\0' y >&2; exit 1")
    outcome = await plugins(bench).run("one", ADD)
    assert outcome.error is not None
    assert len(outcome.error.details) == 4096


async def test_a_plugin_may_not_read_its_configuration(bench: Bench) -> None:
    script(bench, 'exec 0<&-; echo "{}"')
    big = Call("ADD", {"filler": "x" * 500_000})
    assert (await plugins(bench).run("one", big)).result == {}


async def test_a_plugin_that_cannot_be_executed(bench: Bench) -> None:
    (bench.plugin_dir / "one").write_bytes(b"\x7fELF nonsense")
    (bench.plugin_dir / "one").chmod(0o755)
    outcome = await plugins(bench).run("one", ADD)
    assert outcome.error is not None
    assert "cannot be executed: Exec format error" in str(outcome.error)


async def test_directories_are_searched_in_order(bench: Bench, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
        (directory / "one").touch(mode=0o755)
    (first / "one").chmod(0o644)  # not executable
    assert Plugins([first, second], 1).find("one") == second / "one"
    assert Plugins([first], 1).find("one") is None


async def test_an_updated_plugin_is_asked_for_its_versions_again(bench: Bench) -> None:
    bench.plugin("one", VERSION=[{"supported": ["0.4.0"]}])
    runner = plugins(bench)
    assert await runner.versions("one") == ("0.4.0",)
    (bench.plugin_dir / "one").unlink()
    bench.plugin("one", VERSION=[{"supported": ["1.0.0"]}])
    assert await runner.versions("one") == ("1.0.0",)


def test_an_error_on_stdout_is_read() -> None:
    printed = b'{"cniVersion": "1.0.0", "code": 11, "msg": "later", "details": "a lock"}'
    error = read_outcome(1, printed, b"").error
    assert error is not None
    assert (error.code, str(error)) == (11, "later (code 11): a lock")


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "said"),
    [
        (1, b"", b"panic: nil", "exited with status 1: panic: nil"),
        (2, b"usage", b"", "exited with status 2: usage"),
        (-15, b"", b"", "killed by SIGTERM"),
        (1, b'{"code": "x", "msg": "m"}', b"", "m"),
        (1, b'{"other": 1}', b"", 'exited with status 1: {"other": 1}'),
        (0, b"[]", b"", "printed something else than a JSON object: another JSON value: []"),
    ],
)
def test_what_else_is_said(status: int, stdout: bytes, stderr: bytes, said: str) -> None:
    assert str(read_outcome(status, stdout, stderr).error) == said
