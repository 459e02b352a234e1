"""What calls were charged, and which budgets it came out of."""

import gc
import weakref
from typing import Any

from linecook import Runtime, agent, budget, charge, gather, tool
from linecook.observe import Facts, Snapshot, SpentFacts
from linecook.observe.money import _MOST_BUDGETS
from tests.aside import aside


@tool
async def ask(usd: float = 0.25) -> None:
    charge(tokens_in=100, tokens_out=20, usd=usd)


@tool
def ask_on_a_thread(usd: float) -> None:
    charge(usd=usd)


async def test_charges_add_up_wherever_they_are_made() -> None:
    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts:
            assert facts.snapshot().spent is None
            await gather(*[ask() for _ in range(3)], *[ask_on_a_thread(0.1) for _ in range(20)])
            assert facts.snapshot().spent == SpentFacts(2.75, 300, 60)


async def test_a_budget_is_told_with_what_it_granted_and_whose_it_is() -> None:
    seen: list[Snapshot] = []

    @agent
    async def briefing(facts: Facts) -> None:
        with budget(usd=2, calls=50):
            with budget(tokens=1000):
                await ask()
            with budget(depth=3):  # bounds no sum
                await ask()
            seen.append(await aside(facts.snapshot))

    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts:
            await briefing(facts)
            (outer,) = seen[0].budgets
            (inner, last) = facts.snapshot().budgets
            assert (last.name, last.ended) == (outer.name, True)
            assert (outer.name, outer.whose, outer.ended) == ("budget(usd=2, calls=50)", "briefing", False)
            assert (outer.spent["usd"], outer.granted) == (0.5, {"usd": 2.0, "calls": 50})
            assert (inner.name, inner.granted, inner.ended) == ("budget(tokens=1000)", {"tokens": 1000}, True)
            assert inner.share == (0.12, "tokens")


async def test_a_budget_of_calls_is_told_when_it_runs_low() -> None:
    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts, budget(calls=5):
            for _ in range(4):
                await tool(_nothing)()
            (found,) = facts.snapshot().budgets
    assert (found.name, found.whose, found.share) == ("budget(calls=5)", "", (0.8, "calls"))


async def _nothing() -> None:
    pass


async def test_of_thousands_of_budgets_those_charged_lately_are_remembered_and_open_ones_told() -> None:
    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts:
            with budget(usd=100):
                await ask()
                for _ in range(2 * _MOST_BUDGETS):
                    with budget(usd=1):
                        await ask(0.001)
                found = facts.snapshot().budgets
                assert len(facts._heard.money._budgets) == _MOST_BUDGETS
                assert [(each.name, each.ended) for each in found] == [("budget(usd=100)", False)]
            assert [each.name for each in facts.snapshot().budgets] == [
                "budget(usd=1)",
                "budget(usd=1)",
                "budget(usd=100)",
            ]


async def test_nothing_that_was_charged_is_kept_alive() -> None:
    class Dish:
        pass

    @agent
    async def cook(dish: Dish) -> None:
        with budget(usd=1):
            await ask()

    async with Runtime(stall=None) as runtime:
        with Facts(runtime):
            dish: Any = Dish()
            gone = weakref.ref(dish)
            await cook(dish)
            del dish
            gc.collect()
            assert gone() is None


async def test_when_nobody_looks_nothing_is_told() -> None:
    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts:
            pass
        await ask()
        assert facts.snapshot().spent is None
        assert not runtime.events.heard
