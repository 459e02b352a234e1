"""One thing per key, the ones used last, and none that is in use is ever forgotten."""

from collections.abc import Hashable
from typing import Any

from linecook.tools.policies import keyed
from linecook.tools.policies.keyed import MOST_KEYS, Keyed
from linecook.tools.policies.retry_budget import RetryBudget


class Kept:
    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.busy = self.remembers = False
        self.told = 0
        self.waiting, self.refused = 0, 1

    @property
    def taken(self) -> int:
        return int(self.busy)

    def is_busy(self) -> bool:
        return self.busy

    def is_idle(self) -> bool:
        return not (self.busy or self.remembers)

    def retuned(self) -> None:
        self.told += 1

    def statistics(self) -> dict[str, Any]:
        return {"in_flight": self.taken, "waiting": self.waiting, "refused": self.refused}


def kept() -> Keyed[Kept]:
    return Keyed(Kept, RetryBudget(None))


def test_a_key_keeps_what_it_has() -> None:
    several = kept()
    assert several.of("a") is several.of("a")
    assert several.of("a") is not several.of("b")
    assert several.of(None).key is None


def test_a_hundred_thousand_keys_are_bounded_and_those_in_use_stay() -> None:
    several = kept()
    busy = several.of("busy")
    busy.busy = True
    for n in range(100_000):
        several.of(n)
    assert len(several) == MOST_KEYS
    assert several.of("busy") is busy
    assert several.forgotten == 100_001 - MOST_KEYS


def test_what_remembers_something_is_forgotten_after_what_does_not() -> None:
    several = kept()
    for n in range(MOST_KEYS):
        several.of(n).remembers = n < keyed._LOOKS - 1
    several.of("one more")
    assert [n for n in range(MOST_KEYS) if n not in several._kept] == [keyed._LOOKS - 1]
    for n in range(MOST_KEYS):
        if n in several._kept:
            several.of(n).remembers = True
    several.of("yet one more").remembers = True
    assert len(several) == MOST_KEYS


def test_when_all_are_in_use_none_is_forgotten() -> None:
    several = kept()
    for n in range(MOST_KEYS + 50):
        several.of(n).busy = True
    assert len(several) == MOST_KEYS + 50


def test_statistics_are_the_sums_and_the_busiest() -> None:
    several = kept()
    for n in range(100):
        several.of(n).busy = n == 77
    shown = several.statistics()
    assert (shown["keys"], shown["in_flight"], shown["refused"]) == (100, 1, 100)
    assert len(shown["busiest"]) == 20
    assert next(iter(shown["busiest"])) == 77


def test_all_are_told_of_other_figures() -> None:
    several = kept()
    several.of(1), several.of(2)
    several.retuned()
    assert several.of(1).told == several.of(2).told == 1


def test_figures_are_taken_of_the_busiest_keys_only() -> None:
    several = kept()
    for n in range(5000):
        several.of(n).waiting = n % 100
    several.of(7).waiting = 1000
    several._kept[8].statistics = None  # type: ignore[method-assign, assignment]  # never asked: it isn't among them
    shown = several.statistics()
    assert (shown["keys"], len(shown["busiest"]), next(iter(shown["busiest"]))) == (5000, 20, 7)
    assert shown["waiting"] == sum(n % 100 for n in range(5000)) + 1000 - 7
