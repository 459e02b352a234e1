"""The ledger: facts from anywhere, sums by kind and place, never more than its bounds."""

from __future__ import annotations

import gc
import threading

from linecook.observe.audit import ledger as ledgers
from linecook.observe.audit.ledger import NOWHERE, Fact, Ledger, Where

HERE = Where("app.py", 3, "main")


def test_facts_of_one_kind_and_place_are_one_sum() -> None:
    ledger = Ledger()
    ledger.note("stall", HERE, 0.5, ((("how", "slowly"), 1),))
    ledger.note("stall", HERE, 1.5, ((("how", "slowly"), 1), (("how", "badly"), 3)))
    ledger.note("stall", None, 1.0)
    first, second = ledger.sums()
    assert (first.count, first.seconds, first.longest) == (2, 2.0, 1.5)
    assert first.details["how"].most_common() == [("badly", 3), ("slowly", 2)]
    assert second.where == NOWHERE


def test_what_is_still_going_on_is_counted_in_the_copy_only() -> None:
    ledger = Ledger()
    ledger.note("stall", HERE, 1.0)
    going_on = Fact("stall", HERE, 2.0, ())
    assert [each.seconds for each in ledger.sums([going_on])] == [3.0]
    assert [each.seconds for each in ledger.sums()] == [1.0]


def test_places_and_details_are_bounded_and_what_is_dropped_is_counted() -> None:
    ledger = Ledger()
    for number in range(ledgers._MOST_PLACES + 7):
        ledger.note("stall", Where("app.py", number, "main"))
    for number in range(1000):
        ledger.note("stall", Where("app.py", 1, "main"), 0.0, ((("how", str(number)), 1),))
    sums = ledger.sums()
    assert (len(sums), ledger.missed) == (ledgers._MOST_PLACES, 7)
    assert max(len(each.details.get("how", {})) for each in sums) == ledgers._MOST_DETAILS


def test_facts_that_nobody_counts_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(ledgers, "_MOST_FACTS", 10)
    ledger = Ledger()
    for _ in range(15):
        ledger.note("stall", HERE)
    assert ledger.sums()[0].count == 10
    assert ledger.missed == 5


def test_a_finalizer_may_note_in_the_middle_of_anything() -> None:
    class Dies:
        def __del__(self) -> None:
            ledger.note("task_lost", HERE)

    def circle() -> None:
        one = Dies()
        one.me = one  # type: ignore[attr-defined]

    ledger = Ledger()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            ledger.sums()
            gc.collect(0)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(200):
        circle()
    stop.set()
    reader.join(20)
    gc.collect()
    assert not reader.is_alive()
    assert ledger.sums()[0].count == 200
