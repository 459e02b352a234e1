"""Values by key: one version each, missing keys included."""

import asyncio
import pickle
import threading
from typing import Any

import pytest

from linecook import SharedMap, transaction
from linecook.errors import LostUpdate, NotPortable, UsageError


def strict(**items: Any) -> SharedMap[str, Any]:
    return SharedMap(items, name="notes", lost_update="raise")


async def elsewhere(step: Any) -> None:
    """Run *step* in another task."""

    async def run() -> None:
        step()

    await asyncio.create_task(run())


async def test_it_works_as_a_mapping_does() -> None:
    notes: SharedMap[str, int] = SharedMap({"a": 1})
    notes["b"] = 2
    assert (notes["a"], notes.get("b"), notes.get("c"), notes.get("c", 7), notes.peek("a"), notes.peek("z", 0)) == (
        1, 2, None, 7, 1, 0,
    )  # fmt: skip
    assert ("a" in notes, "z" in notes, len(notes), list(notes)) == (True, False, 2, ["a", "b"])
    assert (notes.keys(), notes.values(), notes.items()) == (["a", "b"], [1, 2], [("a", 1), ("b", 2)])
    assert notes.snapshot() == {"a": 1, "b": 2} == dict(notes)
    del notes["a"]
    assert (notes.pop("b"), notes.pop("b", None), notes.snapshot()) == (2, None, {})
    for missing in (lambda: notes["a"], lambda: notes.pop("a"), lambda: notes.__delitem__("a")):
        with pytest.raises(KeyError, match="'a'"):
            missing()


async def test_update_setdefault_and_compare_and_set_are_one_step() -> None:
    notes: SharedMap[str, int] = SharedMap()
    assert notes.update("a", lambda n: n + 1, default=0) == 1
    assert notes.update("a", lambda n: n + 1) == 2
    assert (notes.setdefault("a", 9), notes.setdefault("b", 9)) == (2, 9)
    assert (notes.compare_and_set("a", 1, 5), notes.compare_and_set("a", 2, 5), notes["a"]) == (False, True, 5)
    assert notes.compare_and_set("missing", 1, 5) is False
    with pytest.raises(KeyError, match="'missing'"):
        notes.update("missing", lambda n: n + 1)
    notes.set("b", 1)
    assert notes.snapshot() == {"a": 5, "b": 1}


async def test_a_write_on_a_stale_read_of_the_same_key_is_a_lost_update() -> None:
    notes = strict(tea=1, pie=1)
    seen = notes["tea"]
    await elsewhere(lambda: notes.update("tea", lambda n: n + 1))
    with pytest.raises(LostUpdate, match=r"lost update on SharedMap 'notes'\['tea'\]") as caught:
        notes["tea"] = seen + 1
    assert notes["tea"] == 2
    loss = caught.value.loss
    assert (loss.read.value, loss.overwritten.value, loss.write.value) == (1, 2, 2)


async def test_another_key_is_another_matter() -> None:
    notes = strict(tea=1, pie=1)
    seen = notes["tea"]
    await elsewhere(lambda: notes.update("pie", lambda n: n + 1))
    notes["tea"] = seen + 1
    notes["pie"] = 0
    assert notes.snapshot() == {"tea": 2, "pie": 0}


async def test_a_key_that_was_missing_and_no_longer_is_counts() -> None:
    for look in (lambda notes: "tea" in notes, lambda notes: notes.get("tea")):
        notes = strict()
        assert not look(notes)
        await elsewhere(lambda notes=notes: notes.setdefault("tea", "theirs"))
        with pytest.raises(LostUpdate, match=r"read nothing \(no such key\)"):
            notes["tea"] = "mine"
        assert notes.snapshot() == {"tea": "theirs"}


async def test_a_deletion_counts_on_both_sides() -> None:
    notes = strict(tea=1)
    seen = notes["tea"]
    await elsewhere(lambda: notes.pop("tea"))
    with pytest.raises(LostUpdate, match="would overwrite a deletion"):
        notes["tea"] = seen + 1
    notes = strict(tea=1)
    if notes["tea"] == 1:
        await elsewhere(lambda: notes.set("tea", 2))
    with pytest.raises(LostUpdate, match="was about to delete it"):
        del notes["tea"]
    assert notes["tea"] == 2


async def test_deleted_and_put_back_is_changed() -> None:
    notes = strict(tea=1)
    seen = notes["tea"]

    def again() -> None:
        del notes["tea"]
        notes["tea"] = seen

    await elsewhere(again)
    with pytest.raises(LostUpdate):
        notes["tea"] = seen + 1


async def test_put_and_taken_away_leaves_a_missing_key_missing() -> None:
    notes = strict()
    assert "tea" not in notes

    def come_and_go() -> None:
        notes["tea"] = 1
        del notes["tea"]

    await elsewhere(come_and_go)
    notes["tea"] = 2
    assert notes["tea"] == 2


async def test_reading_again_writing_blindly_and_one_step_are_fine() -> None:
    notes = strict(tea=1)
    for write in (
        lambda: notes.__setitem__("tea", notes["tea"] + 1),
        lambda: notes.set("tea", 0),
        lambda: notes.update("tea", lambda n: n + 1),
        lambda: notes.setdefault("tea", 5),
        lambda: notes.compare_and_set("tea", 9, 5),
        lambda: notes.pop("tea", None),
    ):
        if notes.get("tea") is None:
            raise AssertionError
        await elsewhere(lambda: notes.set("tea", 9))
        write()
    notes.peek("tea")
    notes.snapshot()
    await elsewhere(lambda: notes.set("tea", 9))
    notes["tea"] = 1


async def test_a_loop_over_it_may_write_to_it() -> None:
    notes: SharedMap[int, int] = SharedMap((n, n) for n in range(10))
    for key in notes:
        notes[key + 10] = 0
        del notes[key]
    assert sorted(notes) == list(range(10, 20))


def test_mutable_values_are_refused_with_their_key() -> None:
    with pytest.raises(UsageError, match=r"SharedMap 'notes'\['a'\] can't hold a list"):
        SharedMap({"a": [1]}, name="notes")
    notes = SharedMap[str, Any](name="notes")
    for attempt in (
        lambda: notes.__setitem__("b", {}),
        lambda: notes.set("b", set()),
        lambda: notes.setdefault("b", []),
        lambda: notes.update("b", lambda _: [], default=0),
        lambda: notes.compare_and_set("b", 0, []),
    ):
        with pytest.raises(UsageError, match=r"SharedMap 'notes'\['b'\] can't hold a"):
            attempt()
    with pytest.raises(TypeError, match="unhashable"):
        notes[[1]] = 2  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="lost_update"):
        SharedMap(lost_update="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert len(notes) == 0


async def test_what_was_not_awaited_is_refused() -> None:
    notes = SharedMap({"a": 1})

    async def double(value: int) -> int:
        return value * 2

    with pytest.raises(UsageError, match="double"):
        notes.update("a", double)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_update_within_update_is_told_apart() -> None:
    notes = SharedMap({"a": 1, "b": 1})

    def nested(value: int) -> int:
        return notes.update("a", lambda n: n + 1) + value

    with pytest.raises(UsageError, match="writes this same key"):
        notes.update("a", nested)
    assert notes.update("b", nested) == 1 + notes["a"]


def test_it_refuses_to_travel() -> None:
    notes = SharedMap({"a": 1})
    with pytest.raises(NotPortable, match=r"SharedMap 'notes' can't be.*snapshot\(\)"):
        pickle.dumps(notes)


def test_it_is_shown_by_its_size() -> None:
    notes = SharedMap({"a": "x" * 1_000_000})
    assert repr(notes) == "<SharedMap notes with 1 keys>"


def test_threads_lose_nothing_on_one_key_nor_on_many() -> None:
    notes: SharedMap[str, int] = SharedMap(lost_update="raise")
    keys, rounds, crew = ("a", "b", "c"), 200, 6

    def work() -> None:
        for number in range(rounds):
            notes.update(keys[number % 3], lambda n: n + 1, default=0)
            notes.setdefault(f"{threading.get_ident()}/{number}", number)
            transaction(lambda: notes.set("total", notes.get("total", 0) + 1))
            notes.pop(f"{threading.get_ident()}/{number}")

    threads = [threading.Thread(target=work) for _ in range(crew)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(notes[key] for key in keys) == rounds * crew == notes["total"]
    assert len(notes) == 4


async def test_keys_of_ones_own_kind_may_compare_in_python() -> None:
    class Topic:
        def __init__(self, name: str) -> None:
            self.name = name

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Topic) and self.name == other.name

        def __hash__(self) -> int:
            return 1  # every look-up compares

    notes: SharedMap[Topic, int] = SharedMap()
    for n in range(5):
        notes[Topic(str(n))] = n
    notes.update(Topic("3"), lambda n: n + 10)
    assert (notes[Topic("3")], Topic("9") in notes, len(notes)) == (13, False, 5)
