"""How many pods are released at a time: those that were revoked for others go slowly, until the executor ends."""

from __future__ import annotations

import asyncio

from executor.pod.release.pace import PAUSE_S, ReleasePace, held

CPUS = 4


class Crowd:
    """`count` releases that each hold their turn until `over`."""

    def __init__(self, release_pace: ReleasePace, count: int, *, gently: bool) -> None:
        self.inside = 0
        self.over = asyncio.Event()
        self.tasks = [asyncio.create_task(self._release(release_pace, gently=gently)) for _ in range(count)]

    async def _release(self, release_pace: ReleasePace, *, gently: bool) -> None:
        async with release_pace.turn(gently=gently):
            self.inside += 1
            await self.over.wait()
            self.inside -= 1


async def settle() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def test_two_for_each_cpu_at_a_time() -> None:
    crowd = Crowd(ReleasePace(CPUS), 20, gently=False)
    await settle()
    assert crowd.inside == 2 * CPUS
    crowd.over.set()
    await asyncio.gather(*crowd.tasks)


async def test_who_makes_room_for_others_keeps_half_of_the_cpus_busy_and_delays_nobody() -> None:
    release_pace = ReleasePace(CPUS)
    revoked = Crowd(release_pace, 20, gently=True)
    await settle()
    assert revoked.inside == CPUS // 2
    ended = Crowd(release_pace, 20, gently=False)
    await settle()
    assert ended.inside == 2 * CPUS - CPUS // 2, "the others have the room that is left"
    for crowd in (revoked, ended):
        crowd.over.set()
    await asyncio.gather(*revoked.tasks, *ended.tasks)


async def test_one_cpu_is_enough_for_one() -> None:
    crowd = Crowd(ReleasePace(1), 3, gently=True)
    await settle()
    assert crowd.inside == 1
    crowd.over.set()
    await asyncio.gather(*crowd.tasks)


async def test_an_executor_that_ends_spares_nobody() -> None:
    release_pace = ReleasePace(CPUS)
    crowd = Crowd(release_pace, 20, gently=True)
    await settle()
    release_pace.hurry()
    await settle()
    assert crowd.inside == 2 * CPUS
    crowd.over.set()
    await asyncio.gather(*crowd.tasks)


async def test_a_cancelled_wait_takes_no_place() -> None:
    release_pace = ReleasePace(1)
    first, second = Crowd(release_pace, 1, gently=True), Crowd(release_pace, 1, gently=True)
    await settle()
    second.tasks[0].cancel()
    await settle()
    first.over.set()
    third = Crowd(release_pace, 1, gently=True)
    await settle()
    assert third.inside == 1
    third.over.set()
    await asyncio.gather(first.tasks[0], third.tasks[0])


async def test_who_was_killed_together_goes_on_one_after_the_other_until_the_executor_ends() -> None:
    release_pace = ReleasePace(CPUS)
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    await asyncio.gather(*(release_pace.pause_between_pods() for _ in range(20)))
    assert loop.time() - begin_s >= 19 * PAUSE_S
    release_pace.hurry()
    await asyncio.sleep(PAUSE_S)
    begin_s = loop.time()
    for _ in range(1000):
        await release_pace.pause_between_pods()
    assert loop.time() - begin_s < 1000 * PAUSE_S


async def test_one_that_hangs_keeps_its_turn_for_a_while_only() -> None:
    release_pace = ReleasePace(1, hold_s=0.5)
    hung, begin_s = Crowd(release_pace, 1, gently=True), asyncio.get_running_loop().time()
    await settle()
    others = Crowd(release_pace, 1, gently=True)
    await settle()
    assert (hung.inside, others.inside) == (1, 0)
    async with asyncio.timeout(10):
        while not others.inside:  # noqa: ASYNC110 nobody is told
            await asyncio.sleep(0.005)
    assert asyncio.get_running_loop().time() - begin_s >= 0.5
    for crowd in (hung, others):
        crowd.over.set()
    await asyncio.gather(*hung.tasks, *others.tasks)


async def test_many_that_hang_delay_the_others_by_less_and_less() -> None:
    """All that hang together take some times `hold_s`, not as many times as they are."""
    release_pace = ReleasePace(1, hold_s=0.4)
    hung, begin_s = Crowd(release_pace, 12, gently=True), asyncio.get_running_loop().time()
    await settle()
    async with asyncio.timeout(10), release_pace.turn(gently=True):
        took_s = asyncio.get_running_loop().time() - begin_s
    assert hung.inside == 12 and took_s < 12 * 0.4 / 2
    hung.over.set()
    await asyncio.gather(*hung.tasks)


async def test_a_pause_is_made_without_a_place() -> None:
    release_pace, entered = ReleasePace(1), asyncio.Event()

    async def pausing() -> None:
        async with release_pace.turn(gently=True) as turn:
            await asyncio.gather(turn.pause(0.05), turn.pause(0.06))
            entered.set()

    task = asyncio.create_task(pausing())
    await settle()
    other = Crowd(release_pace, 1, gently=True)
    await settle()
    assert other.inside == 1
    await asyncio.sleep(0.1)
    assert not entered.is_set(), "it waits for its place"
    other.over.set()
    await task
    last = Crowd(release_pace, 3, gently=True)
    await settle()
    assert last.inside == 1, "every place was returned, once"
    last.over.set()
    await asyncio.gather(*other.tasks, *last.tasks)


async def test_a_place_is_held_for_a_while_only() -> None:
    place, entered = asyncio.Semaphore(1), list[int]()

    async def hang(number: int) -> None:
        async with held(place, 0.05):
            entered.append(number)
            await asyncio.sleep(1000)

    hung = [asyncio.create_task(hang(number)) for number in range(3)]
    await settle()
    assert entered == [0]
    async with asyncio.timeout(10):
        while len(entered) < 3:  # noqa: ASYNC110 nobody is told
            await asyncio.sleep(0.005)
    for task in hung:
        task.cancel()
    await asyncio.gather(*hung, return_exceptions=True)
    assert not place.locked()
    async with held(place, 1000):
        assert place.locked(), "each place was returned once"
