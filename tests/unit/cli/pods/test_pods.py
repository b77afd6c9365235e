"""`ps`, `inspect` and `logs` against executors on real sockets."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from executor.cli.exits import Exit
from executor.cli.pods.logfile import LogFile, Part
from executor.cli.printing import terminal, units
from executor.output.logfile import LogFile as Written
from executor.own_directory import OwnDirectory
from tests.support.control_node import Node, container, hanging_executor, pod
from tests.unit.cli.conftest import Run
from tests.unit.cli.on_terminal import on_terminal


def test_ps_lists_the_pods_of_every_executor(node: Node, run: Run) -> None:
    node.executor("aaa", pod("pod-1", "web", containers=[container("a"), container("b", state="exited", restarts=2)]))
    node.executor("bbb", pod("pod-2", "batch", executor="e-2", ips=[], **{"class": "revocable", "role": "eng/dev"}))
    ran = run("ps")
    assert (ran.code, ran.err) == (Exit.OK, "")
    header, first, second = ran.out.splitlines()
    assert header.split() == [
        "POD",
        "NAME",
        "CLASS",
        "ROLE",
        "STATE",
        "READY",
        "RESTARTS",
        "AGE",
        "TASK",
        "REASON",
        "IPS",
        "EXECUTOR",
    ]
    assert " ".join(first.split()) == "pod-1 default/web regular eng running 1/2 2 1h2m task-web - 10.0.0.2/24 e-1"
    assert " ".join(second.split()) == "pod-2 default/batch revocable eng/dev running 1/1 0 1h2m task-batch - - e-2"
    assert header.index("NAME") == first.index("default/web")


def test_ps_filters(node: Node, run: Run) -> None:
    revocable = pod("pod-2", "b", **{"class": "revocable", "role": "eng/dev"})
    node.executor("a", pod("pod-1", "web"), revocable, pod("pod-3", "c", role="english"))
    assert [each["pod"] for each in run("ps", "--json", "--class", "revocable").json["pods"]] == ["pod-2"]
    assert {each["pod"] for each in run("ps", "--json", "--role", "eng").json["pods"]} == {"pod-1", "pod-2"}


def test_ps_takes_one_executor_by_a_prefix(node: Node, run: Run) -> None:
    node.executor("aaa", pod("pod-1", "web"))
    node.executor("bbb", pod("pod-2", "batch"))
    assert [each["pod"] for each in run("--executor", "bb", "ps", "--json").json["pods"]] == ["pod-2"]
    ran = run("--executor", "c", "ps")
    assert ran.code == Exit.NOT_FOUND
    assert "no such executor" in ran.err


def test_an_executor_is_also_known_by_what_ps_calls_it(node: Node, run: Run) -> None:
    node.executor("aaa", pod("pod-1", "web"), executor_id="mixed")
    node.executor("bbb", pod("pod-2", "batch"), executor_id="other")
    node.dead_executor("dead")
    assert [each["pod"] for each in run("--executor", "mixed", "ps", "--json").json["pods"]] == ["pod-1"]
    assert [each["pod"] for each in run("--executor", "mix", "ps", "--json").json["pods"]] == ["pod-1"]
    assert run("--executor", "ixed", "ps").code == Exit.NOT_FOUND


def test_ps_of_a_node_without_executors_is_empty(run: Run) -> None:
    assert run("ps", "--json").json == {"pods": []}
    ran = run("ps")
    assert ran.code == Exit.OK and "no executor runs on this node (`ps --all` shows pods that ended)" in ran.err
    assert "`ps --all`" not in run("ps", "--all").err


def test_a_dead_executor_is_named_and_the_others_are_shown(node: Node, run: Run) -> None:
    node.dead_executor("dead")
    assert run("ps").code == Exit.OK
    node.executor("live", pod("pod-1", "web"))
    ran = run("ps", "--json")
    assert [each["pod"] for each in ran.json["pods"]] == ["pod-1"]
    assert "executor dead is dead" in ran.err


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{", b"rubbish\r\n\r\n"])
def test_an_executor_that_answers_rubbish_is_unreachable(node: Node, run: Run, answer: bytes) -> None:
    with hanging_executor(node.run_dir, "odd", answer):
        ran = run("ps")
        assert ran.code == Exit.UNREACHABLE
        assert ran.err.startswith("mesos-pod-executor: executor odd: does not answer")
        assert ran.err.count("\n") == 1
        node.executor("live", pod("pod-1", "web"))
        ran = run("ps", "--json")
        assert (ran.code, len(ran.json["pods"])) == (Exit.OK, 1)


def test_names_cannot_steer_the_terminal(node: Node, run: Run) -> None:
    node.executor("a", pod("pod-1", "x\x1b[2J\ny[bold]"))
    out = run("ps").out
    assert "\x1b" not in out
    assert "[2J\ufffdy[bold]" in out


def test_a_terminal_gets_the_columns_that_it_has_room_for(node: Node) -> None:
    node.executor("a", pod("pod-1", "web[red]", role="a/" * 30))
    wide = on_terminal(node, 200, "ps", TERM="dumb")
    assert "a/" * 30 in wide and "web[red]" in wide and "EXECUTOR" in wide and "no room" not in wide
    narrow = on_terminal(node, 60, "ps", TERM="dumb")
    assert "  web[red]  " in narrow and "running" in narrow and "a/a/" not in narrow
    assert all(len(line) <= 60 for line in narrow.splitlines())
    assert "no room for: role" in narrow.replace("\r\n", " ")
    assert "  web[red]  " in on_terminal(node, 10, "ps", TERM="dumb"), "what cannot be spared is whole"
    assert "\x1b[32mrunning" in on_terminal(node, 200, "ps")


def test_what_a_narrow_terminal_is_spared() -> None:
    cells = [["pod-1", "web", "x" * 30], ["pod-2", "a longer name", "y"]]
    columns = ("pod", "name", "ips")
    assert terminal.fitting(columns, cells, ("ips",), 52) == [0, 1, 2]
    assert terminal.fitting(columns, cells, ("ips",), 51) == [0, 1]
    assert terminal.fitting(columns, cells, (), 10) == [0, 1, 2]
    assert terminal.fitting(columns, [], ("name", "pod"), 1) == [2]


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (700_000, "684 KiB"), (1 << 20, "1 MiB"), (1_700_000, "1.6 MiB"),
        (32 << 20, "32 MiB"), (1 << 30, "1 GiB"), (15 << 29, "7.5 GiB"), (16384 << 20, "16 GiB"),
    ],
)  # fmt: skip
def test_sizes(size_bytes: int, text: str) -> None:
    assert units.size(size_bytes) == text


def test_ended_pods_are_shown_with_what_mesos_was_told(node: Node, run: Run) -> None:
    outcome = {"state": "TASK_GONE", "reason": "REASON_CONTAINER_PREEMPTED", "message": "revoked"}
    executor = node.executor("a", pod("pod-1", "web"))
    executor.ended = [pod("pod-2", "batch", state="ended", outcome=outcome)]
    assert [each["pod"] for each in run("ps", "--json").json["pods"]] == ["pod-1"]
    assert "TASK_GONE CONTAINER_PREEMPTED" in run("ps", "--all").out


@pytest.mark.parametrize("name", ["pod-1", "pod", "task-web", "web"])
def test_inspect_finds_a_pod_by_what_people_know_of_it(node: Node, run: Run, name: str) -> None:
    node.executor("aaa", pod("pod-1", "web"))
    node.executor("bbb")
    assert run("inspect", name, "--json").json["pod"] == "pod-1"
    ran = run("inspect", name)
    assert "cgroup      /x/pods/regular/eng/pod-1" in ran.out
    assert ["CONTAINER", "STATE"] in [line.split()[:2] for line in ran.out.splitlines()]


def test_names_with_slashes_reach_the_executor_whole(node: Node, run: Run) -> None:
    node.executor("a", pod("pod-1", "a/b c?d#%"))
    assert run("inspect", "a/b c?d#%", "--json").json["pod"] == "pod-1"


def test_a_pod_that_is_missing_or_not_unique(node: Node, run: Run) -> None:
    node.executor("aaa", pod("pod-1", "web"))
    node.executor("bbb", pod("pod-2", "web"))
    ran = run("inspect", "none")
    assert ran.code == Exit.NOT_FOUND
    assert ran.err.startswith("mesos-pod-executor: none: no such pod on this node (see mesos-pod-executor ps --all; ")
    ran = run("inspect", "web")
    assert ran.code == Exit.USAGE
    assert "pod-1 of executor aaa, pod-2 of executor bbb" in ran.err


def with_logs(directory: Path, name: str, out: bytes, err: bytes = b"") -> dict[str, object]:
    paths = {"stdout": directory / f"{name}.out", "stderr": directory / f"{name}.err"}
    paths["stdout"].write_bytes(out)
    paths["stderr"].write_bytes(err)
    return container(name, log={key: str(path) for key, path in paths.items()})


def test_logs_prints_both_streams_where_they_belong(node: Node, run: Run, tmp_path: Path) -> None:
    node.executor("a", pod("pod-1", "web", containers=[with_logs(tmp_path, "main", b"one\ntwo\nthree", b"bad\xff\n")]))
    assert run("logs", "web")[:2] == (0, "one\ntwo\nthree")
    assert run("logs", "web", "--stream", "stdout").err == ""
    lines = [json.loads(line)["line"] for line in run("logs", "web", "--json").out.splitlines()]
    assert lines == ["one", "two", "three", "bad\ufffd"]


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        (b"1\n2\n3\n", 2, b"2\n3\n"),
        (b"1\n2\n3", 2, b"2\n3"),
        (b"1\n2\n", 5, b"1\n2\n"),
        (b"1\n2\n", 0, b""),
        (b"", 3, b""),
        (b"\n\n\n", 1, b"\n"),
        (b"x" * 200000 + b"\nlast\n", 1, b"last\n"),
        (b"x\n" * 100000, 70000, b"x\n" * 70000),
        (b"a" * 65535 + b"\n" + b"b" * 65536, 1, b"b" * 65536),
    ],
)
def test_the_last_lines(tmp_path: Path, text: bytes, lines: int, expected: bytes) -> None:
    (tmp_path / "log").write_bytes(text)
    with closing(LogFile("stdout", tmp_path / "log")) as file:
        assert b"".join(file.begin(Part(lines))) == expected


def test_logs_wants_to_know_which_container(node: Node, run: Run, tmp_path: Path) -> None:
    containers = [with_logs(tmp_path, "a", b"from a\n"), with_logs(tmp_path, "b", b"from b\n")]
    node.executor("x", pod("pod-1", "web", containers=containers))
    assert run("logs", "web").code == Exit.USAGE
    assert "a, b" in run("logs", "web").err
    assert run("logs", "web", "b").out == "from b\n"
    assert run("logs", "web", "c").code == Exit.NOT_FOUND


def test_logs_follows_through_a_rotation_to_the_end(node: Node, run: Run, tmp_path: Path) -> None:
    main = with_logs(tmp_path, "main", b"before\n")
    executor = node.executor("a", pod("pod-1", "web", containers=[main]))
    file = tmp_path / "main.out"

    def write() -> None:
        with file.open("ab") as stream:
            stream.write(b"more\n")
        time.sleep(0.5)
        file.rename(tmp_path / "main.out.1")
        file.write_bytes(b"rotated\n")
        time.sleep(0.3)
        executor.pods = []

    writer = threading.Thread(target=write)
    writer.start()
    ran = run("logs", "web", "-f")
    writer.join()
    assert (ran.code, ran.out) == (0, "before\nmore\nrotated\n")


def test_every_line_with_its_container_and_time(node: Node, run: Run, tmp_path: Path) -> None:
    containers = [with_logs(tmp_path, "a", b"one\ntwo"), with_logs(tmp_path, "b", b"x\n", b"bad\n")]
    node.executor("x", pod("pod-1", "web", containers=containers))
    with closing(Written(OwnDirectory.at(str(tmp_path)), "b.out", 0, 0)) as written:
        written.append(bytearray(b"y\n"), 2)
    ran = run("logs", "web", "--all-containers")
    assert (ran.out, ran.err) == ("[a] one\n[a] two\n[b] x\n[b] y\n", "[b] bad\n")
    first, second = run("logs", "task-web", "-c", "b", "-t", "--stream", "stdout").out.splitlines()
    assert first.split() == ["-", "x"] and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ y", second)
    assert run("logs", "web", "-c", "b", "--since", "1h", "--tail", "1").out == "y\n"


@pytest.mark.parametrize(
    "line",
    [["--since", "5"], ["--since", "yesterday"], ["--until", "2024-13-01"], ["-f", "-p"], ["-f", "--until", "1m"],
     ["a", "-c", "b"], ["a", "--all-containers"]],
)  # fmt: skip
def test_parts_that_cannot_be_meant(node: Node, run: Run, line: list[str]) -> None:
    ran = run("logs", "web", *line)
    assert ran.code == Exit.USAGE and ran.err.count("\n") == 1


def test_the_main_container_is_meant_where_the_others_are_of_init_and_sidecars(
    node: Node, run: Run, tmp_path: Path
) -> None:
    """As kubectl does it; which one it is stands on stderr."""
    (tmp_path / "report.stdout").write_text("done\n")
    logs = {"stdout": str(tmp_path / "report.stdout"), "stderr": str(tmp_path / "report.stderr")}
    beside = [container("fetch", kind="init"), container("ship", kind="sidecar"), container("report", log=logs)]
    node.executor("aaa", pod("pod-1", "nightly", containers=beside))
    ran = run("logs", "nightly")
    assert (ran.code, ran.out) == (Exit.OK, "done\n")
    assert ran.err == "mesos-pod-executor: container report, of: fetch, ship, report\n"
