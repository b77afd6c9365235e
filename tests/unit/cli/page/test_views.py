"""Which executors share a section of the node's page."""

from __future__ import annotations

from typing import Any

from executor.cli.page.node import node
from executor.cli.page.views import views
from tests.support.control_node import pod


def executor(name: str, *classes: str, framework: str = "f-1", **keys: Any) -> dict[str, Any]:
    """With a pod of each of these classes."""
    about = {
        "executor": name, "framework": framework, "mesos_container": f"c-{name}", "subscribed": True,
        "unacknowledged": 1, "pods": {each: classes.count(each) for each in ("regular", "revocable")},
    }  # fmt: skip
    pods = [pod(f"pod-{name}-{each}", f"{each}-of-{name}", **{"class": each}) for each in classes]
    return {"executor": about, "pods": pods, "ended": [], "revocations": [], "events": [], **keys}


def rows(*executors: dict[str, Any]) -> list[dict[str, Any]]:
    """Each executor has a row for both classes, as GET /v1/usage answers."""
    return [
        {
            "container": each["executor"]["mesos_container"], "class": kind, "pods": each["executor"]["pods"][kind],
            "cpus": 0.5, "cpus_used": 0.25, "mem_bytes": 1 << 20, "memory_bytes": 1 << 10, "pressure": {},
        }
        for each in executors
        for kind in ("regular", "revocable")
    ]  # fmt: skip


def sections(*executors: dict[str, Any]) -> list[tuple[list[str], list[tuple[str, str]]]]:
    """The executors of each view, and its classes with the container that has them."""
    return [
        ([each["executor"] for each in view.executors], [(row["class"], row["container"]) for row in view.classes])
        for view in views(executors, rows(*executors))
    ]


def test_a_pair_is_one_section_with_each_class_once() -> None:
    both = [("regular", "c-a"), ("revocable", "c-b")]
    assert sections(executor("a", "regular", "regular"), executor("b", "revocable")) == [(["a", "b"], both)]
    assert sections(executor("a", "regular"), executor("b")) == [(["a", "b"], both)], "the revocable half is idle"
    assert sections(executor("a"), executor("b", "revocable")) == [(["a", "b"], both)], "the regular half is idle"
    turned = [("regular", "c-b"), ("revocable", "c-a")]
    assert sections(executor("a", "revocable"), executor("b", "regular")) == [(["b", "a"], turned)]


def test_what_is_no_pair_stays_apart() -> None:
    for group in (
        [executor("a", "regular"), executor("b", "revocable", framework="f-2")],
        [executor("a", "regular", "revocable"), executor("b", "revocable")],
        [executor("a", "regular", "revocable"), executor("b")],
        [executor("a", "regular"), executor("b", "regular")],
        [executor("a", "regular"), executor("b", "revocable"), executor("c", "regular")],
        [executor("a", "regular"), executor("b", ended=[pod("pod-9", "old")], framework="f-1")],
    ):
        found = sections(*group)
        assert [names for names, _ in found] == [[each["executor"]["executor"]] for each in group]
        assert all([kind for kind, _ in classes] == ["regular", "revocable"] for _, classes in found)


def test_the_events_and_revocations_of_a_pair_are_in_the_order_of_time() -> None:
    def begun(second: int, revocation: str) -> dict[str, Any]:
        return {"time": f"2026-01-01T00:00:0{second}.000Z", "code": "revocation.started", "revocation": revocation}

    first = executor(
        "a", "regular", events=[begun(1, "r-1"), begun(4, "r-4")], revocations=[{"id": "r-1"}, {"id": "r-4"}]
    )
    second = executor("b", "revocable", events=[begun(2, "r-2")], revocations=[{"id": "r-2"}])
    (view,) = views([first, second], [])
    assert [each["id"] for each in view.revocations] == ["r-1", "r-2", "r-4"]
    assert [each["revocation"] for each in view.events] == ["r-1", "r-2", "r-4"]


def test_a_cut_network_stands_beside_the_state() -> None:
    cut = executor("a", "regular")
    cut["pods"][0]["network_faults"] = ["eth0 is down"]
    text = node("node7", "now", [cut], {"classes": rows(cut), "pods": []})
    assert '<span class="badge bad">running</span><div class="soft">network: eth0 is down</div>' in text
    assert 'class="problems"' in text and "is not as it was made: eth0 is down" in text


def test_the_page_of_a_pair_names_both_executors_once() -> None:
    pair = [executor("pods-regular", "regular"), executor("pods-revocable", "revocable")]
    text = node("node7", "now", pair, {"classes": rows(*pair), "pods": []})
    assert text.count("<h1>pods-regular</h1>") == text.count("<h1>pods-revocable</h1>") == 1
    assert text.count("framework f-1") == text.count("Pods by class and role") == 1
    assert text.count("regular: 1 pod<") == text.count("revocable: 1 pod<") == 1 and ": 0 pods<" not in text
    assert "<b>2</b><span>unacknowledged updates" in text
