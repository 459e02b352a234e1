"""Shared values: what is inside is known to the checkers."""

from dataclasses import dataclass, replace
from typing import assert_type

from linecook import Shared, SharedMap, transaction


@dataclass(frozen=True)
class Plan:
    steps: tuple[str, ...] = ()


spent = Shared(0.0, name="spent", lost_update="raise")
plan: Shared[Plan | None] = Shared(None)
notes: SharedMap[str, str] = SharedMap()
counts = SharedMap({"a": 1})


async def use() -> None:
    assert_type(spent.value, float)
    spent.value += 0.5
    assert_type(spent.update(lambda total: total + 1), float)
    assert_type(spent.peek(), float)
    assert_type(spent.compare_and_set(spent.seen(), 2.0), bool)
    assert_type(spent.seen().version, int)
    assert_type(await plan.wait_for(lambda found: found is not None, timeout=5), Plan | None)
    async with plan.edit() as draft:
        draft.value = replace(draft.value or Plan(), steps=("soup",))
    async for total in spent.changes():
        assert_type(total, float)
    assert_type(counts["a"], int)
    assert_type(counts.get("a"), int | None)
    assert_type(counts.get("a", "none"), int | str)
    assert_type(counts.pop("a"), int)
    assert_type(counts.pop("a", None), int | None)
    assert_type(counts.peek("a", 0.5), int | float)
    assert_type(counts.update("a", lambda count: count + 1, default=0), int)
    assert_type(counts.snapshot(), dict[str, int])
    assert_type(transaction(lambda: (spent.value, notes.setdefault("tea", "green"))), tuple[float, str])
    for topic, note in notes.items():
        notes[topic.lower()] = note
    spent.value = "much"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    notes["tea"] = 3  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
    spent.set("much")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Shared(0, lost_update="log")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
