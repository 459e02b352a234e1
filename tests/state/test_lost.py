"""How a lost update is told: in the log, as an event, as an error; and by whose name."""

import asyncio
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import linecook.state.lost as module
from linecook import Runtime, Shared, agent, settle, tool
from linecook.errors import LostUpdate
from linecook.observe import Event


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """What one test has said would keep another from saying it within the second."""
    module._places.clear()
    yield
    module._places.clear()


async def lose(cell: Shared[int]) -> None:
    seen = cell.value
    await asyncio.sleep(0)
    cell.value = seen + 1


async def test_one_place_is_heard_once_a_second(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    for seconds, heard in ((0.0, 1), (0.5, 1), (0.6, 2), (0.1, 2), (5.0, 3)):
        now += seconds
        cell = Shared(0)
        await asyncio.gather(*(lose(cell) for _ in range(5)))
        assert len(caplog.records) == heard
    assert len(module._places) == 1


async def test_places_are_remembered_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PLACES", 3)
    for number in range(10):
        space: dict[str, Any] = {"asyncio": asyncio}
        exec(
            f"# {number}\nasync def lose(c):\n    n = c.value\n    await asyncio.sleep(0)\n    c.value = n + {number}",
            space,
        )
        cell = Shared(0)
        await asyncio.gather(space["lose"](cell), space["lose"](cell))
        assert len(module._places) <= 3


async def test_the_report_reads_well() -> None:
    spent = Shared(0.0, lost_update="raise")

    async def pay(price: float) -> None:
        seen = spent.value
        await asyncio.sleep(0)
        spent.value = seen + price
        await asyncio.sleep(1000)

    planner = asyncio.create_task(pay(0.25), name="planner")
    critic = asyncio.create_task(pay(0.5), name="critic")
    with pytest.raises(LostUpdate) as caught:
        await critic
    planner.cancel()
    await asyncio.wait([planner])
    here = "tests/state/test_lost.py"
    said = str(caught.value).replace(__file__, here)
    lines = [
        line.split(":")[0] + line[line.index(" in ") :] if f"{here}:" in line else line for line in said.splitlines()
    ]
    function = "test_the_report_reads_well.<locals>.pay"
    assert lines == [
        "lost update on Shared 'spent': critic would overwrite 0.25, written by planner, without having seen it",
        f"  critic read 0.0 at {here} in {function}: seen = spent.value",
        f"    waited at {here} in {function}: await asyncio.sleep(0)",
        f"  planner meanwhile wrote 0.25 at {here} in {function}: spent.value = seen + price",
        f"    planner is suspended now at {here} in {function}: await asyncio.sleep(1000)",
        f"  critic was about to write 0.5 at {here} in {function}: spent.value = seen + price",
        "  cure: update(fn), or read it again after the await; set(...) where it should be overwritten",
    ]


async def test_agents_and_tools_have_their_names() -> None:
    spent = Shared(0, lost_update="raise")

    @agent
    async def reader(number: int) -> None:
        seen = spent.value
        await asyncio.sleep(0)
        spent.value = seen + number

    @tool(timeout=5)
    async def bill(number: int) -> None:
        seen = spent.value
        await asyncio.sleep(0)
        spent.value = seen + number

    outcomes = await settle(reader(n) for n in range(2))
    losses = [outcome.error.loss for outcome in outcomes.failures]
    assert [(loss.write.who, loss.overwritten.who) for loss in losses] == [("reader[1]", "reader[0]")]
    outcomes = await settle(bill(n) for n in range(2))
    losses = [outcome.error.loss for outcome in outcomes.failures]
    assert [loss.write.who.partition("[")[0] for loss in losses] == ["bill"]


async def test_it_is_an_event_of_the_runtime() -> None:
    heard: list[Event] = []
    async with Runtime() as runtime:
        end = runtime.events.subscribe(heard.append)
        cell = Shared(0)

        @agent
        async def count() -> None:
            await lose(cell)

        await settle(count() for _ in range(3))
        end()
    lost = [event for event in heard if event.kind == "state.lost_update"]
    assert [event.data["loss"].what for event in lost] == ["Shared 'cell'"]


async def test_several_writes_in_between_are_counted() -> None:
    cell = Shared(0, lost_update="raise")
    seen = cell.value
    await asyncio.create_task(_write(cell, 5))
    with pytest.raises(LostUpdate) as caught:
        cell.value = seen
    assert caught.value.loss.writes == 5
    assert "would overwrite 4, written by" in str(caught.value)
    assert "and 4 before it" in str(caught.value)


async def _write(cell: Shared[int], times: int) -> None:
    for n in range(times):
        cell.value = n


async def test_a_report_on_odd_code_says_less_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("no such instruction")

    for name in ("awaits_between", "is_only_shown", "kept_in_variable"):
        monkeypatch.setattr(module, name, fails)
    cell = Shared("x" * 1000)
    seen = cell.value
    await asyncio.create_task(_set(cell))
    with caplog.at_level(logging.WARNING):
        cell.value = seen + "!"
    assert "a value that was not kept" in caplog.text


async def _set(cell: Shared[str]) -> None:
    cell.value = "y"


async def test_the_error_travels_in_one_piece() -> None:
    cell = Shared(0, lost_update="raise")
    seen = cell.value
    await asyncio.create_task(_write(cell, 1))
    with pytest.raises(LostUpdate) as caught:
        cell.value = seen + 1
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.loss) == (str(caught.value), caught.value.loss)
