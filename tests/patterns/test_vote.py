"""Vote and quorum."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from linecook.errors import Undecided, UsageError
from linecook.patterns import vote
from linecook.testing import VirtualClock
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order

ended: list[str] = []


async def say(answer: str, after: float = 0.0) -> str:
    try:
        await asyncio.sleep(after)
    except asyncio.CancelledError:
        ended.append(answer)
        raise
    if answer == "error":
        raise ValueError("spoilt")
    return answer


@pytest.fixture(autouse=True)
def nobody_ended() -> None:
    ended.clear()


async def test_it_is_decided_as_soon_as_the_quorum_is_there_and_losers_are_cancelled(clock: VirtualClock) -> None:
    assert await vote([say("a", 1), say("b", 2), say("a", 3), say("late", 900)], quorum=2) == "a"
    assert clock.time() == pytest.approx(3)
    assert ended == ["late"]


async def test_it_is_given_up_as_soon_as_nothing_can_win(clock: VirtualClock) -> None:
    with pytest.raises(Undecided, match=r"3 votes any more: 1 for 'a', 1 for 'b', 0 failed"):
        await vote([say("a", 1), say("b", 2), say("c", 900)], quorum=3)
    assert clock.time() == pytest.approx(2)
    assert ended == ["c"]


BALLOTS = ["a", "a", "b", "error", "a"]


@pytest.mark.parametrize("quorum", [1, 2, 3, 4])
async def test_in_whatever_order_votes_come_the_result_is_one_that_had_the_quorum(
    clock: VirtualClock, quorum: int
) -> None:
    for order in set(permutations(BALLOTS)):
        ballots = [say(answer, after) for after, answer in enumerate(order)]
        if quorum > 3:
            with pytest.raises(Undecided):
                await vote(ballots, quorum=quorum)
        else:
            winner = await vote(ballots, quorum=quorum)
            assert winner == "a" or (winner == "b" and quorum == 1)


async def test_more_than_half_decide_unless_told_otherwise() -> None:
    assert await vote([say("a"), say("b"), say("a")]) == "a"
    with pytest.raises(Undecided):
        await vote([say("a"), say("b"), say("a"), say("b")])


async def test_failures_are_votes_for_nobody_and_are_told() -> None:
    assert await vote([say("error"), say("a"), say("a")]) == "a"
    with pytest.raises(Undecided) as caught:
        await vote([say("error"), say("error")])
    assert "no votes, 1 failed" in str(caught.value)
    assert caught.value.__notes__ == ["a vote failed: ValueError('spoilt')"]


async def test_a_quorum_that_makes_no_sense_is_refused() -> None:
    for ballots, quorum in [([], None), ([say("a")], 2), ([say("a")], 0)]:
        with pytest.raises(UsageError, match="between 1 and"):
            await vote(ballots, quorum=quorum)


async def ballot(kitchen: Kitchen, name: str, answer: str) -> str:
    await kitchen.tidy(name)
    return answer


async def a_quorum_of_two() -> None:
    kitchen = Kitchen()
    ballots = [ballot(kitchen, "1", "a"), ballot(kitchen, "2", "b"), ballot(kitchen, "3", "a"), kitchen.burn("4")]
    assert await vote(ballots, quorum=2) == "a"
    assert {"1", "3"} <= {*kitchen.served}
    assert kitchen.is_quiet()  # those who lose were cancelled, and have cleaned up


async def either_may_win() -> None:
    kitchen = Kitchen()
    answers = dict(zip("1234", "abab", strict=True))
    winner = await vote([ballot(kitchen, name, answer) for name, answer in answers.items()], quorum=2)
    assert [answers[name] for name in kitchen.served].count(winner) == 2
    assert kitchen.is_quiet()


async def nobody_can_win() -> None:
    kitchen = Kitchen()
    ballots = [ballot(kitchen, "1", "a"), ballot(kitchen, "2", "b"), kitchen.burn("3")]
    with pytest.raises(Undecided):
        await vote(ballots, quorum=2)
    assert kitchen.is_quiet()


async def it_is_cancelled() -> None:
    kitchen = Kitchen()
    task = asyncio.create_task(vote([ballot(kitchen, name, "a") for name in "123"]))
    asked = await cancelled_sometime(task)
    assert task.cancelled() == asked
    assert asked or task.result() == "a"
    assert kitchen.is_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("program", [a_quorum_of_two, either_may_win, nobody_can_win, it_is_cancelled])
def test_in_every_order_it_is_decided_by_the_quorum_and_losers_are_seen_to_their_end(program: Any) -> None:
    in_every_order(program)
