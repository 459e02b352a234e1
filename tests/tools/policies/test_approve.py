"""``approve=`` and ``approving``: what has effects runs when somebody has said yes, and runs as it was shown."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from linecook import Call, Failed, Retry, Runtime, agent, approving, budget, fail_after, gather, settle, tool
from linecook.errors import NotApproved, TimedOutError, UsageError
from linecook.observe import Event
from linecook.testing import VirtualClock

ran: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


async def yes(call: Call[Any]) -> bool:
    return True


async def no(call: Call[Any]) -> bool:
    return False


async def too_dear(call: Call[Any]) -> bool | str:
    return True if call.arguments["usd"] < 100 else "too dear"


@tool
async def pay(usd: float) -> float:
    ran.append(usd)
    return usd


@tool
def pay_on_a_thread(usd: float) -> float:
    ran.append(usd)
    return usd


@tool(limit=1)
async def pay_in_turn(usd: float) -> float:
    ran.append(usd)
    return usd


@tool(lane="inline")
def pay_inline(usd: float) -> float:
    ran.append(usd)
    return usd


@tool(effect="read")
async def price(dish: str) -> str:
    return f"9 for {dish}"


EVERY_WAY = [pay, pay_on_a_thread, pay_in_turn, pay_inline, pay.options(timeout=5)]
NAMES = ["loop", "thread", "limit", "inline", "timeout"]


@pytest.mark.parametrize("kind", EVERY_WAY, ids=NAMES)
async def test_what_is_refused_does_not_run(kind: Any) -> None:
    for refused in (kind.options(approve=too_dear)(120.0),):
        with pytest.raises(
            NotApproved, match=r"pay.*\(120\.0\) did not run: too_dear was asked, and refused: too dear"
        ):
            await refused
    with approving(too_dear), pytest.raises(NotApproved, match="too dear"):
        await kind(120.0)
    assert ran == []


@pytest.mark.parametrize("kind", EVERY_WAY, ids=NAMES)
async def test_what_is_approved_runs_once(kind: Any) -> None:
    assert await kind.options(approve=too_dear)(1.0) == 1.0
    with approving(too_dear):
        assert await kind(2.0) == 2.0
        assert await gather(kind(usd) for usd in (3.0, 4.0)) == [3.0, 4.0]
        assert await asyncio.create_task(kind(5.0)) == 5.0
    assert sorted(ran) == [1.0, 2.0, 3.0, 4.0, 5.0]


async def test_agents_inside_are_asked_about_and_what_only_reads_is_not() -> None:
    @agent
    async def order(dish: str) -> float:
        assert await price(dish) == "9 for soup"
        return await pay(9.0)

    with approving(no), pytest.raises(NotApproved, match="refused"):
        await order("soup")
    assert await order("soup") == 9.0


async def test_a_fan_out_settles_with_what_was_refused() -> None:
    with approving(too_dear):
        outcomes = await settle(pay(usd) for usd in (1.0, 200.0, 3.0))
    assert outcomes.results == [1.0, 3.0]
    (failed,) = outcomes.failures
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NotApproved)
    assert failed.work == "not started"


async def test_all_blocks_around_are_asked_the_nearest_first_and_the_tool_last() -> None:
    asked: list[str] = []

    def noting(name: str) -> Any:
        async def note(call: Call[Any]) -> bool:
            asked.append(name)
            return name != "nobody"

        return note

    with approving(noting("far")), approving(noting("near")):
        await pay.options(approve=noting("own"))(1.0)
    assert asked == ["near", "far", "own"]
    with approving(noting("far")), approving(noting("nobody")), pytest.raises(NotApproved):
        await pay(1.0)
    assert asked[3:] == ["nobody"]


async def test_what_the_caller_changes_meanwhile_is_not_what_runs() -> None:
    asked, answered = asyncio.Event(), asyncio.Event()
    shown: list[Any] = []

    async def slow(call: Call[Any]) -> bool:
        shown.append(call.arguments["order"])
        asked.set()
        await answered.wait()
        shown[0]["to"].append("whoever approves")
        return True

    @tool(approve=slow)
    async def send(order: dict[str, list[str]]) -> dict[str, list[str]]:
        return order

    order = {"to": ["Ann"]}
    sending = asyncio.create_task(send(order))
    await asked.wait()
    order["to"].append("the caller")
    answered.set()
    assert await sending == {"to": ["Ann"]}
    assert shown == [{"to": ["Ann", "whoever approves"]}]


@dataclass
class Order:
    dish: str
    extras: list[str] = field(default_factory=list[str])


async def test_values_are_copied_and_things_with_an_identity_are_passed_as_they_are() -> None:
    class Client:
        pass

    @tool(approve=yes)
    async def place(order: Order, client: Client, notes: tuple[list[int], ...]) -> tuple[Any, ...]:
        return order, client, notes

    order, client, notes = Order("soup", ["salt"]), Client(), ([1], [2])
    got_order, got_client, got_notes = await place(order, client, notes)
    assert (got_order, got_notes) == (order, notes)
    assert got_order is not order
    assert got_order.extras is not order.extras
    assert got_notes[0] is not notes[0]
    assert got_client is client


async def test_the_instance_of_a_method_is_not_copied() -> None:
    @dataclass
    class Till:
        usd: float = 0.0

        @tool(approve=yes)
        async def put(self, usd: float) -> None:
            self.usd += usd

    till = Till()
    await till.put(5.0)
    assert till.usd == 5.0


async def test_arguments_that_cant_be_copied_are_refused() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            return True

        def __deepcopy__(self, memo: object) -> "Odd":
            raise TypeError("no copies")

    @tool(approve=yes)
    async def take(thing: Odd) -> None:
        ran.append(thing)

    with pytest.raises(NotApproved, match=r"can't be copied \(TypeError: no copies\)"):
        await take(Odd())
    assert ran == []


async def test_an_argument_that_holds_itself_is_copied() -> None:
    @tool(approve=yes)
    async def take(things: list[Any]) -> bool:
        return things[0] is things

    things: list[Any] = []
    things.append(things)
    assert await take(things)


async def test_the_wait_is_queued_time_within_the_time_out(clock: VirtualClock) -> None:
    async def tired(call: Call[Any]) -> bool:
        await asyncio.sleep(3)
        return True

    (paid,) = await settle([pay.options(approve=tired)(1.0)])
    assert paid.times.queued == pytest.approx(3)
    with pytest.raises(TimedOutError, match=r"2 s queued .*It never began") as caught:
        await pay.options(approve=tired, timeout=2)(2.0)
    assert caught.value.work == "not started"
    with approving(tired), pytest.raises(TimedOutError):
        await pay_on_a_thread.options(timeout=2)(3.0)
    with approving(tired), pytest.raises(TimeoutError), fail_after(1):
        await pay(4.0)
    assert ran == [1.0]


async def test_the_wait_holds_no_place_of_a_limit(clock: VirtualClock) -> None:
    async def tired(call: Call[Any]) -> bool:
        await asyncio.sleep(3)
        return True

    waiting = asyncio.create_task(gather(pay_in_turn.options(approve=tired)(1.0)))
    await asyncio.sleep(1)
    assert await pay_in_turn(2.0) == 2.0
    assert clock.time() < 2
    await waiting
    assert ran == [2.0, 1.0]


async def test_one_answer_is_for_all_attempts() -> None:
    asked: list[Any] = []

    async def note(call: Call[Any]) -> bool:
        asked.append(call.args)
        return True

    @tool(approve=note, retry=Retry(on=ValueError, attempts=3, wait=0), effect="keyed")
    async def flaky(order: list[str]) -> int:
        order.append("changed by an attempt")
        ran.append(1)
        if len(ran) < 3:
            raise ValueError
        return len(ran)

    assert await flaky(["soup"]) == 3
    assert asked == [(["soup"],)]


async def test_who_is_asked_may_be_a_tool_that_nobody_is_asked_about() -> None:
    @tool(limit=1)
    def ask_at_the_door(call: Call[Any]) -> bool:
        return call.name == "pay"

    with approving(ask_at_the_door), budget(calls=1) as purse:
        assert await pay(1.0) == 1.0
    assert purse.spent.calls == 1


async def test_who_is_asked_may_have_to_ask_in_turn() -> None:
    asked: list[str] = []

    async def boss(call: Call[Any]) -> bool:
        asked.append("boss")
        return True

    @tool(approve=boss)
    async def clerk(call: Call[Any]) -> bool:
        asked.append("clerk")
        return True

    with approving(clerk):
        assert await pay(1.0) == 1.0
    assert asked == ["boss", "clerk"]


async def test_a_call_is_answered_in_time_though_whoever_approves_resists() -> None:
    answered = asyncio.Event()

    async def stubborn(call: Call[Any]) -> bool:
        while not answered.is_set():
            try:
                await answered.wait()
            except asyncio.CancelledError:
                continue
        return True

    async with asyncio.timeout(10):
        with pytest.raises(TimedOutError):
            await pay.options(approve=stubborn, timeout=0.02, grace=0.02)(1.0)
    answered.set()
    await asyncio.sleep(0.01)
    assert ran == []


async def test_when_the_caller_leaves_whoever_approves_is_told() -> None:
    told: list[bool] = []
    begun = asyncio.Event()

    async def patient(call: Call[Any]) -> bool:
        try:
            begun.set()
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            told.append(True)
            raise
        return True

    paying = asyncio.create_task(pay.options(approve=patient)(1.0))
    await begun.wait()
    paying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await paying
    assert (told, ran) == ([True], [])


async def test_a_stream_waits_for_approval_too() -> None:
    @tool
    async def print_labels(count: int) -> AsyncIterator[int]:
        for number in range(count):
            ran.append(number)
            yield number

    with approving(no), pytest.raises(NotApproved):
        async for _ in print_labels(2):
            pass
    assert ran == []
    assert [label async for label in print_labels.options(approve=yes)(2)] == [0, 1]


async def test_an_approver_that_fails_lets_nothing_run() -> None:
    async def broken(call: Call[Any]) -> bool:
        raise ConnectionError("the line is dead")

    with approving(broken), pytest.raises(ConnectionError):
        await pay(1.0)
    assert ran == []


@pytest.mark.parametrize("answer", [None, 1, object()], ids=["None", "1", "object"])
async def test_an_answer_that_is_no_answer_refuses(answer: Any) -> None:
    async def odd(call: Call[Any]) -> Any:
        return answer

    with approving(odd), pytest.raises(NotApproved, match="neither True nor False"):
        await pay(1.0)
    assert ran == []


async def test_what_cant_wait_is_refused_by_name() -> None:
    def plain(call: Call[Any]) -> bool:
        return True

    with pytest.raises(UsageError, match="plain is a plain def"):
        tool(approve=plain)  # type: ignore[arg-type]
        tool(approve=plain)(pay.body)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="plain is a plain def"):
        approving(plain)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not True"):
        pay.options(approve=True)
    with approving(lambda call: True), pytest.raises(UsageError, match="at once"):  # type: ignore[arg-type, return-value]
        await pay(1.0)


async def test_a_block_is_entered_once_and_ends_where_it_ends() -> None:
    block = approving(no)
    with block:
        pass
    assert await pay(1.0) == 1.0
    with pytest.raises(UsageError, match="entered before"), block:
        pass


async def test_who_is_asked_and_what_he_says_are_events() -> None:
    told: list[Event] = []
    async with Runtime() as runtime:
        runtime.subscribe(lambda event: told.append(event) if event.kind.startswith("approval.") else None)
        with approving(too_dear):
            await settle(pay(5), pay(500))
        with approving(no):
            await settle(pay(6))
    assert [(event.kind, event.data["whom"], event.data["shown"]) for event in told] == [
        ("approval.asked", "too_dear", "pay(5)"),
        ("approval.asked", "too_dear", "pay(500)"),
        ("approval.given", "too_dear", "pay(5)"),
        ("approval.refused", "too_dear", "pay(500)"),
        ("approval.asked", "no", "pay(6)"),
        ("approval.refused", "no", "pay(6)"),
    ]
    assert [event.data["why"] for event in told if event.kind == "approval.refused"] == ["too dear", ""]
    assert told[0].frame is not None
    assert told[0].frame.name == "pay"


async def test_agents_take_no_approve() -> None:
    @agent
    async def order() -> None: ...

    with pytest.raises(UsageError, match="order is an agent"):
        order.options(approve=yes)
