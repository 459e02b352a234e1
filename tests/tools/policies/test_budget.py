"""``charge``, ``budget``, ``tenant``: money is counted once, wherever it is spent, and the next call is refused."""

import asyncio
import contextvars
import os
import pickle
import signal
import threading
import time
from collections.abc import AsyncIterator

import pytest

from linecook import (
    Failed,
    Ok,
    Retry,
    Runtime,
    agent,
    as_completed,
    budget,
    charge,
    gather,
    run,
    scope,
    settle,
    tenant,
    tool,
)
from linecook._core.context import tenant_here
from linecook.errors import BudgetExceeded, LaneLost, UsageError
from linecook.tools.policies import budget as module


@tool
async def ask(usd: float = 0.25) -> float:
    charge(tokens_in=10, tokens_out=5, usd=usd)
    return usd


@tool
def ask_on_a_thread(usd: float = 0.25) -> float:
    charge(tokens_in=10, tokens_out=5, usd=usd)
    return usd


@tool(lane="inline")
def ask_inline(usd: float = 0.25) -> float:
    charge(tokens_in=10, tokens_out=5, usd=usd)
    return usd


@tool(lane="process")
def ask_in_a_process(usd: float = 0.25) -> float:
    charge(tokens_in=10, usd=usd)
    charge(tokens_out=5)
    return usd


@agent
async def reader(usd: float = 0.25) -> float:
    return await ask(usd)


@pytest.fixture(autouse=True)
def fresh_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_notices", type(module._notices)())


# -- charging ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [ask, ask_on_a_thread, ask_inline, ask_in_a_process, reader])
async def test_a_charge_counts_once_wherever_the_body_runs(one) -> None:
    with budget(usd=10) as purse, budget() as inner:
        await one()
    for level in (purse, inner):
        assert (level.spent.usd, level.spent.tokens) == (0.25, 15)


async def test_charges_of_many_threads_and_tasks_are_all_there() -> None:
    with budget(usd=100) as purse:
        await settle(ask_on_a_thread(0.01) for _ in range(300))
        await settle(reader(0.01) for _ in range(300))
    assert purse.spent.usd == 6
    assert purse.spent.calls == 900


async def test_threads_of_a_tools_own_charge_its_call() -> None:
    @tool
    def with_helpers() -> None:
        contexts = [contextvars.copy_context() for _ in range(4)]
        helpers = [threading.Thread(target=context.run, args=(charge, 1)) for context in contexts]
        for helper in helpers:
            helper.start()
        for helper in helpers:
            helper.join()

    with budget() as purse:
        await with_helpers.options(lane="inline")()
    assert purse.spent.tokens == 4


@tool(lane="process")
def helped() -> None:
    helper = threading.Thread(target=charge, args=(7,))
    helper.start()
    helper.join()


async def test_threads_of_a_process_tool_charge_its_call() -> None:
    with budget() as purse:
        await helped()
    assert purse.spent.tokens == 7


@tool(lane="process")
def leaves_a_thread() -> None:
    threading.Timer(0.05, charge, args=(7,)).start()


@tool(lane="process")
def waits(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.slow
async def test_a_charge_that_comes_after_its_call_is_not_lost_unseen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Runtime(processes=1):
        with budget() as purse:
            await leaves_a_thread()
            await asyncio.sleep(0.3)
            await waits(0)
    assert purse.spent.tokens == 0
    (record,) = caplog.records
    assert "tokens_in=7" in record.message
    assert "for a call that had ended: nobody keeps count of it" in record.message


@tool(lane="process")
def forks_and_charges() -> int:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        charge(usd=1)
        os.write(write, b"1")
        os._exit(0)
    os.waitpid(child, 0)
    return len(os.read(read, 1))


async def test_a_process_forked_off_by_a_tool_charges_nobody_and_breaks_nothing() -> None:
    with budget() as purse:
        assert await forks_and_charges() == 1
        await ask_in_a_process()
    assert purse.spent.usd == 0.25


@tool(lane="process")
def pay_and_die() -> None:
    charge(usd=3)
    os.kill(os.getpid(), signal.SIGKILL)


async def test_what_a_process_has_charged_counts_when_it_is_killed() -> None:
    with budget(usd=10) as purse, pytest.raises(LaneLost):
        await pay_and_die()
    assert purse.spent.usd == 3


@tool(lane="process")
def pay_much() -> None:
    charge(tokens_in=10**30, usd=10**12)


async def test_no_sum_is_too_large_to_travel() -> None:
    with budget() as purse:
        await pay_much()
    assert (purse.spent.tokens, purse.spent.usd) == (10**30, 10**12)


@tool(lane="process")
def charge_badly() -> None:
    charge(usd=-1)


@pytest.mark.parametrize("lane", ["process", "thread"])
async def test_a_bad_charge_raises_where_it_is_made_and_counts_nothing(lane: str) -> None:
    with budget() as purse, pytest.raises(ValueError, match="usd of charge must be 0 or more"):
        await charge_badly.options(lane=lane)()
    assert purse.spent.usd == 0


async def test_a_charge_is_an_event_with_its_call() -> None:
    heard = []
    async with Runtime() as runtime:
        runtime.subscribe(heard.append)
        await gather(ask(), ask_on_a_thread(), ask_in_a_process())
    charges = [event for event in heard if event.kind == "call.charged"]
    assert sum(event.data["usd"] for event in charges) == 0.75
    assert {event.frame.name for event in charges} == {"ask", "ask_on_a_thread", "ask_in_a_process"}


def test_a_charge_outside_of_everything_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        charge(usd=1)
    assert [record.message for record in caplog.records] == [
        "charge() was called outside any call of linecook and any budget: nobody keeps count of it"
    ]


async def test_plain_code_inside_a_budget_may_charge() -> None:
    async with budget(usd=1) as purse:
        charge(usd=0.5)
        await asyncio.create_task(_charging())
    assert purse.spent.usd == 0.75


async def _charging() -> None:
    charge(usd=0.25)


async def test_a_stream_charges_piece_by_piece() -> None:
    @tool
    async def write(pieces: int) -> AsyncIterator[str]:
        for _ in range(pieces):
            charge(tokens_out=1)
            yield "word"

    with budget(calls=1) as purse:
        assert [piece async for piece in write(3)] == ["word"] * 3
        with pytest.raises(BudgetExceeded, match=r"write\(2\) was refused"):
            await anext(write(2))
    assert (purse.spent.tokens, purse.spent.calls) == (3, 1)


# -- at zero -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [ask, ask_on_a_thread, ask_inline, reader])
async def test_when_it_is_used_up_the_next_call_is_refused_and_what_was_done_is_kept(one) -> None:
    with budget(usd=0.4) as purse:
        assert [await one(), await one()] == [0.25, 0.25]
        with pytest.raises(BudgetExceeded, match=r"was refused: budget\(usd=0.4\) has spent 0.5 of 0.4 usd") as caught:
            await one()
    assert purse.spent.usd == 0.5
    assert purse.left.usd == 0
    error = caught.value
    assert (error.what, error.spent, error.granted, error.work) == ("usd", 0.5, 0.4, "not started")
    assert error.call.times.attempts == 0


async def test_in_settle_what_may_not_begin_is_an_outcome() -> None:
    with budget(calls=3) as purse:
        reports = await settle(ask() for _ in range(10))
    assert [isinstance(report, Ok) for report in reports] == [True] * 3 + [False] * 7
    assert all(isinstance(report, Failed) and isinstance(report.error, BudgetExceeded) for report in reports[3:])
    assert all(report.work == "not started" for report in reports[3:])
    assert purse.spent.calls == 3


async def test_in_gather_it_is_the_first_failure() -> None:
    with budget(calls=2), pytest.raises(BudgetExceeded, match=r"has spent 2 of 2 calls"):
        await gather(ask(), ask(), ask())


async def test_as_completed_and_scopes_give_it_as_outcomes_too() -> None:
    with budget(calls=1):
        async with as_completed([ask(), ask_on_a_thread()]) as outcomes:
            seen = [type(outcome) async for outcome in outcomes]
        assert sorted(kind.__name__ for kind in seen) == ["Failed", "Ok"]
        with pytest.raises(BudgetExceeded):
            async with scope() as block:
                block.start(ask())


async def test_plain_asyncio_gets_it_from_the_call() -> None:
    with budget(calls=1):
        answers = await asyncio.gather(ask(), ask(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [float, BudgetExceeded]


async def test_attempts_of_one_call_count_once() -> None:
    tries = []

    @tool(effect="read", retry=Retry(on=OSError, attempts=3, wait=0))
    async def shaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError
        return len(tries)

    with budget(calls=1) as purse:
        assert await shaky() == 3
    assert purse.spent.calls == 1


async def test_no_attempt_is_made_with_money_that_is_gone() -> None:
    @tool(effect="read", retry=Retry(on=OSError, attempts=5, wait=0))
    async def dear_and_shaky() -> None:
        charge(usd=0.6)
        raise OSError("try again")

    with budget(usd=1) as purse:
        with pytest.raises(OSError, match="try again") as caught:
            await dear_and_shaky()
    assert purse.spent.usd == 1.2
    assert "not tried again: budget(usd=1) has spent 1.2 of 1 usd" in caught.value.__notes__


async def test_zero_refuses_the_first_call() -> None:
    with budget(usd=0), pytest.raises(BudgetExceeded, match="has spent 0 of 0 usd"):
        await ask()


async def test_tokens_are_bounded_too() -> None:
    with budget(tokens=20) as purse:
        await ask()
        await ask()
        with pytest.raises(BudgetExceeded, match="30 of 20 tokens"):
            await ask()
    assert purse.spent.tokens == 30


def test_the_error_travels() -> None:
    error = BudgetExceeded("no", what="usd", spent=2.0, granted=1.0)
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.what, back.spent, back.granted, back.work) == ("no", "usd", 2.0, 1.0, "not started")


async def test_a_refused_call_has_run_and_is_not_reported_as_never_awaited() -> None:
    with budget(calls=0):
        call = ask()
        with pytest.raises(BudgetExceeded):
            await call
        with pytest.raises(UsageError, match="runs once"):
            await call


# -- nested --------------------------------------------------------------------------------------------------------


async def test_a_budget_takes_its_share_out_of_the_one_around_it_and_gives_the_rest_back() -> None:
    with budget(usd=1) as outer:
        with budget(usd=0.5) as inner:
            assert (outer.left.usd, inner.left.usd) == (0.5, 0.5)
            await ask(0.2)
        assert outer.left.usd == 0.8


async def test_siblings_cant_spend_each_others_share() -> None:
    @agent
    async def spender(share: float, each: float) -> float:
        with budget(usd=share) as own:
            while own.left.usd:
                await ask(each)
        return own.spent.usd

    with budget(usd=1) as purse:
        assert await gather(spender(0.5, 0.1), spender(0.3, 0.15)) == (0.5, 0.3)
    assert purse.spent.usd == 0.8
    assert purse.left.usd == pytest.approx(0.2)


async def test_a_share_that_is_not_there_says_so() -> None:
    with budget(usd=0.25):
        await ask()
        with budget(usd=5), pytest.raises(BudgetExceeded, match=r"it asked for 5 usd, and no more was left around it"):
            await ask()


async def test_what_inner_budgets_hold_is_named() -> None:
    opened, go_on = asyncio.Event(), asyncio.Event()

    @agent
    async def holder() -> None:
        with budget(usd=1):
            opened.set()
            await go_on.wait()

    with budget(usd=1):
        async with scope() as block:
            block.start(holder())
            await opened.wait()
            with pytest.raises(BudgetExceeded, match="spent 0 of 1 usd, and budgets inside it hold 1 usd"):
                await ask()
            go_on.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert await ask() == 0.25


async def test_what_outlives_its_budget_stays_bound_by_it() -> None:
    go_on = asyncio.Event()

    @agent
    async def straggler() -> None:
        await go_on.wait()
        await ask()
        await ask()

    with budget(usd=0.2) as purse:
        task = asyncio.create_task(straggler())
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(BudgetExceeded):
        await task
    assert purse.spent.usd == 0.25


async def test_background_work_of_the_runtime_is_bound_by_none() -> None:
    async with Runtime() as runtime:
        with budget(calls=0):
            assert await runtime.start(ask()) == 0.25


def test_a_budget_around_run_holds_inside() -> None:
    with budget(calls=2) as purse:
        run(reader())
        with pytest.raises(BudgetExceeded):
            run(reader())
    assert purse.spent.calls == 2


def test_loops_in_two_threads_share_one_budget() -> None:
    with budget(usd=10) as purse:
        contexts = [contextvars.copy_context() for _ in range(2)]
        threads = [threading.Thread(target=c.run, args=(asyncio.run, _many())) for c in contexts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert purse.spent.usd == 2


async def _many() -> None:
    await settle(ask_on_a_thread(0.01) for _ in range(100))


# -- depth and fan-out ---------------------------------------------------------------------------------------------


# https://github.com/pydantic/pydantic-ai/issues/6884: one turn of a model fanned out 792 tool calls.


@agent
async def boss(n: int = 0) -> int:
    """Hands the work to another boss, for ever."""
    (answer,) = await gather([boss(n + 1)])
    return answer


async def test_a_runaway_recursion_ends_in_an_error_that_shows_the_chain() -> None:
    with budget(depth=20) as purse, pytest.raises(BudgetExceeded) as caught:
        await boss()
    assert purse.spent.calls == 20
    assert str(caught.value) == (
        "boss(20) was refused: it would be agent 21 in a row under budget(depth=20), which allows depth=20: boss > "
        "boss > ... 16 more > boss > boss > boss. Does an agent call itself without an end?"
    )


async def test_depth_counts_agents_and_not_tools() -> None:
    with budget(depth=1):
        assert await reader() == 0.25
    with budget(depth=0):
        assert await ask() == 0.25
        with pytest.raises(BudgetExceeded):
            await reader()


@pytest.mark.parametrize("many", [gather, settle])
async def test_a_turn_of_792_calls_is_refused_before_one_begins(many) -> None:
    with budget(fan_out=100) as purse:
        with pytest.raises(BudgetExceeded, match=r"of 792 calls was refused: budget\(fan_out=100\) allows fan_out=100"):
            await many([ask() for _ in range(792)])
        assert purse.spent.calls == 0
        assert len(await settle([ask() for _ in range(100)])) == 100


async def test_a_lazy_turn_of_792_calls_ends_at_the_bound() -> None:
    with budget(fan_out=100):
        reports = await settle(ask() for _ in range(792))
    assert reports.counts["ok"] == 100


async def test_a_turn_through_plain_asyncio_is_bounded_by_what_runs_at_once() -> None:
    @tool
    async def slow() -> int:
        await asyncio.sleep(0)
        return 1

    @agent
    async def worker(turns: int, width: int) -> list:
        return [await asyncio.gather(*(slow() for _ in range(width)), return_exceptions=True) for _ in range(turns)]

    with budget(fan_out=10):
        turns = await worker(20, 9)
        assert [sum(turn) for turn in turns] == [9] * 20
        (turn,) = await worker(1, 50)
    assert [type(answer) for answer in turn] == [int] * 10 + [BudgetExceeded] * 40


async def test_an_agent_that_works_in_a_loop_is_no_fan_out() -> None:
    @agent
    async def loops() -> None:
        for _ in range(50):
            await ask(0)

    with budget(fan_out=2):
        await loops()


# -- notices -------------------------------------------------------------------------------------------------------


async def test_at_four_fifths_one_event_and_one_line_say_so(caplog: pytest.LogCaptureFixture) -> None:
    heard = []
    async with Runtime() as runtime:
        runtime.subscribe(heard.append)
        with budget(usd=1):
            for _ in range(10):
                await ask_on_a_thread(0.1)
    low = [event for event in heard if event.kind == "budget.low"]
    assert [event.data for event in low] == [{"budget": "budget(usd=1)", "what": "usd", "spent": 0.8, "granted": 1}]
    assert [record.message for record in caplog.records] == [
        "budget(usd=1): 0.8 of 1 usd spent, lately by budget; when it is used up the next call raises BudgetExceeded"
    ]


async def test_a_thousand_low_budgets_are_one_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(1_000):
        with budget(calls=1):
            await ask()
    assert 1 <= len(caplog.records) < 100


# -- wrong use -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grants", "complaint"), [
    ({"usd": -1}, "usd of budget must be 0 or more"),
    ({"usd": float("nan")}, "usd of budget must be 0 or more, and finite"),
    ({"usd": "5"}, "usd of budget must be a number of dollars"),
    ({"calls": 1.5}, "calls of budget must be a whole number"),
    ({"tokens": -1}, "tokens of budget must be 0 or more"),
    ({"depth": -1}, "depth of budget must be 0 or more"),
    ({"fan_out": 0}, "fan_out of budget must be 1 or more"),
])  # fmt: skip
def test_a_figure_that_makes_no_sense_is_refused_by_name(grants: dict, complaint: str) -> None:
    with pytest.raises((TypeError, ValueError), match=complaint):
        budget(**grants)


def test_a_budget_is_entered_once() -> None:
    purse = budget(usd=1)
    with purse:
        pass
    with pytest.raises(UsageError, match=r"budget\(usd=1\) is entered once"), purse:
        pass


@tool(lane="process")
def budget_inside() -> None:
    with budget(usd=1):
        pass


@pytest.mark.parametrize("lane", ["process", "thread"])
async def test_a_budget_inside_a_tool_says_where_it_belongs(lane: str) -> None:
    with pytest.raises(UsageError, match="Put the budget around the call"):
        await budget_inside.options(lane=lane)()


async def test_a_budget_left_in_another_context_ends_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    async def fixture() -> AsyncIterator[None]:
        with budget(calls=5), tenant("other"):
            yield

    made = fixture()
    await asyncio.create_task(anext(made))
    with pytest.raises(StopAsyncIteration):
        await asyncio.create_task(anext(made))
    assert await ask() == 0.25


# -- tenants -------------------------------------------------------------------------------------------------------


async def test_a_tenant_is_inherited_by_tasks_and_threads() -> None:
    @tool
    def on_a_thread() -> tuple[str, float]:
        return tenant_here.get()

    @tool
    async def on_the_loop() -> tuple[str, float]:
        return tenant_here.get()

    with tenant("kitchen-7", weight=2):
        assert list(await gather(on_a_thread(), on_the_loop())) == [("kitchen-7", 2.0)] * 2
        with tenant("inner"):
            assert await on_the_loop() == ("inner", 1.0)
    assert await on_the_loop() == ("", 1.0)


@pytest.mark.parametrize(("name", "weight", "complaint"), [
    (7, 1, "name of tenant must be text"),
    ("a", 0, "must be above 0"),
    ("a", float("inf"), "must be above 0, and finite"),
    ("a", "2", "must be a number"),
])  # fmt: skip
def test_a_tenant_that_makes_no_sense_is_refused(name, weight, complaint: str) -> None:
    with pytest.raises((TypeError, ValueError), match=complaint):
        tenant(name, weight)
