"""A team restarts what fails, ends what it started, and says so upwards when restarts don't help."""

import asyncio
import contextlib
import gc
import logging
import random
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from linecook import (
    Cancelled,
    Failed,
    Inbox,
    Ok,
    Ref,
    Runtime,
    Shared,
    agent,
    budget,
    move_on_after,
    run,
    settle,
    team,
    tenant,
    tool,
)
from linecook._core.context import current_frame, inherited_priority, tenant_here
from linecook._runtime.operator import cancel
from linecook.errors import AgentFailed, BudgetExceeded, CallError, MailboxClosed, TeamFailed, UsageError
from linecook.observe.live.alive import Numbers
from linecook.testing import VirtualClock
from tests.aside import aside

from .menu import Count, Dish, Order, cook, counter


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="linecook")


@agent
async def logger(inbox: Inbox[str], name: str, log: list[str]) -> None:
    """Writes down when it begins and ends, and fails when told to."""
    log.append(f"{name} begins")
    try:
        async for message in inbox:
            if message.body == "fail":
                raise ValueError(name)
            if message.body == "return":
                return
    finally:
        log.append(f"{name} ends")


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# -- one agent -------------------------------------------------------------------------------------------------------


async def test_a_failed_agent_starts_anew_with_a_clean_state_and_the_messages_that_waited() -> None:
    async with team() as office:
        ref = office.start(counter())
        for word in ("one", "two", "fail", "three"):
            await ref.tell(word)
        assert await ref.ask(Count()) == 1
        assert ref.statistics()["starts"] == 2
        assert office.statistics()["restarts"] == 1


async def test_what_is_kept_outside_the_agent_survives_a_restart() -> None:
    seen: list[str] = []

    @agent
    async def keeper(inbox: Inbox[str], notes: list[str]) -> None:
        async for message in inbox:
            notes.append(message.body)
            if message.body == "fail":
                raise ValueError

    async with team() as office:
        ref = office.start(keeper(seen))
        for word in ("one", "fail", "two"):
            await ref.tell(word)
    assert seen == ["one", "fail", "two"]


async def test_state_after_a_restart_is_clean_or_kept_by_choice() -> None:
    seen: list[tuple[int, int]] = []

    @agent
    async def tally(inbox: Inbox[str], kept: Shared[int]) -> None:
        own = 0
        async for message in inbox:
            own += 1
            seen.append((own, kept.update(lambda number: number + 1)))
            if message.body == "fail":
                raise ValueError

    kept = Shared(0)
    async with team() as office:
        ref = office.start(tally(kept))
        for word in ("one", "fail", "two", "fail", "three"):
            await ref.tell(word)
    assert seen == [(1, 1), (2, 2), (1, 3), (2, 4), (1, 5)]
    assert kept.value == 5


@pytest.mark.parametrize(
    ("restart", "message", "starts"),
    [
        ("permanent", "fail", 2),
        ("permanent", "return", 2),
        ("transient", "fail", 2),
        ("transient", "return", 1),
        ("temporary", "fail", 1),
        ("temporary", "return", 1),
    ],
)
async def test_which_end_is_followed_by_a_new_start(restart: Any, message: str, starts: int) -> None:
    log: list[str] = []
    async with team() as office:
        ref = office.start(logger("a", log), restart=restart)
        await ref.tell(message)
        await turns()
        assert ref.statistics()["starts"] == starts
        assert ref.is_alive == (starts == 2)


async def test_an_agent_that_somebody_else_cancels_starts_anew() -> None:
    async with team() as office:
        ref = office.start(cook())
        await turns()
        task = ref._child.task
        assert task is not None
        task.cancel()
        await turns()
        assert await ref.ask(Order("soup")) == Dish("soup")
        assert ref.statistics()["starts"] == 2


async def test_the_message_an_agent_fails_on_is_set_aside_with_its_cause() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook())
        await ref.tell(Order("burnt"))
        assert await ref.ask(Order("soup")) == Dish("soup")
        (letter,) = kitchen.dead_letters
        assert (letter.body, letter.agent, repr(letter.error)) == (
            Order("burnt"), "team/cook:0", "ValueError('it burnt')",
        )  # fmt: skip


async def test_a_message_may_be_handed_out_again_and_a_poisonous_one_is_set_aside_in_the_end() -> None:
    attempts: list[int] = []

    @agent
    async def unlucky(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            attempts.append(message.deliveries)
            if message.body.name == "poison" or message.deliveries < 2:
                raise ValueError(message.body.name)
            message.reply(Dish(message.body.name))

    async with team(intensity=10) as kitchen:
        ref = kitchen.start(unlucky(), deliveries=3)
        poison, soup = await settle([ref.ask(Order("poison")), ref.ask(Order("soup"))])
        assert soup == Ok(Dish("soup"))
        assert isinstance(poison, Failed)
        assert repr(poison.error.__cause__) == "ValueError('poison')"
        assert attempts == [1, 2, 3, 1, 2]
        assert [letter.body for letter in kitchen.dead_letters] == [Order("poison")]


async def test_a_crash_after_the_answer_takes_nothing_back() -> None:
    @agent
    async def clumsy(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            message.reply(Dish(message.body.name))
            raise ValueError("afterwards")

    async with team() as kitchen:
        ref = kitchen.start(clumsy())
        assert await ref.ask(Order("soup")) == Dish("soup")
        assert await ref.ask(Order("salad")) == Dish("salad")
        assert kitchen.dead_letters == []


async def test_what_a_body_raises_to_end_the_loop_ends_the_agent_only() -> None:
    @agent
    async def exits(inbox: Inbox[Order], error: BaseException) -> None:
        await inbox.receive()
        raise error

    async with team() as kitchen:
        for error in (SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(), asyncio.CancelledError()):
            ref = kitchen.start(exits(error), restart="temporary")
            with pytest.raises(AgentFailed, match="BodyExited"):
                await ref.ask(Order("soup"))


async def test_a_restarted_agent_keeps_its_place_and_its_ref() -> None:
    async with team(name="kitchen") as kitchen:
        first, second = kitchen.start(cook()), kitchen.start(cook())
        await first.tell(Order("burnt"))
        assert await first.ask(Order("soup")) == Dish("soup")
        third = kitchen.start(cook())
        assert [ref.path for ref in (first, second, third)] == [f"kitchen/cook:{place}" for place in range(3)]
        assert kitchen.agents == [first, second, third]


# -- what an agent inherits ------------------------------------------------------------------------------------------

badge: ContextVar[str] = ContextVar("badge", default="")


async def test_an_agent_inherits_from_its_team_and_not_from_whoever_starts_it() -> None:
    @agent
    async def clerk(inbox: Inbox[Any]) -> None:
        async for message in inbox:
            mine = badge.get()
            badge.set("changed")
            message.reply((mine, inherited_priority(current_frame.get())))

    @agent(priority="batch")
    async def boss() -> None:
        badge.set("office")
        async with team() as office:
            badge.set("later")
            ref = office.start(clerk())
            assert await ref.ask(Order("")) == ("office", "batch")
            other = office.start(clerk())
            assert await other.ask(Order("")) == ("office", "batch")

    await boss()


async def test_an_agents_calls_count_in_the_budget_around_its_team() -> None:
    @tool
    async def look() -> int:
        return 1

    @agent
    async def clerk(inbox: Inbox[Any]) -> None:
        async for message in inbox:
            message.reply(await look())

    asked: list[Any] = []
    with budget(calls=3), pytest.raises(TeamFailed, match=r"clerk:0 could not be started anew: .* 3 of 3 calls"):
        async with team() as office:
            ref = office.start(clerk())
            asked += [await ref.ask(Order("")) for _ in range(2)]
            with pytest.raises(BudgetExceeded):
                office.start(clerk())
            await ref.ask(Order(""))
    assert asked == [1, 1]


async def test_an_agent_works_on_behalf_of_its_teams_tenant() -> None:
    @agent
    async def clerk(inbox: Inbox[Any]) -> None:
        async for message in inbox:
            message.reply(tenant_here.get()[0])

    with tenant("acme"):
        async with team() as office:
            ref = office.start(clerk())
            with tenant("other"):
                assert await ref.ask(Order("")) == "acme"


async def test_an_agent_that_an_operator_cancels_starts_anew() -> None:
    async with Runtime(stall=None) as runtime, team() as kitchen:
        ref = kitchen.start(cook(delay=60))
        asked = asyncio.create_task(ref.ask(Order("soup")))
        await asyncio.sleep(0.03)
        cancelled = await aside(cancel, [runtime], Numbers(), "team/cook:0", "too slow")
        assert cancelled.ended
        with pytest.raises(AgentFailed, match=r"operator: too slow"):
            await asked
        assert ref.statistics()["starts"] == 2


# -- several agents --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("one_for_one", ["b ends", "b begins"]),
        ("one_for_all", ["b ends", "c ends", "a ends", "a begins", "b begins", "c begins"]),
        ("rest_for_one", ["b ends", "c ends", "b begins", "c begins"]),
    ],
)
async def test_who_is_started_anew_with_the_one_that_failed(strategy: Any, expected: list[str]) -> None:
    log: list[str] = []
    async with team(restart=strategy) as office:
        refs = [office.start(logger(name, log)) for name in "abc"]
        await turns()
        log.clear()
        await refs[1].tell("fail")
        await turns()
        assert log == expected
        await refs[1].tell("fail")
        await turns()
        assert log == expected * 2
        assert office.statistics()["restarts"] == 2


async def test_agents_that_fail_together_are_started_anew_once_each() -> None:
    log: list[str] = []
    async with team(restart="one_for_all", intensity=2) as office:
        refs = [office.start(logger(name, log)) for name in "ab"]
        await turns()
        for ref in refs:
            ref.tell_nowait("fail")
        await turns(40)
        assert [ref.is_alive for ref in refs] == [True, True]
        assert log.count("a begins") == log.count("b begins") == 2


async def test_one_that_fails_while_the_others_are_ended_is_started_anew_with_them_and_no_second_time() -> None:
    log: list[str] = []
    let_go = asyncio.Event()

    @agent
    async def slow_to_end(inbox: Inbox[str]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()

    async with team(restart="one_for_all", intensity=1, grace=0.05) as office:
        a, b = office.start(logger("a", log)), office.start(logger("b", log))
        office.start(slow_to_end())
        await turns()
        await b.tell("fail")
        await turns()
        await a.tell("fail")  # it is about to be ended anyway
        await turns()
        let_go.set()
        await turns(40)
        assert log.count("a begins") == log.count("b begins") == 2
        assert office.statistics()["restarts"] == 1


async def test_one_that_is_stopped_after_it_failed_takes_none_with_it_that_began_before() -> None:
    log: list[str] = []
    async with team(restart="rest_for_one") as office:
        a, b, c = [office.start(logger(name, log)) for name in "abc"]
        await turns()
        await b.tell("fail")
        while b.statistics()["state"] != "restarting":
            await asyncio.sleep(0)
        await b.stop()
        await turns(40)
        assert office.agents == [a, c]
    assert log.count("a begins") == 1
    assert log.count("c begins") == 2


async def test_a_temporary_agent_is_ended_with_one_that_failed_and_not_started_anew() -> None:
    log: list[str] = []

    async def plain() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("plain ends")

    async with team(restart="one_for_all") as office:
        failing = office.start(logger("a", log))
        once = office.start(logger("b", log), restart="temporary")
        coroutine = office.start(plain(), restart="temporary")
        await turns()
        await failing.tell("fail")
        await turns(40)
        assert office.agents == [failing]
        for ref in (once, coroutine):
            assert isinstance(await ref.wait_closed(), Cancelled)
    assert log.count("a begins") == 2
    assert log.count("b begins") == log.count("plain ends") == 1


async def test_who_is_cancelled_while_he_stops_an_agent_hears_of_it(clock: VirtualClock) -> None:
    @agent(grace=5)
    async def slow_to_end(inbox: Inbox[str]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2)

    async with team() as office:
        ref = office.start(slow_to_end())
        await asyncio.sleep(0)
        stopping = asyncio.create_task(ref.stop(grace=0))
        await asyncio.sleep(1)
        stopping.cancel()
        await asyncio.wait([stopping])
        assert stopping.cancelled()
        assert not ref.is_alive


async def test_messages_that_wait_survive_the_restart_of_a_sibling() -> None:
    log: list[str] = []
    async with team(restart="one_for_all") as office:
        failing, other = office.start(logger("a", log)), office.start(counter())
        await failing.tell("fail")
        await turns(3)
        for _ in range(5):
            await other.tell("one")
        assert await other.ask(Count()) <= 5
        assert office.dead_letters[0].body == "fail"


async def test_too_many_restarts_fail_the_team() -> None:
    log: list[str] = []
    with pytest.raises(TeamFailed, match=r"office gave up: more than 2 restarts in 5 s, .*logger:1") as caught:
        async with team(name="office", intensity=2) as office:
            office.start(logger("a", log))
            failing = office.start(logger("b", log))
            for _ in range(3):
                await failing.tell("fail")
            await asyncio.sleep(3600)
    assert isinstance(caught.value.__cause__, ValueError)
    assert log.count("b begins") == 3
    assert log[-1] == "a ends"
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_restarts_far_apart_are_not_too_many(clock: VirtualClock) -> None:
    async with team(intensity=1, period=5) as kitchen:
        ref = kitchen.start(cook())
        for _ in range(4):
            await ref.tell(Order("burnt"))
            await asyncio.sleep(6)
        assert ref.statistics()["starts"] == 5


async def test_a_team_in_a_team_that_fails_is_restarted_by_the_outer_one() -> None:
    inner: list[Ref[Order]] = []

    @agent
    async def line(inbox: Inbox[Order]) -> None:
        async with team(intensity=0) as t:
            inner.append(t.start(cook()))
            async for message in inbox:
                message.reply(await inner[-1].ask(message.body))

    async with team() as kitchen:
        ref = kitchen.start(line())
        assert await ref.ask(Order("soup")) == Dish("soup")
        with pytest.raises(AgentFailed):
            await ref.ask(Order("burnt"))
        assert await ref.ask(Order("salad")) == Dish("salad")
        assert len(inner) == 2
        assert not inner[0].is_alive
        assert ref.statistics()["starts"] == 2


async def test_an_agent_without_an_inbox_is_supervised_as_well() -> None:
    tries: list[int] = []

    @agent
    async def poller() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return "there"

    async with team() as office:
        ref = office.start(poller())
        assert await ref.wait_closed() == Ok("there")
        assert ref.statistics()["starts"] == 3
        with pytest.raises(MailboxClosed, match="it has no inbox"):
            await ref.tell("x")  # type: ignore[arg-type]


# -- the block -------------------------------------------------------------------------------------------------------


async def test_leaving_the_block_ends_the_last_started_first_and_lets_them_finish() -> None:
    log: list[str] = []

    @agent
    async def slow(inbox: Inbox[str], name: str) -> None:
        async for message in inbox:
            await turns(3)
            log.append(f"{name} {message.body}")
        log.append(f"{name} ends")

    async with team() as office:
        for name in "ab":
            ref = office.start(slow(name))
            await ref.tell("1")
            await ref.tell("2")
    assert log == ["a 1", "b 1", "b 2", "b ends", "a 2", "a ends"] or log == [
        "a 1", "b 1", "a 2", "b 2", "b ends", "a ends",
    ]  # fmt: skip


async def test_a_block_that_raises_cancels_at_once(clock: VirtualClock) -> None:
    with pytest.raises(LookupError):
        async with team() as kitchen:
            ref = kitchen.start(cook(delay=100))
            asked = asyncio.create_task(ref.ask(Order("soup")))
            await asyncio.sleep(1)
            raise LookupError
    assert clock.time() < 2
    with pytest.raises(AgentFailed):
        await asked


async def test_an_agent_without_an_inbox_is_waited_for_until_grace_is_over(clock: VirtualClock) -> None:
    @agent
    async def ticks() -> None:
        await asyncio.Event().wait()

    before = clock.time()
    async with team(grace=3) as kitchen:
        first, second = kitchen.start(ticks()), kitchen.start(ticks())
        await asyncio.sleep(1)
    assert 4 <= clock.time() - before < 5
    assert isinstance(await first.wait_closed(), Cancelled)
    assert isinstance(await second.wait_closed(), Cancelled)

    before = clock.time()
    async with team(grace=3) as kitchen:
        await kitchen.start(ticks()).stop(grace=0)
    assert clock.time() - before < 1


async def test_a_polite_end_is_bounded_by_the_teams_grace(clock: VirtualClock) -> None:
    async with team(grace=3) as kitchen:
        for _ in range(10):
            await kitchen.start(cook(delay=100)).tell(Order("soup"))
        await asyncio.sleep(0)
    assert clock.time() < 4
    assert len(kitchen.dead_letters) == 10


async def test_a_cancelled_block_cancels_its_agents_and_goes_on_being_cancelled(clock: VirtualClock) -> None:
    with move_on_after(1) as block:
        async with team() as kitchen:
            ref = kitchen.start(cook(delay=100))
            await ref.tell(Order("soup"))
            await asyncio.sleep(50)
    assert block.cancelled_caught
    assert clock.time() < 2
    assert not ref.is_alive


async def test_a_cancellation_while_the_team_ends_politely_ends_it_hard(clock: VirtualClock) -> None:
    with move_on_after(1) as block:
        async with team(grace=60) as kitchen:
            await kitchen.start(cook(delay=100)).tell(Order("soup"))
            await asyncio.sleep(0)
    assert block.cancelled_caught
    assert clock.time() < 2


async def test_an_agent_that_swallows_its_cancellation_can_not_hang_the_team(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="linecook")
    release = asyncio.Event()

    @agent(grace=0.1)
    async def stubborn(inbox: Inbox[Order]) -> None:
        await inbox.receive()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    async with team(grace=1) as office:
        ref = office.start(stubborn())
        asked = asyncio.create_task(ref.ask(Order("soup")))
        await asyncio.sleep(0.1)
    assert clock.time() < 3
    with pytest.raises(AgentFailed):
        await asked
    await asyncio.sleep(1)
    assert "swallowed the cancellation at" in caplog.text
    release.set()
    await asyncio.sleep(1)


async def test_a_start_that_was_given_up_takes_no_messages_from_the_next(clock: VirtualClock) -> None:
    release = asyncio.Event()
    taken_by_old: list[Any] = []

    @agent(grace=0.1)
    async def stubborn(inbox: Inbox[Order], starts: list[int]) -> None:
        starts.append(1)
        if len(starts) > 1:
            async for message in inbox:
                message.reply(Dish(message.body.name))
            return
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        taken_by_old.extend([message async for message in inbox])

    log: list[str] = []
    async with team(restart="one_for_all") as office:
        ref = office.start(stubborn([]))
        failing = office.start(logger("b", log))
        await asyncio.sleep(0)
        await failing.tell("fail")
        await asyncio.sleep(2)
        release.set()
        assert await ref.ask(Order("soup"), timeout=5) == Dish("soup")
        assert taken_by_old == []


async def test_stopping_an_agent_while_it_is_about_to_be_started_anew(clock: VirtualClock) -> None:
    log: list[str] = []

    @agent(grace=5)
    async def slow_to_end(inbox: Inbox[str]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2)

    async with team(restart="one_for_all", grace=0) as office:
        office.start(slow_to_end())
        failing = office.start(logger("b", log))
        await asyncio.sleep(0)
        await failing.tell("fail")
        await asyncio.sleep(1)
        assert failing.statistics()["state"] == "restarting"
        assert isinstance(await failing.stop(), Cancelled)
        await asyncio.sleep(3)
    assert log == ["b begins", "b ends"]


async def test_a_team_that_ends_while_it_restarts_starts_nobody(clock: VirtualClock) -> None:
    log: list[str] = []

    @agent(grace=5)
    async def slow_to_end(inbox: Inbox[str]) -> None:
        log.append("slow begins")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2)

    async with team(restart="one_for_all", grace=10) as office:
        office.start(slow_to_end())
        failing = office.start(logger("b", log))
        await asyncio.sleep(0)
        await failing.tell("fail")
        await asyncio.sleep(1)
    assert log == ["slow begins", "b begins", "b ends"]


async def test_a_team_is_entered_once_and_starts_nothing_before_or_after() -> None:
    kitchen = team()
    with pytest.raises(UsageError, match=r"cook\(\) can't be started: the team has ended, or was not entered"):
        kitchen.start(cook())
    async with kitchen:
        pass
    with pytest.raises(UsageError):
        kitchen.start(cook())
    with pytest.raises(UsageError, match="entered once"):
        async with kitchen:
            pass


async def test_bad_options_are_named() -> None:
    async with team() as kitchen:
        for options, word in [
            ({"restart": "always"}, "restart of cook"),
            ({"capacity": 0}, "capacity of cook"),
            ({"capacity": None}, "capacity of cook"),
            ({"when_full": "explode"}, "when_full of cook"),
            ({"deliveries": 0}, "deliveries of cook"),
        ]:
            with pytest.raises(ValueError, match=word):
                kitchen.start(cook(), **options)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="unexpected keyword argument 'dely'"):
            kitchen.start(cook(dely=1))  # type: ignore[call-arg]
        for lists in ({"restart": ["always"]}, {"when_full": [1]}):
            with pytest.raises(ValueError, match=f"{next(iter(lists))} of cook must be"):
                kitchen.start(cook(), **lists)  # type: ignore[arg-type]
        assert kitchen.agents == []

        @tool
        async def look() -> int:
            return 1

        with pytest.raises(UsageError, match="a team is of agents"):
            kitchen.start(look())
        with pytest.raises(UsageError, match="plain coroutine"):
            kitchen.start(turns())
        with pytest.raises(UsageError, match="is a function, not a call"):
            kitchen.start(cook)  # type: ignore[arg-type]
        call = cook()
        kitchen.start(call)
        with pytest.raises(UsageError, match="again"):
            kitchen.start(call)
    for bad in ({"restart": "some"}, {"intensity": -1}, {"period": 0}, {"grace": -1}, {"grace": None}):
        with pytest.raises(ValueError, match="of team"):
            team(**bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name of team must be a string, not 3"):
        team(name=3)  # type: ignore[arg-type]


async def test_arguments_that_fit_no_start_are_refused_at_the_first() -> None:
    @agent
    async def waiter(table: int) -> None: ...

    @agent
    async def forgets(inbox, table: int = 1) -> None:  # type: ignore[no-untyped-def]
        ...

    async with team() as kitchen:
        with pytest.raises(TypeError, match=r"waiter\(\) can't be started: missing a required argument: 'table'$"):
            kitchen.start(waiter())  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"'inbox'\. Annotate it, if messages are meant: inbox: Inbox\[\.\.\.\]"):
            kitchen.start(forgets())
        assert kitchen.agents == []


async def test_a_dead_letter_does_not_keep_what_the_failed_agent_had_at_hand() -> None:
    class Large:
        pass

    kept: list[weakref.ref[Large]] = []

    @agent
    async def hoarder(inbox: Inbox[str]) -> None:
        large = Large()
        kept.append(weakref.ref(large))
        raise ValueError((await inbox.receive()).body)

    async with team() as office:
        await office.start(hoarder()).tell("a")
        await turns()
        gc.collect()
        assert [letter.body for letter in office.dead_letters] == ["a"]
        assert office.dead_letters[0].error.__traceback__ is not None  # type: ignore[union-attr]
        assert kept[0]() is None


async def test_wait_returns_when_every_agent_has_ended() -> None:
    log: list[str] = []
    async with team() as office:
        refs = [office.start(logger(name, log)) for name in "ab"]
        waiting = asyncio.create_task(office.wait())
        for ref in refs:
            await turns()
            assert not waiting.done()
            await ref.tell("return")
        await waiting


def test_ctrl_c_ends_a_program_that_waits_for_its_team() -> None:
    log: list[str] = []
    runtime = Runtime()

    async def main() -> None:
        async with team() as office:
            office.start(logger("a", log))
            asyncio.get_running_loop().call_later(0.01, runtime.drain)  # what the first Ctrl-C does
            await office.wait()

    run(main(), runtime=runtime)
    assert log == ["a begins", "a ends"]


async def test_failures_are_told_to_the_log_and_as_events(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="linecook")
    kinds: list[str] = []
    async with Runtime() as runtime:
        runtime.subscribe(lambda event: kinds.append(event.kind))
        async with team() as kitchen:
            ref = kitchen.start(cook())
            for _ in range(2):
                await ref.tell(Order("burnt"))
            await ref.ask(Order("soup"))
            other = kitchen.start(cook(), restart="temporary")
            await other.tell(Order("burnt"))
            await other.wait_closed()
    assert "team/cook:0 failed and is started anew: ValueError('it burnt')" in caplog.text
    assert "team/cook:1 failed and is not started anew: ValueError('it burnt')" in caplog.text
    assert [kind for kind in kinds if kind.startswith(("agent", "message"))] == [
        "message.dead", "agent.restarted", "message.dead", "agent.restarted", "message.dead", "agent.failed",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_or_doubled_when_agents_crash_at_random(seed: int) -> None:
    dice = random.Random(seed)
    handled: dict[str, list[int]] = {}

    @agent
    async def shaky(inbox: Inbox[Any], name: str) -> None:
        async for message in inbox:
            for _ in range(dice.randrange(3)):
                await asyncio.sleep(0)
            if dice.random() < 0.2:
                raise ValueError(f"{message.body!r}")
            handled.setdefault(name, []).append(message.body)
            message.reply(message.body)

    async with team(intensity=None) as office:
        names = [f"agent {place}" for place in range(5)]
        refs = [office.start(shaky(name)) for name in names]

        async def ask_all(ref: Ref[Any]) -> tuple[list[int], list[int]]:
            good, bad = list[int](), list[int]()
            for number in range(60):
                try:
                    answer: Any = await ref.ask(number)  # type: ignore[arg-type]
                    assert answer == number
                    good.append(number)
                except AgentFailed:
                    bad.append(number)
            return good, bad

        results = await asyncio.gather(*(ask_all(ref) for ref in refs))
        for name, (good, bad) in zip(names, results, strict=True):
            assert handled[name] == good
            assert sorted(good + bad) == list(range(60))
            assert bad
        assert office.statistics()["dead_letters"] == sum(len(bad) for _, bad in results)


async def test_a_hundred_agents_stop_in_a_few_turns() -> None:
    async with team() as kitchen:
        refs = [kitchen.start(cook()) for _ in range(100)]
        await turns()
    assert [await ref.wait_closed() for ref in refs] == [Ok(None)] * 100
    for ref in refs:
        with pytest.raises(CallError):
            await ref.ask(Order("soup"))


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("takes_messages", [True, False])
def test_agents_that_end_in_their_first_step_are_started_anew_one_after_the_other(takes_messages: bool) -> None:
    @agent
    async def brief(inbox: Inbox[Order]) -> None:
        raise ValueError("at once")

    @agent
    async def briefer() -> None:
        raise ValueError("at once")

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with team(intensity=2000, period=60) as office:
            office.start(brief() if takes_messages else briefer())
            await office.wait()

    with pytest.raises(TeamFailed):
        asyncio.run(main())
