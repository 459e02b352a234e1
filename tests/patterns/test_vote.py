"""Vote and quorum."""

import asyncio
from itertools import permutations

import pytest

from linecook.errors import Undecided, UsageError
from linecook.patterns import vote
from linecook.testing import VirtualClock

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
