from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from executor.mesos.offers import Pool, equip, place
from tests.support.mesos.http import Message
from tests.support.mesos.messages import executor_info, ports, ranges, scalar, task_info

_ROLE = {"allocation_info": {"role": "eng"}}


def _offer(*resources: Message) -> Message:
    return {"id": {"value": "o"}, "resources": [resource | _ROLE for resource in resources]}


def _total(resources: Sequence[Message] | None) -> float:
    return sum(float(resource["scalar"]["value"]) for resource in resources or ())


def test_what_is_taken_carries_what_the_offer_said_about_it() -> None:
    offered = scalar("cpus", 4) | {"provider_id": {"value": "p"}}
    assert Pool([_offer(offered)]).take([scalar("cpus", 1)]) == [offered | _ROLE | {"scalar": {"value": 1}}]


def test_revocable_and_regular_amounts_never_stand_in_for_each_other() -> None:
    pool = Pool([_offer(scalar("cpus", 1), scalar("cpus", 4, revocable=True))])
    assert pool.take([scalar("cpus", 2)]) is None
    assert pool.take([scalar("cpus", 4, revocable=True)]) is not None
    assert pool.take([scalar("cpus", 0.5, revocable=True)]) is None


def test_all_requests_or_none() -> None:
    pool = Pool([_offer(scalar("cpus", 2), scalar("mem", 10))])
    assert pool.take([scalar("cpus", 2), scalar("mem", 11)]) is None
    assert pool.take([scalar("cpus", 2), scalar("mem", 10)]) is not None


def test_several_offers_are_added_up() -> None:
    taken = Pool([_offer(scalar("cpus", 1)), _offer(scalar("cpus", 2))]).take([scalar("cpus", 2.5)])
    assert [resource["scalar"]["value"] for resource in taken or ()] == [1, 1.5]


def test_any_ports_are_distinct_and_given_ones_are_cut_out() -> None:
    pool = Pool([_offer(ranges("ports", (1000, 1001), (1003, 1005)))])
    assert pool.take([ranges("ports", (1004, 1004))]) is not None
    taken = pool.take([ports(4)]) or []
    spans = [span for resource in taken for span in resource["ranges"]["range"]]
    assert sorted(port for span in spans for port in range(span["begin"], span["end"] + 1)) == [1000, 1001, 1003, 1005]
    assert pool.take([ports(1)]) is None


def test_placing_takes_executor_and_tasks_from_the_same_pool() -> None:
    pool = Pool([_offer(scalar("mem", 100))])
    executor = equip(pool, "framework", executor_info("e", "true", [scalar("mem", 40)]))
    assert executor is not None
    assert executor["framework_id"] == {"value": "framework"}
    placed = place(pool, "agent", [task_info("t", [scalar("mem", 60)])], executor)
    assert placed is not None
    assert placed[0]["agent_id"] == {"value": "agent"}
    assert placed[0]["executor"]["resources"][0]["scalar"] == {"value": 40}
    assert place(pool, "agent", [task_info("u", [scalar("mem", 1)])], executor) is None


@given(st.lists(st.integers(1, 50), min_size=1, max_size=4), st.lists(st.integers(1, 50), max_size=8))
def test_never_more_is_given_than_offered(offered: list[int], wanted: list[int]) -> None:
    pool = Pool([_offer(scalar("cpus", amount)) for amount in offered])
    given_out = [pool.take([scalar("cpus", amount)]) for amount in wanted]
    assert sum(map(_total, given_out)) <= sum(offered)
    assert all(taken is None or _total(taken) == amount for taken, amount in zip(given_out, wanted, strict=True))


def _disk(amount: float, volume: str = "", **fields: Any) -> Message:
    persistence = {"disk": {"persistence": {"id": volume}, "volume": {"container_path": volume, "mode": "RW"}}}
    return scalar("disk", amount) | (persistence if volume else {}) | fields


_RESERVED: dict[str, Any] = {"reservations": [{"type": "DYNAMIC", "role": "eng"}]}


def test_a_persistent_volume_is_taken_whole_and_by_its_id_only() -> None:
    offered = _disk(64, "a", **_RESERVED)
    pool = Pool([_offer(offered)], makeable={"b"})
    assert pool.take([scalar("disk", 1)]) is None
    assert pool.take([_disk(16, "b", **_RESERVED)]) is None
    assert pool.take([_disk(16, "a", **_RESERVED)]) == [offered | _ROLE]
    assert pool.take([_disk(16, "a", **_RESERVED)]) is None
    assert pool.operations == []


def test_a_volume_that_may_be_made_is_reserved_and_created_out_of_disk() -> None:
    pool = Pool([_offer(_disk(100))], makeable={"a"}, principal="me")
    taken = pool.take([_disk(64, "a", **_RESERVED)])
    assert taken is not None
    (volume,) = taken
    reserved = _disk(64) | _ROLE | {"reservations": [{"type": "DYNAMIC", "role": "eng", "principal": "me"}]}
    persistence = {"id": "a", "principal": "me"}
    assert volume == reserved | {"disk": {"persistence": persistence, "volume": {"container_path": "a", "mode": "RW"}}}
    assert pool.operations == [
        {"type": "RESERVE", "reserve": {"resources": [reserved]}},
        {"type": "CREATE", "create": {"volumes": [volume]}},
    ]
    assert _total(pool.take([scalar("disk", 36)])) == 36


def test_a_volume_on_disk_that_is_reserved_is_only_created() -> None:
    pool = Pool([_offer(_disk(64, **_RESERVED))], makeable={"a"})
    assert pool.take([_disk(64, "a", **_RESERVED)])
    assert [each["type"] for each in pool.operations] == ["CREATE"]


def test_nothing_is_made_for_what_is_not_taken_and_nothing_that_may_not_be_made() -> None:
    pool = Pool([_offer(_disk(64))], makeable={"a"})
    assert pool.take([_disk(64, "a", **_RESERVED), scalar("cpus", 1)]) is None
    assert pool.take([_disk(64, "other", **_RESERVED)]) is None
    assert pool.operations == []
    assert _total(pool.take([scalar("disk", 64)])) == 64
