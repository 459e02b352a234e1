"""The desk's ledger: each page once, each finding once, whoever writes and from wherever."""

from __future__ import annotations

import threading

from desk_ledger import Ledger, Progress
from desk_plan import Plan
from desk_rules import Finding, Page
from source_server import Entry

from linecook import Cancelled, Failed, Ok

PLAN = Plan({"shop": [Entry(n, "shop", f"shop/{n}.py", f"shop.m{n}", 1, "", False) for n in range(3)]}, 0, 0)
ENTRIES = PLAN.packages["shop"]


def page(number: int) -> Page:
    return Page("shop", f"shop/{number}.py", f"shop.m{number}", digest=str(number), lines=10)


def finding(number: int) -> Finding:
    return Finding("shop", "shop/0.py", number, "dropped-task", "text")


def test_what_is_known_of_a_page_stays() -> None:
    ledger = Ledger(PLAN)
    ledger.note(ENTRIES[0], Ok(page(0)))
    ledger.note(ENTRIES[0], Failed(ValueError("came later")))
    ledger.note(ENTRIES[1], Failed(ValueError("torn")))
    ledger.note(ENTRIES[1], Ok(page(1)))
    assert ledger.progress.peek() == Progress(of=3, read=1, lost=1)
    assert ledger.missing("shop") == [ENTRIES[2]]
    assert ledger.pages_of("shop") == [page(0)]


def test_a_package_that_could_not_be_reviewed_has_lost_what_was_missing() -> None:
    ledger = Ledger(PLAN)
    ledger.note(ENTRIES[0], Ok(page(0)))
    ledger.close("shop", Cancelled("shutdown"))
    result = ledger.result()
    assert result.read == {0: "0"}
    assert result.lost == {1: "cancelled: shutdown", 2: "cancelled: shutdown"}


def test_a_result_in_the_middle_of_the_work_calls_the_rest_lost() -> None:
    ledger = Ledger(PLAN)
    ledger.note(ENTRIES[0], Ok(page(0)))
    assert (ledger.result().lost, ledger.result().lines) == ({1: "not reached", 2: "not reached"}, 10)


def test_findings_are_numbered_as_they_come_and_one_that_comes_twice_is_counted_and_not_told() -> None:
    ledger = Ledger(PLAN)
    assert [ledger.enter(finding(n)) for n in (5, 3, 5, 4)] == [1, 2, None, 3]
    assert ledger.result().findings == [finding(5), finding(3), finding(4)]
    assert ledger.result().twice == 1


def test_many_threads_that_enter_the_same_findings_have_each_told_once() -> None:
    ledger = Ledger(PLAN)
    told: list[int | None] = []

    def enter_all() -> None:
        told.extend(ledger.enter(finding(number)) for number in range(100))

    threads = [threading.Thread(target=enter_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number in told if number is not None) == list(range(1, 101))
    assert ledger.progress.peek() == Progress(of=3, findings=100, twice=700)


async def test_who_follows_hears_where_it_stands_then_what_changes_then_no_more() -> None:
    ledger = Ledger(PLAN)
    ledger.note(ENTRIES[0], Ok(page(0)))
    seen: list[Progress] = []
    async for now in ledger.follow():
        seen.append(now)
        ledger.progress.update(lambda now: Progress(of=3, read=now.read + 1, is_over=now.read == 2))
    assert [now.read for now in seen] == [1, 2, 3]
    ledger.progress.set(Progress(of=3, is_over=True))
    assert [now async for now in ledger.follow()] == [Progress(of=3, is_over=True)]
