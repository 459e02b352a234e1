"""Our own approvals, in every order: what runs was approved as it was shown, once; what wasn't never runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from linecook import Call, Cancelled, Failed, Ok, approving, fail_after, settle, tool
from linecook.errors import NotApproved, TimedOutError
from linecook.testing import outside
from tests.testing.exploring.house import cancelled_sometime, in_every_order


class Office:
    """Who is asked, and what was paid; made afresh in each schedule.

    Attributes:
      shown: what each question showed, as it was then.
      asking: questions without an answer so far.
      approved, paid: amounts.
    """

    def __init__(self, most: float = 100) -> None:
        self.most = most
        self.shown: list[float] = []
        self.asking = 0
        self.approved: list[float] = []
        self.paid: list[float] = []

    async def approve(self, call: Call[Any]) -> bool:
        usd = call.arguments["order"]["usd"]
        self.shown.append(usd)
        self.asking += 1
        try:
            answer = await outside(usd <= self.most)
        finally:
            self.asking -= 1
        if answer:
            self.approved.append(usd)
        return answer

    def check(self) -> None:
        """See that nobody is being asked any more, and that what was paid was approved, each once."""
        assert not self.asking
        left = list(self.approved)
        for usd in self.paid:
            left.remove(usd)


OFFICES = list[Office]()


def open_office(most: float = 100) -> Office:
    OFFICES[:] = [Office(most)]
    return OFFICES[0]


@tool
async def pay(order: dict[str, float]) -> float:
    await outside("the bank")
    OFFICES[-1].paid.append(order["usd"])
    return order["usd"]


@tool(timeout=1)
async def pay_soon(order: dict[str, float]) -> float:
    OFFICES[-1].paid.append(order["usd"])
    return order["usd"]


@tool(limit=1)
async def pay_in_turn(order: dict[str, float]) -> float:
    await outside("the bank")
    OFFICES[-1].paid.append(order["usd"])
    return order["usd"]


async def one_is_refused() -> None:
    office = open_office(most=10)
    with approving(office.approve):
        outcomes = await settle(pay({"usd": usd}) for usd in (1.0, 20.0, 3.0))
    assert outcomes.results == [1.0, 3.0]
    (failed,) = outcomes.failures
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NotApproved)
    assert sorted(office.paid) == [1.0, 3.0]
    office.check()


async def the_arguments_are_changed_meanwhile() -> None:
    office = open_office()
    order = {"usd": 1.0}

    async def change() -> None:
        await outside("the change")
        order["usd"] = 1_000.0

    with approving(office.approve):
        call = asyncio.create_task(pay(order))
        await asyncio.gather(change(), asyncio.wait([call]))
    if office.shown == [1.0]:
        assert call.result() == 1.0
        assert office.paid == [1.0]
    else:
        assert isinstance(call.exception(), NotApproved)
        assert office.paid == []
    office.check()


async def whoever_approves_changes_them_later() -> None:
    office = open_office()
    shown = list[dict[str, float]]()

    async def sly(call: Call[Any]) -> bool:
        shown.append(call.arguments["order"])
        return await office.approve(call)

    async def change() -> None:
        await outside("the change")
        for order in shown:
            order["usd"] = 1_000.0

    with approving(sly):
        answer, _ = await asyncio.gather(pay({"usd": 1.0}), change())
    assert answer == 1.0
    assert office.paid == [1.0]
    office.check()


async def the_caller_is_cancelled() -> None:
    office = open_office()
    with approving(office.approve):
        task = asyncio.create_task(pay({"usd": 1.0}))
        other = asyncio.create_task(pay({"usd": 2.0}))
        asked = await cancelled_sometime(task)
        assert task.cancelled() == asked
        assert not asked or 1.0 not in office.paid
        assert await other == 2.0
    assert office.paid.count(1.0) == (not asked)
    office.check()


async def the_answer_is_late() -> None:
    office = open_office()
    with approving(office.approve):
        outcomes = await settle(pay_soon({"usd": usd}) for usd in (1.0, 2.0))
    for usd, outcome in zip((1.0, 2.0), outcomes, strict=True):
        assert office.paid.count(usd) == isinstance(outcome, Ok)
    await asyncio.sleep(0)
    office.check()


async def the_deadline_around_it_passes() -> None:
    office = open_office()
    with approving(office.approve):
        try:
            with fail_after(1):
                await pay({"usd": 1.0})
        except TimedOutError:
            assert office.paid == []
        else:
            assert office.paid == [1.0]
    office.check()


async def two_are_asked() -> None:
    near, far = Office(), open_office(most=1)
    with approving(far.approve), approving(near.approve):
        outcomes = await settle(pay({"usd": usd}) for usd in (1.0, 2.0))
    assert outcomes.results == [1.0]
    assert sorted(near.shown) == sorted(far.shown) == [1.0, 2.0]
    assert far.paid == [1.0]
    far.check()
    near.check()


async def it_waits_for_a_place_after_the_answer() -> None:
    office = open_office()
    with approving(office.approve):
        first = asyncio.create_task(pay_in_turn({"usd": 1.0}))
        second = asyncio.create_task(pay_in_turn({"usd": 2.0}))
        asked = await cancelled_sometime(first)
        assert first.cancelled() == asked
        assert await second == 2.0
        assert await pay_in_turn({"usd": 3.0}) == 3.0  # no place was lost
    office.check()


async def the_fan_out_is_cancelled() -> None:
    office = open_office()
    with approving(office.approve):
        task = asyncio.create_task(_settle_two())
        asked = await cancelled_sometime(task)
    assert task.cancelled() == asked
    if not asked:
        assert not any(isinstance(outcome, Cancelled) for outcome in task.result())
    office.check()


async def _settle_two() -> list[Any]:
    return list(await settle(pay({"usd": usd}) for usd in (1.0, 2.0)))


PROGRAMS = [
    one_is_refused, the_arguments_are_changed_meanwhile, whoever_approves_changes_them_later, the_caller_is_cancelled,
    the_deadline_around_it_passes, two_are_asked, it_waits_for_a_place_after_the_answer,
    the_fan_out_is_cancelled,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(170)  # some thousand schedules each, on a machine that may be busy
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_an_approval_keeps_its_word_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program, seconds=240)


@pytest.mark.slow
def test_what_is_told_as_timed_out_was_not_paid() -> None:
    in_every_order(the_answer_is_late)
