"""Resources of processes: one for each schedule, closed at its end; outside of one the process has its own."""

from collections.abc import Iterator

import linecook
from linecook.testing.exploring.sealing.per_process import PerProcess
from linecook.tools.resource import SyncResource

HAPPENED = list[str]()


@linecook.resource(per="process")
def model() -> Iterator[int]:
    HAPPENED.append("opened")
    yield len(HAPPENED)
    HAPPENED.append("closed")


def test_each_schedule_opens_its_own_and_closes_it() -> None:
    HAPPENED.clear()
    explored = [True]
    before = SyncResource._for_process
    kept = PerProcess(lambda: explored[0])
    kept.take_over()
    try:
        assert model() == model() == 1
        kept.end()
        assert model() == 3
        kept.end()
        assert HAPPENED == ["opened", "closed"] * 2
    finally:
        kept.give_back()
    assert SyncResource._for_process is before
