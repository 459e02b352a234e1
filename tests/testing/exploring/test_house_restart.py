"""Our own teams, in every order: who fails is started anew with whom it should be, once, and a closed team is empty."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from linecook import Inbox, Ref, Shared, agent, team
from linecook.agents.team import Team
from linecook.errors import MailboxClosed, TeamFailed
from linecook.testing import outside
from tests.testing.exploring.house import cancelled_sometime, in_every_order


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="linecook")


class Crew:
    """Writes down who begins, who ends and what is served; made afresh in each schedule.

    Attributes:
      starts: of each, by name.
      served: messages that were handled, as name and body.
      doubled: who began while it was still there.
    """

    def __init__(self) -> None:
        self.starts: Counter[str] = Counter()
        self.there: list[str] = []
        self.served: list[tuple[str, str]] = []
        self.doubled: list[str] = []
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds; looked at whenever something was written down."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def serves(self, name: str, body: str) -> None:
        self.served.append((name, body))
        self._news.set()

    def begins(self, name: str) -> None:
        if name in self.there:
            self.doubled.append(name)
        self.starts[name] += 1
        self._news.set()
        self.there.append(name)

    async def ends(self, name: str) -> None:
        try:
            await asyncio.sleep(0)  # a clean-up that awaits
        finally:
            self.there.remove(name)

    def is_quiet(self) -> bool:
        return not self.there and not self.doubled


@agent
async def cook(inbox: Inbox[str], crew: Crew, name: str) -> None:
    """Handles one message after the other; on one that says so it fails, or returns."""
    crew.begins(name)
    try:
        async for message in inbox:
            await outside(message.body)
            if message.body == "fail":
                raise ValueError(name)
            crew.serves(name, message.body)
            if message.body == "return":
                return
    finally:
        await crew.ends(name)


def start(team: Team, crew: Crew, names: str, **options: Any) -> list[Ref[str]]:
    return [team.start(cook(crew, name), **options) for name in names]


async def tell(ref: Ref[str], *bodies: str, now: bool = False) -> None:
    """Send, at some moment; a team that is ending may refuse."""
    for body in bodies:
        if not now:
            await outside("a guest")
        try:
            await ref.tell(body)
        except MailboxClosed:
            return


async def one_for_one() -> None:
    crew = Crew()
    async with team() as t:
        a, b = start(t, crew, "ab")
        await asyncio.gather(tell(a, "fail", "a1"), tell(b, "b1", now=True))
        await crew.until(lambda: sorted(crew.served) == [("a", "a1"), ("b", "b1")])
        assert crew.starts == {"a": 2, "b": 1}
        assert [letter.body for letter in t.dead_letters] == ["fail"]
    assert crew.is_quiet()


async def together(strategy: Any, expected: dict[str, int]) -> None:
    crew = Crew()
    async with team(restart=strategy) as t:
        _, b, c = start(t, crew, "abc")
        await asyncio.gather(tell(b, "fail", "b1", now=True), tell(c, "c1"))
        # What c had at hand when b failed is not handed out again; what waited is.
        await crew.until(lambda: ("b", "b1") in crew.served and (("c", "c1") in crew.served or len(t.dead_letters) > 1))
        assert crew.starts == expected
        letters = [letter.body for letter in t.dead_letters]
        assert letters.count("fail") == 1
        assert crew.served.count(("c", "c1")) + letters.count("c1") == 1
    assert crew.is_quiet()


async def one_for_all() -> None:
    await together("one_for_all", {"a": 2, "b": 2, "c": 2})


async def rest_for_one() -> None:
    await together("rest_for_one", {"a": 1, "b": 2, "c": 2})


async def two_fail_in_one_for_all() -> None:
    crew = Crew()
    async with team(restart="one_for_all") as t:
        a, b = start(t, crew, "ab")
        await asyncio.gather(tell(a, "fail", now=True), tell(b, "fail"))
        await crew.until(lambda: len(t.dead_letters) == 2 and sorted(crew.there) == ["a", "b"])
        await asyncio.sleep(0.1)  # should there be another restart
        assert a.is_alive
        assert b.is_alive
        assert crew.starts["a"] == crew.starts["b"] <= 3
        assert t.statistics()["restarts"] <= 2
        assert len(t.dead_letters) == 2
    assert crew.is_quiet()


async def two_fail_in_rest_for_one() -> None:
    crew = Crew()
    async with team(restart="rest_for_one") as t:
        a, b, c = start(t, crew, "abc")
        await asyncio.gather(tell(b, "fail", now=True), tell(a, "fail"))
        await crew.until(lambda: len(t.dead_letters) == 2 and sorted(crew.there) == ["a", "b", "c"])
        await asyncio.sleep(0.1)  # should there be another restart
        assert all(each.is_alive for each in (a, b, c))
        assert crew.starts["a"] == 2
        assert 2 <= crew.starts["c"] <= crew.starts["b"] <= 3
    assert crew.is_quiet()


async def the_one_that_failed_is_stopped_before_the_others_go_with_it() -> None:
    crew = Crew()
    async with team(restart="rest_for_one") as t:
        a, b, c = start(t, crew, "abc")
        await asyncio.gather(tell(b, "fail", now=True), stop(b))
        await crew.until(lambda: sorted(crew.there) == ["a", "c"])
        await asyncio.sleep(0.1)  # should there be another restart
        assert t.agents == [a, c]
        assert crew.starts["a"] == 1
        assert crew.starts["c"] <= 2
    assert crew.is_quiet()


async def stop(ref: Ref[Any], grace: float = 0) -> None:
    await outside("the stop")
    await ref.stop(grace=grace)
    assert not ref.is_alive
    assert ref.statistics()["state"] == "ended"


async def a_sibling_is_stopped_during_the_restart() -> None:
    crew = Crew()
    async with team(restart="one_for_all") as t:
        a, b, c = start(t, crew, "abc")
        await asyncio.gather(tell(b, "fail", now=True), stop(c), stop(a, grace=1))
        await crew.until(lambda: crew.there == ["b"] and bool(t.dead_letters))
        assert t.agents == [b]
        assert crew.starts["b"] == 2
        assert max(crew.starts["a"], crew.starts["c"]) <= 2
        assert crew.there == ["b"]
    assert crew.is_quiet()


async def the_team_ends_during_the_restart() -> None:
    crew = Crew()
    async with team(restart="one_for_all", grace=1) as t:
        a, b = start(t, crew, "ab")
        await tell(a, "fail", now=True)
        await tell(b, "b1")
        await outside("the end")
    assert crew.is_quiet()
    assert t.agents == []
    assert a.statistics()["state"] == b.statistics()["state"] == "ended"
    letters = [letter.body for letter in t.dead_letters]
    assert crew.served.count(("b", "b1")) + letters.count("b1") == 1
    assert letters.count("fail") == 1


async def the_block_is_cancelled_during_the_restart() -> None:
    crew = Crew()

    async def host() -> None:
        async with team(restart="one_for_all") as t:
            a, b = start(t, crew, "ab")
            await asyncio.gather(tell(a, "fail", now=True), tell(b, "b1"))

    task = asyncio.create_task(host())
    asked = await cancelled_sometime(task)
    assert crew.is_quiet()
    assert task.cancelled() == asked


async def too_many_restarts() -> None:
    crew = Crew()
    with pytest.raises(TeamFailed):
        async with team(intensity=1) as t:
            a, b = start(t, crew, "ab")
            await asyncio.gather(tell(a, "fail"), tell(b, "fail", "b1"))
            await t.wait()
    assert crew.is_quiet()
    assert t.agents == []


async def too_many_restarts_of_all() -> None:
    crew = Crew()
    with pytest.raises(TeamFailed):
        async with team(restart="one_for_all", intensity=1) as t:
            a, b = start(t, crew, "ab")
            await asyncio.gather(tell(a, "fail", "fail", now=True), tell(b, "b1"))
            await t.wait()
    assert crew.is_quiet()
    assert t.agents == []


async def too_many_restarts_while_the_block_is_cancelled() -> None:
    crew = Crew()

    async def host() -> None:
        async with team(intensity=0) as t:
            (a,) = start(t, crew, "a")
            await tell(a, "fail")
            await t.wait()

    task = asyncio.create_task(host())
    asked = await cancelled_sometime(task)
    assert crew.is_quiet()
    assert task.cancelled() == asked  # the team's failure takes back nobody else's cancellation
    assert asked or isinstance(task.exception(), TeamFailed)


async def a_poisonous_message() -> None:
    crew = Crew()
    async with team() as t:
        (a,) = start(t, crew, "a", deliveries=2)
        await asyncio.gather(tell(a, "fail"), tell(a, "a1", "a2", now=True))
        await crew.until(lambda: len(crew.served) == 2 and bool(t.dead_letters))
        assert crew.starts["a"] == 3
        assert crew.served == [("a", "a1"), ("a", "a2")]
        (letter,) = t.dead_letters
        assert letter.body == "fail"
        assert isinstance(letter.error, ValueError)
        assert a.is_alive
    assert crew.is_quiet()


async def a_batch_is_handed_out_again() -> None:
    crew, failed_on = Crew(), list[str]()

    @agent
    async def batch_cook(inbox: Inbox[str]) -> None:
        while True:
            batch = await inbox.receive_many(2)
            await outside("a batch")
            if not failed_on:
                failed_on.extend(message.body for message in batch)
                raise ValueError
            for message in batch:
                crew.serves("a", message.body)

    async with team() as t:
        ref = t.start(batch_cook(), deliveries=2)
        await asyncio.gather(tell(ref, "1", "2", now=True), tell(ref, "3"))
        await crew.until(lambda: len(crew.served) == 3)
        assert crew.served == [("a", "1"), ("a", "2"), ("a", "3")]
        assert not t.dead_letters


async def stopped_with_a_poisonous_message() -> None:
    crew = Crew()
    async with team() as t:
        (a,) = start(t, crew, "a", deliveries=2)
        await tell(a, "fail", "a1", now=True)
        await outside("the stop")
        await a.stop(grace=1)
        letters = [letter.body for letter in t.dead_letters]
        assert letters.count("fail") == 1
        assert crew.served.count(("a", "a1")) + letters.count("a1") == 1
        assert crew.starts["a"] <= 3
    assert crew.is_quiet()


async def state_is_kept_or_clean() -> None:
    kept, clean = Shared(0), list[int]()

    @agent
    async def tally(inbox: Inbox[str]) -> None:
        own = 0
        async for message in inbox:
            own += 1
            kept.update(lambda number: number + 1)
            clean.append(own)
            await outside(message.body)
            if message.body == "fail":
                raise ValueError(own)

    async with team() as t:
        ref = t.start(tally())
        await asyncio.gather(tell(ref, "1", "fail", now=True), tell(ref, "2"))
        await kept.wait_for(lambda number: number == 3)
    assert clean in ([1, 2, 3], [1, 2, 1], [1, 1, 2]), clean


async def one_that_returns_is_started_anew() -> None:
    crew = Crew()
    async with team() as t:
        (a,) = start(t, crew, "a", restart="permanent")
        await asyncio.gather(tell(a, "return", "a1"), stop(a, grace=1))
        assert t.agents == []
    letters = [letter.body for letter in t.dead_letters]
    assert crew.is_quiet()
    assert crew.served.count(("a", "a1")) + letters.count("a1") <= 1


async def a_team_in_a_team() -> None:
    crew = Crew()

    @agent
    async def head(inbox: Inbox[str]) -> None:
        async with team(intensity=0) as inner:
            (a,) = start(inner, crew, "a")
            async for message in inbox:
                await tell(a, message.body, now=True)

    async with team() as outer:
        ref = outer.start(head())
        await tell(ref, "fail")
        await tell(ref, "a1")
        await crew.until(lambda: crew.starts["a"] == 2)
        await outside("the end")
        assert ref.is_alive
    assert crew.is_quiet()
    assert crew.starts["a"] == ref.statistics()["starts"] == 2


async def stopped_by_two_one_of_whom_gives_up() -> None:
    crew = Crew()
    async with team() as t:
        (a,) = start(t, crew, "a")
        await tell(a, "a1", now=True)
        first, second = (asyncio.create_task(stop(a, grace)) for grace in (1, 0))
        assert await cancelled_sometime(first) == first.cancelled()
        await second
        assert t.agents == []
    assert crew.is_quiet()


PROGRAMS = [
    one_for_one, one_for_all, rest_for_one, two_fail_in_one_for_all, two_fail_in_rest_for_one,
    the_one_that_failed_is_stopped_before_the_others_go_with_it, a_sibling_is_stopped_during_the_restart,
    the_team_ends_during_the_restart, the_block_is_cancelled_during_the_restart, too_many_restarts,
    too_many_restarts_of_all, too_many_restarts_while_the_block_is_cancelled, a_poisonous_message,
    a_batch_is_handed_out_again, stopped_with_a_poisonous_message, state_is_kept_or_clean,
    one_that_returns_is_started_anew, a_team_in_a_team, stopped_by_two_one_of_whom_gives_up,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(170)  # some thousand schedules each, on a machine that may be busy
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_team_keeps_its_word_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program, seconds=240)
