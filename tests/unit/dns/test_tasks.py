"""Which tasks have names: from states and events, across masters that have forgotten and agents that come back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.dns.names import Zones
from executor.dns.tasks import SETTLE_S, Entry, Key, Tasks, note, parse_note
from executor.errors import MesosFailure
from executor.mesos.operator import messages
from executor.mesos.operator.messages import Event, State
from tests.unit.dns.samples import FRAMEWORK, added, agent_added, event, state, state_json, status, task, updated, value

HOLD_S = 90.0


def make(*items: State | Event, here: frozenset[str] = frozenset()) -> Tasks:
    tasks = Tasks(Zones(), here.__contains__, hold_s=HOLD_S)
    for item in items:
        take(tasks, item)
    return tasks


def take(tasks: Tasks, item: State | Event, now_s: float = 0.0) -> None:
    if isinstance(item, State):
        tasks.take_state(item, now_s)
    else:
        tasks.take_event(item, now_s)
    tasks.expire(now_s)


def names(tasks: Tasks) -> dict[str, set[str]]:
    """By address, without those that are one task's alone."""
    found: dict[str, set[str]] = {}
    for entry in tasks.living.values():
        for ip, name in entry.pairs:
            if name.count("-") == 0:
                found.setdefault(ip, set()).add(name)
    return found


@pytest.mark.parametrize("agents", [("a-S0",), None], ids=["master", "agent"])
def test_a_state_names_the_tasks_that_run(agents: tuple[str, ...] | None) -> None:
    tasks = make(state(task("web", "10.0.0.2", "fd00::2"), task("new", state="TASK_STAGING"), agents=agents))
    assert names(tasks) == {"10.0.0.2": {"web.fw.mesos"}, "fd00::2": {"web.fw.mesos"}}
    assert set(tasks.living) == {Key(FRAMEWORK, "web"), Key(FRAMEWORK, "new")}


def test_a_task_is_named_from_running_to_its_end() -> None:
    tasks = make(state(), added(task("web", state="TASK_STAGING")))
    steps = [
        (status("web", "10.0.0.2", state="TASK_STARTING"), {}),
        (status("web", "10.0.0.2"), {"10.0.0.2": {"web.fw.mesos"}}),
        (status("web", "10.0.0.3"), {"10.0.0.3": {"web.fw.mesos"}}),
        (status("web"), {"10.0.0.3": {"web.fw.mesos"}}),
        (status("web", state="TASK_KILLING"), {"10.0.0.3": {"web.fw.mesos"}}),
        (status("web", state="TASK_KILLED"), {}),
    ]
    for told, expected in steps:
        take(tasks, updated(told))
        assert names(tasks) == expected
    assert tasks.living == {}


def test_an_update_that_was_overtaken_by_the_end_is_the_end() -> None:
    """`state` is the latest that the agent knows; the status is the one that is being forwarded."""
    tasks = make(state(task("web", "10.0.0.2")), updated(status("web", "10.0.0.2"), latest="TASK_FAILED"))
    assert tasks.living == {}


def test_the_latest_running_status_counts() -> None:
    moved = task("web", "10.0.0.2")
    moved["statuses"] = [status("web", "10.0.0.9", at_s=3.0), status("web", "10.0.0.2", at_s=1.0)]
    assert names(make(state(moved))) == {"10.0.0.9": {"web.fw.mesos"}}


def test_a_discovery_name_replaces_the_task_s() -> None:
    found = task("web.1234", "10.0.0.2") | {"discovery": {"visibility": "CLUSTER", "name": "shop"}}
    assert names(make(state(found))) == {"10.0.0.2": {"shop.fw.mesos"}}


def test_a_framework_that_comes_later_names_its_tasks() -> None:
    framework = {"framework": {"framework_info": {"id": value("f-2"), "name": "Spark"}}}
    tasks = make(state(), event("FRAMEWORK_ADDED", framework), added(task("x", "10.0.0.2", framework="f-2")))
    assert names(tasks) == {"10.0.0.2": {"x.spark.mesos"}}


def test_pods_of_other_nodes_have_their_cluster_names() -> None:
    """The executor of the other node tells them in its status' labels."""
    labels = {"dns_names": "web.prod.svc.cluster.local web.mesos", "dns_namespace": "prod"}
    remote = task("web", "10.0.0.2", container="over-there", **labels)
    tasks = make(state(remote), here=frozenset({"right-here"}))
    (entry,) = tasks.living.values()
    assert {name for _, name in entry.pairs} >= {
        "web.prod.svc.cluster.local",
        "10-0-0-2.prod.pod.cluster.local",
        "web.fw.mesos",
    }
    assert ("10.0.0.2", "web.mesos") not in entry.pairs


def test_pods_of_this_node_are_left_to_their_executor() -> None:
    labels = {"dns_names": "web.prod.svc.cluster.local", "dns_namespace": "prod"}
    ours = [
        task("pod", "10.0.0.2", container="right-here", **labels),
        task("plain", "10.0.0.3", container="right-here"),
    ]
    tasks = make(state(*ours), here=frozenset({"right-here"}))
    assert names(tasks) == {"10.0.0.3": {"plain.fw.mesos"}}, "without labels the executor does not publish"


def test_a_task_that_a_settled_source_does_not_know_is_gone() -> None:
    for agents in (("a-S0",), None):
        tasks = make(state(task("web", "10.0.0.2"), agents=agents), state(agents=agents))
        assert tasks.living == {}


def test_a_new_master_does_not_make_names_vanish() -> None:
    tasks = make(state(task("web", "10.0.0.2"), task("ended", "10.0.0.3")))
    take(tasks, state(agents=()), 10.0)
    assert set(names(tasks)) == {"10.0.0.2", "10.0.0.3"}
    take(tasks, state(agents=()), 50.0)
    take(tasks, agent_added("a-S0"), 60.0)
    take(tasks, added(task("web", "10.0.0.2")), 60.0)
    take(tasks, event("HEARTBEAT"), 60.0)
    assert set(names(tasks)) == {"10.0.0.2", "10.0.0.3"}
    take(tasks, event("HEARTBEAT"), 60.0 + SETTLE_S)
    assert set(names(tasks)) == {"10.0.0.2"}, "its agent is back and did not tell of the other one"
    take(tasks, event("HEARTBEAT"), 1000.0)
    assert set(names(tasks)) == {"10.0.0.2"}


def test_names_of_an_agent_that_stays_away_are_held_no_longer_than_told() -> None:
    tasks = make(state(task("web", "10.0.0.2")))
    take(tasks, state(agents=()), 10.0)
    take(tasks, state(agents=()), 10.0 + HOLD_S - 1)
    assert names(tasks)
    take(tasks, event("HEARTBEAT"), 10.0 + HOLD_S)
    assert tasks.living == {}


def test_a_task_that_is_unreachable_is_not_held() -> None:
    tasks = make(state(task("web", "10.0.0.2")))
    take(tasks, state(agents=(), lost=(task("web", "10.0.0.2", state="TASK_UNREACHABLE"),)))
    assert tasks.living == {}
    tasks = make(state(task("web", "10.0.0.2")), updated(status("web", state="TASK_UNREACHABLE")))
    assert tasks.living == {}


def test_what_an_earlier_process_published_is_held_until_the_source_says() -> None:
    key = Key(FRAMEWORK, "web")
    for agents, expected in (((), 1), (("a-S0",), 0), (None, 0)):
        tasks = make()
        tasks.adopt([(key, Entry("web", "a-S0", (("10.0.0.2", "web.fw.mesos"),)))], 0.0)
        take(tasks, state(agents=agents))
        assert len(tasks.living) == expected


def test_an_update_of_an_unknown_task_is_not_a_task() -> None:
    assert make(state(), updated(status("web", "10.0.0.2"))).living == {}


@given(st.text(), st.text(), st.text(), st.text())
def test_a_note_says_whose_file_it_is(framework: str, task_id: str, name: str, agent: str) -> None:
    text = note(Key(framework, task_id), Entry(name, agent))
    assert "\n" not in text
    assert parse_note(text) == (Key(framework, task_id), Entry(name, agent))


@given(st.text())
def test_a_foreign_note_is_nobody_s(text: str) -> None:
    assert parse_note(text) is None or text.startswith("{")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"type": 1}', b'{"get_state": []}', b"\xff", b"[" * 100_000])
def test_garbage_is_a_failure(data: bytes) -> None:
    with pytest.raises(MesosFailure):
        messages.state(data)


def test_what_is_kept_is_what_lives() -> None:
    tasks = make(state())
    for number in range(1000):
        take(tasks, added(task(f"t{number}", state="TASK_STAGING")))
        take(tasks, updated(status(f"t{number}", "10.0.0.2")))
        take(tasks, updated(status(f"t{number}", state="TASK_FINISHED")))
    assert tasks.living == {}
    assert tasks._held == {}


def test_a_text_that_is_no_utf_8_hides_nobody() -> None:
    """A framework's bytes go through protobuf 2, the master and its JSON unchecked."""
    document = json.dumps({"get_state": state_json(task("web", "10.0.0.2"), task("b\xff", "10.0.0.3"))})
    data = document.replace("\\u00ff", "\xff").encode("latin-1")
    assert b"\xff" in data
    assert set(names(make(messages.state(data)))) == {"10.0.0.2", "10.0.0.3"}
