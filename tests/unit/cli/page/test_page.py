"""The pages as documents: nothing that a framework names becomes markup; the picture tells what the receipt does."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from executor.cli.history.processes import Process
from executor.cli.history.verdict import Verdict
from executor.cli.page import chart
from executor.cli.page.collect import related
from executor.cli.page.markup import Markup, table, tag
from executor.cli.page.node import node
from executor.cli.page.past import SAMPLE_S, Past
from executor.cli.page.pod import Evidence
from executor.cli.page.pod import pod as pod_page
from executor.cli.page.revocation import report
from executor.cli.page.style import size
from executor.cli.page.timeline import duration, timeline
from executor.cli.pods.tail import Tail
from executor.cli.printing.units import count
from tests.support.control_node import container, pod

EVIL = "<script>alert('x')</script>\"&\x1b"
STEPS = (("proof", 4.0), ("notice", 4.5), ("terminate", 6.0), ("kill", 2000.0), ("dead", 2100.0))


def victim(number: int, outcome: str = "killed", ms: float = 2050.0, task: str = "") -> dict[str, Any]:
    return {
        "pod": f"pod-{number:012x}",
        "tasks": [task or f"task-{number}"],
        "outcome": outcome,
        "notified": True,
        "ms": ms,
        "cpus": 0.5,
        "used_cpus": 0.25,
        "mem_bytes": 3 << 20,
    }


def receipt(*victims: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "id": "r-1",
        "reason": "night",
        "state": "done",
        "victims": list(victims),
        "freed": {"cpus": 1.0, "used_cpus": 0.5, "mem_bytes": 6 << 20},
        "time_to_free_ms": 2050.0,
        "steps": [{"step": step, "ms": ms, "took_ms": 1.0, "effect": "something"} for step, ms in STEPS],
        "regular": {"pods": 2, "processes": 5, "unchanged": True, "changed": [], "ended_meanwhile": []},
        **keys,
    }


def svg(document: dict[str, Any]) -> ET.Element:
    return ET.fromstring(timeline(document))


def attributes(element: ET.Element, name: str, attribute: str) -> list[float]:
    return [float(each.attrib[attribute]) for each in element.iter(name)]


def test_text_is_escaped_and_markup_is_not() -> None:
    made = tag("p", EVIL, tag("b", 1), [None, "a"], class_="x", title=EVIL, hidden=None)
    assert made.startswith('<p class="x" title="&lt;script&gt;')
    assert "<script" not in made and "\x1b" not in made
    assert made.endswith("\ufffd<b>1</b>a</p>")
    assert tag("p", Markup("<i>")) == "<p><i></p>"
    assert "none" in table(("a",), [])


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0.0, "0 ms"),
        (12.34, "12.3 ms"),
        (999.0, "999 ms"),
        (2500.0, "2.5 s"),
        (119_000.0, "119 s"),
        (250_000, "4 min 10 s"),
    ],
)
def test_durations(ms: float, text: str) -> None:
    assert duration(ms) == text


def test_sizes_and_counts() -> None:
    assert [size(each << 20) for each in (0, 3, 300, 20_480)] == ["0 MiB", "3.0 MiB", "300 MiB", "20.0 GiB"]
    assert [count(number, "pod") for number in (0, 1, 2)] == ["0 pods", "1 pod", "2 pods"]


def test_a_bar_ends_when_its_victim_did() -> None:
    picture = svg(receipt(victim(1, "exited", 500.0), victim(2, "killed", 2000.0)))
    first, second, regular = attributes(picture, "rect", "width")
    assert second == pytest.approx(4 * first, abs=0.2)
    assert regular > second
    texts = [each.text for each in picture.iter("text")]
    assert {"task-1", "task-2", "exited 500 ms", "killed 2 s", "2 regular pods", "unchanged"} <= set(texts)


def test_steps_that_are_close_do_not_touch() -> None:
    picture = svg(receipt(victim(1)))
    marks = [each.attrib for each in picture.iter("circle") if each.attrib["r"] == "9"]
    assert len(marks) == len(STEPS)
    for index, one in enumerate(marks):
        for other in marks[index + 1 :]:
            far = abs(float(one["cx"]) - float(other["cx"])) >= 18 or abs(float(one["cy"]) - float(other["cy"])) >= 18
            assert far, (one, other)


@pytest.mark.parametrize("number", [1, 31, 81, 500])
def test_many_victims_stay_in_the_picture(number: int) -> None:
    picture = svg(receipt(*(victim(each, ms=10.0 + each) for each in range(number))))
    _, _, _, height = map(float, picture.attrib["viewBox"].split())
    assert height < 1400
    assert len(list(picture.iter("rect"))) == number + 1
    assert max(attributes(picture, "rect", "y")) < height
    assert ("task-0" in [each.text for each in picture.iter("text")]) == (number <= 80)


def test_a_victim_that_lives_reaches_the_edge() -> None:
    picture = svg(receipt(victim(1, "exited", 100.0), victim(2, "stuck", 3000.0)))
    texts = {each.text: each.attrib for each in picture.iter("text")}
    assert "stuck" in texts
    ends = [
        float(x) + float(w)
        for x, w in zip(attributes(picture, "rect", "x"), attributes(picture, "rect", "width"), strict=True)
    ]
    assert ends[1] == max(ends[:2]) and ends[1] == pytest.approx(990, abs=1)


def test_a_report_in_full() -> None:
    event = {
        "seq": 1,
        "time": "2026-01-01T10:20:30.456Z",
        "level": "info",
        "code": "revocation.started",
        "message": "m",
    }
    text = report(receipt(victim(1)), [event], "node7")
    for words in (
        "Revocation r-1",
        "node7 \u00b7 2026-01-01T10:20:30.456Z \u00b7 night",
        "2 pods with 5 processes",
        "10:20:30.456",
    ):
        assert words in text
    assert_self_contained(text)


def test_a_changed_regular_pod_cannot_be_overlooked() -> None:
    changed = {"pods": 2, "processes": 5, "unchanged": False, "changed": ["pod-9 lost 77"], "ended_meanwhile": [88]}
    text = report(receipt(victim(1), regular=changed), [], "node7")
    assert text.count("CHANGED") == 3 and "pod-9 lost 77" in text and "88" in text


def test_a_refusal_has_its_error_and_no_picture() -> None:
    refused = receipt(state="refused", error="task web is regular", steps=[])
    del refused["regular"]
    text = report(refused, [], "node7")
    assert "task web is regular" in text and "<svg" not in text and "not compared" in text


def test_nothing_that_others_named_becomes_markup() -> None:
    event = {"time": "2026-01-01T10:20:30.456Z", "level": "error", "code": EVIL, "message": EVIL, EVIL: [EVIL]}
    bad = receipt(victim(1, task=EVIL), reason=EVIL, error=EVIL)
    assert_self_contained(report(bad, [event], EVIL))
    named = {
        "pod": "pod-1", "name": EVIL, "namespace": EVIL, "class": "regular", "role": EVIL, "state": "running",
        "tasks": [EVIL],
        "containers": [{"state": "running", "restarts": 0}], "ips": [EVIL], "age_s": 5.0,
    }  # fmt: skip
    about = {
        "executor": EVIL, "framework": EVIL, "mesos_container": "c", "subscribed": True, "unacknowledged": 0,
        "pods": {"regular": 1, "revocable": 0},
    }  # fmt: skip
    facts = {"executor": about, "pods": [named], "ended": [ended(EVIL)], "revocations": [bad], "events": [event]}
    refused = {**event, "code": "revocation.refused", "error": EVIL, "revocation": EVIL}
    started = {**event, "code": "revocation.started", "actor": EVIL, "revocation": "r-1"}
    stuck = {**named, "stuck_pids": [7]}
    facts |= {"pods": [named, stuck], "events": [event, refused, started]}
    text = node(EVIL, "now", [facts], {"classes": [], "pods": []}, [EVIL])
    assert_self_contained(text)
    summary = text[text.index("<summary>") : text.index("</summary>")]
    assert summary.count("&lt;script&gt;") >= 3, "the reason, the actor and why it was refused"
    assert 'class="problems"' in text and "survives SIGKILL: pid 7" in text
    verdict = Verdict(EVIL, EVIL, EVIL, EVIL)
    whole = pod("pod-1", EVIL, role=EVIL, containers=[container(EVIL, message=EVIL, image=EVIL)])
    evidence = Evidence([Tail(EVIL, "stderr", (EVIL,))], [Process(1, EVIL, "D", EVIL, EVIL)])
    assert_self_contained(pod_page(whole, verdict, evidence, [event], EVIL))


def ended(name: str) -> dict[str, Any]:
    outcome = {"state": "TASK_FAILED", "reason": None, "message": name}
    return pod("pod-2", name, state="ended", outcome=outcome, ended_age_s=61.0)


def usage(at: int) -> dict[str, Any]:
    """The usage of two executors: their sums are drawn."""
    waits = {"cpu": {"some": {"avg10": 5.0}}, "memory": None}
    row = {"cpus_used": 1.5 + at, "cpus": 4.0, "memory_bytes": 1 << 20, "pressure": waits}
    return {"classes": [{**row, "class": "regular"}, {**row, "class": "regular"}, {**row, "class": "revocable"}]}


def test_the_last_hour_is_drawn_within_its_bounds() -> None:
    past = Past()
    assert "begin now" in past.charts(0.0)
    for number in range(1000):
        past.add(number * SAMPLE_S, usage(number % 7))
    assert len(past.samples) == 360, "an hour"
    assert past.samples[-1].used == {"regular": 2 * (1.5 + 999 % 7), "revocable": 1.5 + 999 % 7}
    assert past.samples[-1].wait_percent == {"regular": 5.0, "revocable": 5.0}
    drawn = ET.fromstring(f"<x>{past.charts(999 * SAMPLE_S)}</x>")
    paths = [each.attrib["d"] for each in drawn.iter("path")]
    assert len(paths) == 8
    for path in paths:
        places = [tuple(map(float, each.split())) for each in re.split("[ML]", path)[1:]]
        assert len(places) == 360
        assert all(0 <= x <= chart.WIDTH and 0 <= y <= chart.HEIGHT + 10 for x, y in places)


def test_a_pod_has_its_verdict_and_its_last_lines() -> None:
    verdict = Verdict("running", "crashes", "the container itself", "read the log")
    evidence = Evidence(
        [Tail("main", "stderr", ("FATAL", "no database"))], [Process(7, "cat", "D", "nfs_wait", "/data")]
    )
    text = pod_page(pod("pod-1", "web"), verdict, evidence, [], "node7")
    assert "Processes that survive SIGKILL" in text and "nfs_wait" in text
    for words in ("default/web", "the container itself", "FATAL\nno database", "The last lines of main on stderr"):
        assert words in text
    assert_self_contained(text)


def test_dry_runs_are_no_revocations_and_actors_are_named() -> None:
    about = {
        "executor": "e", "framework": "f", "mesos_container": "c", "subscribed": True, "unacknowledged": 0,
        "pods": {"regular": 1, "revocable": 0},
    }  # fmt: skip
    started = {
        "code": "revocation.started",
        "revocation": "r-1",
        "actor": "uid 0, process 7",
        "time": "2026-01-01T10:20:30.456Z",
        "level": "info",
        "message": "m",
    }
    facts = {
        "executor": about,
        "pods": [],
        "ended": [ended("gone")],
        "revocations": [receipt(victim(1)), receipt(victim(2), id="r-dry", state="dry-run")],
        "events": [started],
    }
    text = node("node7", "now", [facts], {"classes": [], "pods": []})
    assert "r-dry" not in text and "by uid 0, process 7" in text
    assert "default/gone" in text and "1m1s ago" in text and "Problems" not in text


def assert_self_contained(text: str) -> None:
    """Well-formed, without scripts, and without anything that a browser would load."""
    assert "<script" not in text and "\x1b" not in text
    assert not re.search(r"(src|srcset|data|poster|action)=|url\(|@import|javascript:", text)
    assert all(
        link.startswith(("/revocations/", "/pods/")) or link == "/" for link in re.findall(r'href="([^"]*)"', text)
    )
    assert "default-src &#x27;none&#x27;" in text
    body = text.removeprefix("<!doctype html>\n")
    ET.fromstring(re.sub(r"(<meta [^>]*)>", r"\1/>", re.sub(r"<style>.*?</style>", "", body, flags=re.DOTALL)))


def test_an_empty_node() -> None:
    assert "No executor runs on this node." in node("node7", "now", [], {"classes": [], "pods": []})


def test_events_of_a_revocation_and_of_its_victims_since() -> None:
    events = [
        {"seq": 1, "code": "pod.running", "pod": "pod-000000000001"},
        {"seq": 2, "code": "revocation.started", "revocation": "r-1"},
        {"seq": 3, "code": "pod.destroying", "pod": "pod-000000000001"},
        {"seq": 4, "code": "pod.destroying", "pod": "pod-000000000002"},
        {"seq": 5, "code": "revocation.started", "revocation": "r-2"},
    ]
    assert [event["seq"] for event in related(receipt(victim(1)), events)] == [2, 3]
