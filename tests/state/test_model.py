"""Shared values against a model that is slow and obviously right: a list of everything ever written."""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from linecook import Shared, SharedMap, transaction
from linecook.errors import LostUpdate

ACTORS = 3


@dataclass
class Model:
    """Every write ever, in order; for each actor how many of them there were when it last read."""

    written: list[Any]
    read: dict[int, int] = field(default_factory=dict)

    def value(self) -> Any:
        return self.written[-1]

    def reads(self, actor: int) -> Any:
        self.read[actor] = len(self.written)
        return self.value()

    def writes(self, actor: int, value: Any) -> Any:
        seen = self.read.get(actor, len(self.written))
        if seen != len(self.written):
            return LostUpdate
        return self.replaces(actor, value)

    def replaces(self, actor: int, value: Any) -> Any:
        self.written.append(value)
        self.read.pop(actor, None)
        return None


ACTIONS = some.sampled_from(("read", "write", "peek", "set", "update", "compare", "version", "remember", "transaction"))
STEPS = some.lists(some.tuples(some.integers(0, ACTORS - 1), ACTIONS, some.integers(0, 3)), max_size=30)


def attempt(step: Callable[[], object]) -> Any:
    """Return what *step* raises; None for nothing."""
    try:
        step()
    except (LostUpdate, KeyError) as error:
        return type(error)
    return None


class OnCell:
    """Each action of an actor, on a cell and on its model."""

    def __init__(self) -> None:
        self.cell = Shared(0, lost_update="raise")
        self.model = Model([0])
        self.tokens: dict[int, tuple[Any, int]] = {}

    def act(self, actor: int, action: str, value: int) -> None:
        getattr(self, action)(actor, value)
        assert self.cell.peek() == self.model.value()

    def read(self, actor: int, value: int) -> None:
        seen = self.cell.value  # not in the assert itself: what only an assert sees decides nothing
        assert seen == self.model.reads(actor)

    def write(self, actor: int, value: int) -> None:
        assert attempt(lambda: setattr(self.cell, "value", value)) is self.model.writes(actor, value)

    def peek(self, actor: int, value: int) -> None:
        self.cell.peek()

    def set(self, actor: int, value: int) -> None:
        self.cell.set(value)
        self.model.replaces(actor, value)

    def update(self, actor: int, value: int) -> None:
        self.model.replaces(actor, self.model.value() + value)
        assert self.cell.update(lambda n: n + value) == self.model.value()

    def compare(self, actor: int, value: int) -> None:
        equal = self.model.value() == value
        assert self.cell.compare_and_set(value, value + 1) is equal
        if equal:
            self.model.replaces(actor, value + 1)

    def remember(self, actor: int, value: int) -> None:
        self.tokens[actor] = (self.cell.seen(), len(self.model.written))
        self.model.reads(actor)

    def version(self, actor: int, value: int) -> None:
        token, length = self.tokens.get(actor, (None, 0))
        equal = length == len(self.model.written)
        assert self.cell.compare_and_set(token, value) is equal  # type: ignore[arg-type]
        if equal:
            self.model.replaces(actor, value)

    def transaction(self, actor: int, value: int) -> None:
        self.model.replaces(actor, self.model.value() + 1)
        transaction(lambda: setattr(self.cell, "value", self.cell.value + 1))


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_tasks_find_what_the_model_says(steps: list[tuple[int, str, int]]) -> None:
    asyncio.run(_by_tasks(steps, OnCell().act))


@given(STEPS)
@settings(max_examples=30, deadline=None)
def test_threads_find_what_the_model_says(steps: list[tuple[int, str, int]]) -> None:
    _by_threads(steps, OnCell().act)


KEYED = some.sampled_from(("get", "has", "write", "delete", "pop", "set", "update", "setdefault", "compare"))
PLACES = some.tuples(some.sampled_from("ab"), some.integers(0, 3))
KEYED_STEPS = some.lists(some.tuples(some.integers(0, ACTORS - 1), KEYED, PLACES), max_size=40)
NONE = "nothing"


class OnMap:
    """The same for a map: a model for each key, in which a key that is missing holds ``NONE``."""

    def __init__(self) -> None:
        self.notes: SharedMap[str, Any] = SharedMap(lost_update="raise")
        self.models = {key: Model([NONE]) for key in "ab"}

    def act(self, actor: int, action: str, at: tuple[str, int]) -> None:
        getattr(self, action)(actor, self.models[at[0]], *at)
        held = {key: model.value() for key, model in self.models.items() if model.value() != NONE}
        assert self.notes.snapshot() == held

    def get(self, actor: int, model: Model, key: str, value: int) -> None:
        seen = self.notes.get(key, NONE)
        assert seen == model.reads(actor)

    def has(self, actor: int, model: Model, key: str, value: int) -> None:
        seen = key in self.notes
        assert seen is (model.reads(actor) != NONE)

    def write(self, actor: int, model: Model, key: str, value: int) -> None:
        found = attempt(lambda: self.notes.__setitem__(key, value))
        assert found is self._written(actor, model, value)

    def delete(self, actor: int, model: Model, key: str, value: int) -> None:
        missing = KeyError if model.value() == NONE else None
        found = attempt(lambda: self.notes.__delitem__(key))
        assert found is (self._written(actor, model, NONE) or missing)

    def _written(self, actor: int, model: Model, value: Any) -> Any:
        seen = model.read.get(actor, len(model.written))
        if model.written[seen - 1] == NONE == model.value():
            model.read.pop(actor, None)  # a missing key that came and went is missing still: nothing is lost
        if value == NONE == model.value():
            model.read.pop(actor, None)
            return None
        return model.writes(actor, value)

    def pop(self, actor: int, model: Model, key: str, value: int) -> None:
        assert self.notes.pop(key, NONE) == model.value()
        self._replaced(actor, model, NONE)

    def set(self, actor: int, model: Model, key: str, value: int) -> None:
        self.notes.set(key, value)
        model.replaces(actor, value)

    def update(self, actor: int, model: Model, key: str, value: int) -> None:
        new = value + (0 if model.value() == NONE else model.value())
        assert self.notes.update(key, lambda n: n + value, default=0) == new
        model.replaces(actor, new)

    def setdefault(self, actor: int, model: Model, key: str, value: int) -> None:
        new = value if model.value() == NONE else model.value()
        assert self.notes.setdefault(key, value) == new
        self._replaced(actor, model, new)

    def compare(self, actor: int, model: Model, key: str, value: int) -> None:
        equal = model.value() == value
        assert self.notes.compare_and_set(key, value, value + 1) is equal
        if equal:
            model.replaces(actor, value + 1)

    def _replaced(self, actor: int, model: Model, value: Any) -> None:
        """What finds its value there already writes nothing; either way the actor has seen what is there."""
        if model.value() == value:
            model.read.pop(actor, None)
        else:
            model.replaces(actor, value)


@given(KEYED_STEPS)
@settings(max_examples=150, deadline=None)
def test_keys_of_a_map_are_as_the_model_says(steps: list[tuple[int, str, Any]]) -> None:
    asyncio.run(_by_tasks(steps, OnMap().act))


async def _by_tasks(steps: list[Any], act: Callable[..., None]) -> None:
    """Let tasks take the steps, each its own, in the order given."""
    inboxes = [asyncio.Queue[Any]() for _ in range(ACTORS)]

    async def serve(number: int) -> None:
        while (job := await inboxes[number].get()) is not None:
            step, done = job
            try:
                act(number, *step)
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

    actors = [asyncio.create_task(serve(number)) for number in range(ACTORS)]
    try:
        for number, *step in steps:
            done = asyncio.get_running_loop().create_future()
            inboxes[number].put_nowait((step, done))
            await done
    finally:
        for inbox in inboxes:
            inbox.put_nowait(None)
        await asyncio.gather(*actors)


def _by_threads(steps: list[Any], act: Callable[..., None]) -> None:
    """Let threads take the steps, each its own, in the order given."""
    inboxes: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in range(ACTORS)]
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def serve(number: int) -> None:
        while (step := inboxes[number].get()) is not None:
            try:
                act(number, *step)
                done.put(None)
            except BaseException as error:
                done.put(error)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(ACTORS)]
    for thread in threads:
        thread.start()
    try:
        for number, *step in steps:
            inboxes[number].put(step)
            if (error := done.get(timeout=10)) is not None:
                raise error
    finally:
        for inbox in inboxes:
            inbox.put(None)
        for thread in threads:
            thread.join()
