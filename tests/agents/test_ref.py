"""An agent is told, asked, streamed from and stopped; whoever waits is always answered, or told why not."""

import asyncio
import time
from typing import Any

import pytest

from linecook import Failed, Inbox, Ok, Ref, agent, fail_after, move_on_after, remaining, scope, settle, team, tool
from linecook.agents.message import Message
from linecook.errors import (
    AgentFailed,
    AsksItself,
    MailboxClosed,
    NestedTool,
    NoReply,
    Refused,
    TimedOutError,
    UsageError,
)
from linecook.testing import VirtualClock
from tests.aside import aside

from .menu import Count, Dish, Order, cook, counter


async def test_a_question_is_answered() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook())
        assert await ref.ask(Order("soup")) == Dish("soup")
        assert await ref.ask(Order("salad"), timeout=5) == Dish("salad")


async def test_a_late_reply_is_not_taken_for_the_next_answer(clock: VirtualClock) -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook(delay=2))
        with pytest.raises(
            TimedOutError, match=r"cook:0\.ask\(Order\(name='soup'\)\).*timeout=1 s: the agent had taken it"
        ):
            await ref.ask(Order("soup"), timeout=1)
        assert await ref.ask(Order("salad"), timeout=5) == Dish("salad")  # 'soup' came meanwhile, and was dropped
        assert ref.statistics()["late"] == 1


async def test_a_question_given_up_in_the_mailbox_is_never_seen_by_the_agent(clock: VirtualClock) -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook(delay=2))
        soup = asyncio.create_task(ref.ask(Order("soup")))
        await asyncio.sleep(0)
        with pytest.raises(TimedOutError, match="it still waited in the mailbox, where there were 1 messages"):
            await ref.ask(Order("salad"), timeout=1)
        assert await soup == Dish("soup")
        assert ref.statistics()["taken"] == 1


async def test_an_agents_own_variables_need_no_lock() -> None:
    async with team() as office:
        ref = office.start(counter())
        await asyncio.gather(*(ref.tell("one") for _ in range(100)))
        assert await ref.ask(Count()) == 100


async def test_messages_of_one_sender_arrive_in_order() -> None:
    seen: list[int] = []

    @agent
    async def listener(inbox: Inbox[int]) -> None:
        async for message in inbox:
            seen.append(message.body)  # noqa: PERF401 - one at a time

    async with team() as office:
        ref = office.start(listener(), capacity=3)
        for number in range(100):
            await ref.tell(number)
    assert seen == list(range(100))


async def test_the_askers_deadline_travels_to_the_agent_and_its_tools(clock: VirtualClock) -> None:
    @tool
    async def look() -> float | None:
        return remaining()

    @agent
    async def clerk(inbox: Inbox[Any]) -> None:
        async for message in inbox:
            message.reply((message.remaining(), remaining(), await look()))

    async with team() as office:
        ref = office.start(clerk())
        assert await ref.ask(Order(""), timeout=5) == pytest.approx((5, 5, 5))
        with fail_after(3):
            assert await ref.ask(Order(""), timeout=5) == pytest.approx((3, 3, 3))
        assert await ref.ask(Order("")) == (None, None, None)


async def test_a_teams_deadline_bounds_the_agent_whoever_asks(clock: VirtualClock) -> None:
    @agent
    async def clerk(inbox: Inbox[Any]) -> None:
        async for message in inbox:
            message.reply(remaining())

    with fail_after(2):
        async with team() as office:
            assert await office.start(clerk()).ask(Order(""), timeout=5) == pytest.approx(2)


async def test_a_cancelled_asker_leaves_no_trace(clock: VirtualClock) -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook(delay=1))
        with move_on_after(0.5):
            await ref.ask(Order("soup"))
        assert await ref.ask(Order("salad")) == Dish("salad")


async def test_a_failing_handler_tells_its_asker_and_nobody_else() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook())
        burnt, soup = await settle([ref.ask(Order("burnt")), ref.ask(Order("soup"))])
        assert soup == Ok(Dish("soup"))
        assert isinstance(burnt, Failed)
        assert isinstance(burnt.error, AgentFailed)
        assert isinstance(burnt.error.__cause__, ValueError)


async def test_message_fail_answers_with_an_error_and_harms_nobody() -> None:
    @agent
    async def waiter(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            message.fail(LookupError(message.body.name))

    async with team() as kitchen:
        ref = kitchen.start(waiter())
        with pytest.raises(LookupError, match="soup"):
            await ref.ask(Order("soup"))
        assert ref.statistics()["starts"] == 1


async def test_an_agent_that_goes_on_without_an_answer_is_told_on() -> None:
    @agent
    async def forgetful(inbox: Inbox[Order]) -> None:
        async for _ in inbox:
            pass

    async with team() as kitchen:
        with pytest.raises(NoReply, match=r"forgetful:0 took .*soup.* Call message.reply"):
            await kitchen.start(forgetful()).ask(Order("soup"))
        with pytest.raises(NoReply, match=r"That is a class: ask with a question, Order\(...\)"):
            await kitchen.start(forgetful()).ask(Order)  # type: ignore[arg-type]


async def test_a_deferred_answer_may_come_after_other_messages() -> None:
    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        first = await inbox.receive()
        first.defer()
        async for message in inbox:
            first.reply(Dish(f"{first.body.name} and {message.body.name}"))
            message.reply(Dish("-"))

    async with team() as office:
        ref = office.start(clerk())
        assert await asyncio.gather(ref.ask(Order("a")), ref.ask(Order("b"))) == [Dish("a and b"), Dish("-")]


async def test_a_deferred_answer_fails_when_the_agent_ends_without_it() -> None:
    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        (await inbox.receive()).defer()

    async with team() as office:
        with pytest.raises(AgentFailed, match="ended before it had answered"):
            await office.start(clerk()).ask(Order("a"))


async def test_a_second_answer_is_an_error_of_the_agent() -> None:
    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            message.reply(Dish("one"))
            message.reply(Dish("two"))

    async with team() as office:
        ref = office.start(clerk(), restart="temporary")
        assert await ref.ask(Order("a")) == Dish("one")
        outcome = await ref.wait_closed()
        assert "answered before" in str(outcome.error)  # type: ignore[union-attr]


async def test_asking_oneself_is_an_error() -> None:
    mine: list[Ref[Order]] = []

    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            message.reply(await mine[0].ask(Order("b"), timeout=5))

    async with team() as office:
        mine.append(office.start(clerk()))
        with pytest.raises(AgentFailed) as caught:
            await mine[0].ask(Order("a"))
        assert isinstance(caught.value.__cause__, AsksItself)
        assert "clerk:0 asks itself" in str(caught.value.__cause__)


@agent
async def polite(inbox: Inbox[Order], others: list[Ref[Order]], timeout: float | None) -> None:
    """Asks the next before it answers."""
    async for message in inbox:
        message.reply(await others[0].ask(message.body, timeout=timeout))


async def test_agents_that_ask_each_other_without_a_deadline_are_told() -> None:
    to_second: list[Ref[Order]] = []
    to_first: list[Ref[Order]] = []
    async with team() as office:
        first = office.start(polite(to_second, None))
        second = office.start(polite(to_first, None))
        to_first.append(first)
        to_second.append(second)
        with pytest.raises(AgentFailed) as caught:
            await first.ask(Order("a"))
        cause: Any = caught.value
        while not isinstance(cause, AsksItself):
            cause = cause.__cause__
        assert "polite:0 > team/polite:1 > team/polite:0" in str(cause)


async def test_the_deadline_of_somebody_outside_leaves_no_circle_behind(clock: VirtualClock) -> None:
    to_second: list[Ref[Order]] = []
    to_first: list[Ref[Order]] = []
    async with team(grace=0) as office:
        first = office.start(polite(to_second, None))
        second = office.start(polite(to_first, None))
        to_first.append(first)
        to_second.append(second)
        with pytest.raises(AgentFailed):  # and no TimedOutError, with the two waiting for each other for ever
            await first.ask(Order("a"), timeout=5)
        assert clock.time() < 1


async def test_a_deadline_breaks_a_circle_and_names_it(clock: VirtualClock) -> None:
    to_second: list[Ref[Order]] = []
    to_first: list[Ref[Order]] = []
    async with team() as office:
        first = office.start(polite(to_second, 7))
        second = office.start(polite(to_first, 5))
        to_first.append(first)
        to_second.append(second)
        with pytest.raises(AgentFailed) as caught:
            await first.ask(Order("a"))
        cause: Any = caught.value
        while not isinstance(cause, TimedOutError):
            cause = cause.__cause__
        assert "They ask each other: team/polite:0 > team/polite:1 > team/polite:0" in str(cause)


async def test_a_tool_asks_no_agent_since_it_would_hold_its_limits_meanwhile() -> None:
    @tool(limit=1)
    async def nosy(ref: Ref[Order], how: str) -> Any:
        if how == "ask":
            return await ref.ask(Order("soup"))
        return [piece async for piece in ref.stream(Order("soup"))]

    async with team() as kitchen:
        ref = kitchen.start(cook())
        for how in ("ask", "stream"):
            with pytest.raises(NestedTool, match=r"the tool nosy asks team/cook:0: a tool is a leaf"):
                await nosy(ref, how)


async def test_a_dead_agent_refuses_and_says_why() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook(), restart="temporary")
        with pytest.raises(AgentFailed):
            await ref.ask(Order("burnt"))
        for send in (ref.ask(Order("soup")), ref.tell(Order("soup"))):
            with pytest.raises(MailboxClosed, match=r"cook:0 takes no messages: it has failed \(ValueError"):
                await send
        with pytest.raises(MailboxClosed):
            ref.tell_nowait(Order("soup"))
        assert not ref.is_alive


async def test_a_full_mailbox_makes_senders_wait(clock: VirtualClock) -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook(delay=1), capacity=2)
        async with scope() as s:
            sent = [s.start(ref.tell(Order(str(number)))) for number in range(5)]
            await asyncio.sleep(0.5)
            assert [each.done for each in sent] == [True, True, True, False, False]  # one is being cooked
            assert ref.statistics()["waiting_for_room"] == 2
            with pytest.raises(Refused):
                ref.tell_nowait(Order("x"))
    assert ref.statistics()["taken"] == 5


async def test_a_full_mailbox_refuses_if_asked_to(clock: VirtualClock) -> None:
    async with team(grace=0) as kitchen:
        ref = kitchen.start(cook(delay=1), capacity=1, when_full="refuse")
        await ref.tell(Order("a"))
        await asyncio.sleep(0)
        await ref.tell(Order("b"))
        with pytest.raises(Refused, match="capacity=1: Order"):
            await ref.tell(Order("c"))
        with pytest.raises(Refused):
            await ref.ask(Order("d"))


async def test_a_full_mailbox_drops_its_oldest_if_asked_to_and_keeps_it_as_a_dead_letter(clock: VirtualClock) -> None:
    async with team(grace=0) as kitchen:
        ref = kitchen.start(cook(delay=1), capacity=1, when_full="drop_oldest")
        await ref.tell(Order("a"))
        await asyncio.sleep(0)
        await ref.tell(Order("b"))
        asked = asyncio.create_task(ref.ask(Order("c")))
        await asyncio.sleep(0)
        await ref.tell(Order("d"))
        with pytest.raises(Refused, match=r"dropped Order.*for a newer message"):
            await asked
        assert [letter.body for letter in kitchen.dead_letters] == [Order("b")]


async def test_who_waits_for_room_learns_that_the_agent_has_ended(clock: VirtualClock) -> None:
    async with team(grace=0) as kitchen:
        ref = kitchen.start(cook(delay=1), capacity=2)
        sent = [asyncio.create_task(ref.tell(Order(str(number)))) for number in range(4)]
        await asyncio.sleep(0.5)
        await ref.stop(grace=0)
        with pytest.raises(MailboxClosed):
            await sent[3]
        await asyncio.wait(sent)
        assert [letter.body for letter in kitchen.dead_letters] == [Order("0"), Order("1"), Order("2")]


async def test_who_leaves_while_waiting_for_room_has_sent_nothing(clock: VirtualClock) -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook(delay=1), capacity=1)
        await ref.tell(Order("a"))
        await asyncio.sleep(0)
        await ref.tell(Order("b"))
        for _ in range(200):
            with move_on_after(0.001):
                await ref.tell(Order("c"))
        assert ref.statistics()["waiting_for_room"] == 0
    assert ref.statistics()["taken"] == 2


async def test_who_is_cancelled_while_waiting_for_room_has_sent_nothing_though_room_comes_in_that_turn() -> None:
    taken: list[str] = []
    opens = asyncio.Event()

    @agent
    async def quick(inbox: Inbox[str]) -> None:
        await opens.wait()
        async for message in inbox:
            taken.append(message.body)  # noqa: PERF401 - what was taken before it is ended counts

    async with team() as kitchen:
        ref = kitchen.start(quick(), capacity=1)
        await ref.tell("a")
        sender = asyncio.create_task(ref.tell("b"))
        await asyncio.sleep(0)
        opens.set()  # the agent's next step is ready, before that in which the sender hears of its end
        sender.cancel()
        await asyncio.wait([sender])
    assert taken == ["a"]


async def test_an_agent_that_tells_itself_into_a_full_mailbox_is_refused() -> None:
    mine: list[Ref[Order]] = []

    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        async for _ in inbox:
            await mine[0].tell(Order("again"))
            await mine[0].tell(Order("again"))

    async with team() as office:
        mine.append(office.start(clerk(), capacity=1, restart="temporary"))
        await mine[0].tell(Order("a"))
        outcome = await mine[0].wait_closed()
        assert isinstance(outcome.error, Refused)  # type: ignore[union-attr]


async def test_a_million_given_up_questions_to_a_hung_agent_take_no_memory() -> None:
    @agent
    async def hung(inbox: Inbox[Order]) -> None:
        await asyncio.Event().wait()

    async with team(grace=0) as office:
        ref = office.start(hung(), capacity=10)
        for _ in range(2000):
            with move_on_after(0):
                await ref.ask(Order("a"))
        child = ref._child
        count, message = 0, child._head
        while message is not None:
            count, message = count + 1, message._next
        assert count <= 65
        assert child.waiting == 0


async def test_another_thread_is_told_what_to_do_and_changes_nothing() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook())
        for does in (
            lambda: ref.tell_nowait(Order("a")),
            lambda: asyncio.run(ref.tell(Order("a"))),
            lambda: asyncio.run(ref.ask(Order("a"))),
            lambda: asyncio.run(ref.stop()),  # type: ignore[arg-type]
            lambda: asyncio.run(ref.wait_closed()),  # type: ignore[arg-type]
        ):
            with pytest.raises(UsageError, match="run_coroutine_threadsafe"):
                await aside(does)
        assert await ref.ask(Order("soup")) == Dish("soup")


@pytest.mark.slow
async def test_an_answer_given_inside_a_thread_tool_wakes_the_loop() -> None:
    @tool
    def look_up(message: Message[Order, Dish]) -> None:
        time.sleep(0.05)  # until the loop has nothing else to wake for
        message.reply(Dish("soup"))
        time.sleep(1)

    @agent
    async def waiter(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            await look_up(message)

    async with team() as kitchen:
        began = time.monotonic()
        assert await kitchen.start(waiter()).ask(Order("soup")) == Dish("soup")
        assert time.monotonic() - began < 0.9


async def test_stopping_lets_the_agent_finish_what_was_sent_before() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook())
        async with scope() as s:
            asked = [s.start(ref.ask(Order(str(number)))) for number in range(5)]
            await asyncio.sleep(0)
            assert await ref.stop() == Ok(None)
            assert [await each for each in asked] == [Dish(str(number)) for number in range(5)]


async def test_stopping_ends_what_does_not_end_by_itself(clock: VirtualClock) -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook(delay=100))
        asked = asyncio.create_task(ref.ask(Order("soup")))
        await asyncio.sleep(0)
        outcome = await ref.stop(grace=1)
        assert repr(outcome) == "Cancelled('caller')"
        with pytest.raises(AgentFailed):
            await asked
        assert clock.time() < 3
        assert await ref.stop() == outcome  # again: how it ended


async def test_an_agent_that_stops_itself_is_told_to_return() -> None:
    mine: list[Ref[Order]] = []

    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        async for _ in inbox:
            await mine[0].stop()

    async with team() as office:
        mine.append(office.start(clerk(), restart="temporary"))
        await mine[0].tell(Order("a"))
        outcome = await mine[0].wait_closed()
        assert "stops itself" in str(outcome.error)  # type: ignore[union-attr]


async def test_bad_time_outs_are_refused_before_anything_is_sent() -> None:
    async with team() as kitchen:
        ref = kitchen.start(cook())
        with pytest.raises(ValueError, match=r"timeout of team/cook:0\.ask"):
            await ref.ask(Order("a"), timeout=-1)
        assert await ref.ask(Order("b")) == Dish("b")
        assert ref.statistics()["taken"] == 1


async def test_statistics_tell_what_it_does(clock: VirtualClock) -> None:
    async with team(grace=0) as kitchen:
        ref = kitchen.start(cook(delay=1))
        await asyncio.sleep(0)
        assert ref.statistics() == {
            "state": "waiting", "starts": 1, "waiting": 0, "capacity": 1000, "waiting_for_room": 0, "deferred": 0,
            "taken": 0, "late": 0,
        }  # fmt: skip
        await ref.tell(Order("a"))
        await ref.tell(Order("b"))
        await asyncio.sleep(0.1)
        assert (ref.statistics()["state"], ref.statistics()["waiting"]) == ("busy", 1)
        assert repr(ref) == "<Ref of team/cook:0: busy>"
    assert ref.statistics()["state"] == "ended"
