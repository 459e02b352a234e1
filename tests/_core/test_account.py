"""The arithmetic of budgets: each charge once at each level, shares set aside and given back."""

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from linecook._core.account import Account
from linecook._core.context import Frame
from linecook._core.purse import UNITS, Charge, units


def account(outer: Account | None = None, told: list | None = None, **grants: int) -> Account:
    made = Account(f"budget({grants})", outer, grants, None, None, [].append if told is None else told.append)
    made.open()
    return made


def spend(where: Account, tokens: int) -> None:
    where.charge(Frame(), Charge(tokens, 0, 0))


def test_a_charge_counts_once_at_each_level() -> None:
    top = account(tokens=100)
    middle = account(top)
    inner = account(middle, tokens=50)
    inner.charge(Frame(), Charge(3, 4, 5))
    for level in (top, middle, inner):
        assert (level.spent("tokens"), level.spent("usd")) == (7, 5)
    assert [level.left("tokens") for level in (top, middle, inner)] == [50, 50, 43]


def test_a_share_is_set_aside_and_what_is_left_of_it_goes_back() -> None:
    top = account(tokens=100)
    inner = account(top, tokens=60)
    assert top.left("tokens") == 40
    spend(inner, 10)
    assert (inner.left("tokens"), top.left("tokens")) == (50, 40)
    inner.close()
    assert top.left("tokens") == 90


def test_a_share_is_at_most_what_is_left() -> None:
    top = account(tokens=100)
    first, second = account(top, tokens=70), account(top, tokens=70)
    assert (first.left("tokens"), second.left("tokens"), top.left("tokens")) == (70, 30, 0)


def test_what_is_spent_beyond_a_share_comes_out_of_what_is_free_around_it() -> None:
    top = account(tokens=100)
    inner = account(top, tokens=20)
    spend(inner, 50)
    assert (inner.left("tokens"), top.left("tokens")) == (0, 50)
    inner.close()
    assert top.left("tokens") == 50


def test_others_cant_spend_what_is_set_aside() -> None:
    top = account(tokens=100)
    inner = account(top, tokens=60)
    spend(top, 70)
    assert (top.left("tokens"), inner.left("tokens")) == (0, 60)


def test_what_outlives_its_budget_is_bound_by_it_and_by_those_around() -> None:
    top = account(tokens=100)
    inner = account(top, tokens=60)
    inner.close()
    spend(inner, 50)
    assert (inner.left("tokens"), top.left("tokens")) == (10, 50)
    spend(top, 45)
    assert inner.left("tokens") == 5


def test_ten_dimes_are_a_dollar() -> None:
    purse = account(usd=UNITS)
    for _ in range(10):
        purse.charge(Frame(), Charge(0, 0, units(0.1, "usd")))
    assert purse.left("usd") == 0


def test_four_fifths_are_told_once() -> None:
    told: list = []
    top = account(told=told, tokens=100)
    inner = account(top, told, tokens=10)
    for _ in range(9):
        spend(inner, 1)
    assert [(low.account, low.spent, low.granted) for low in told] == [(inner, 8, 10)]
    spend(top, 80)
    assert [low.account for low in told] == [inner, top]


def test_threads_lose_no_charge() -> None:
    top = account(tokens=10**9)
    inner = account(top)

    def work() -> None:
        for _ in range(2_000):
            spend(inner, 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inner.spent("tokens") == top.spent("tokens") == 8_000


class Ledger:
    """A slow and obviously right model: every charge is kept, and everything is added up when somebody asks."""

    def __init__(self, outer: "Ledger | None", asked: int | None) -> None:
        self.outer, self.charges, self.inner, self.ended = outer, [], [], False
        left = None if outer is None else outer.left()
        self.granted = asked if left is None or asked is None else min(asked, left)
        if outer is not None:
            outer.inner.append(self)

    def spent(self) -> int:
        return sum(self.charges) + sum(inner.spent() for inner in self.inner)

    def held(self) -> int:
        """What is set aside for it, and for those inside where it has no grant of its own."""
        if self.granted is None:
            return sum(inner.held() for inner in self.inner)
        return 0 if self.ended else max(0, self.granted - self.spent())

    def left(self) -> int | None:
        around = None if self.outer is None else self.outer.left()
        if self.granted is None:
            return around
        own = max(0, self.granted - self.spent() - sum(inner.held() for inner in self.inner))
        return min(own, around) if self.ended and around is not None else own


steps = st.lists(
    st.tuples(
        st.sampled_from(["open", "spend", "spend", "close"]),
        st.integers(0, 7),
        st.one_of(st.none(), st.integers(0, 50)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 120), steps)
def test_it_agrees_with_a_ledger_that_adds_everything_up(granted: int, script: list) -> None:
    """Budgets end innermost first, as blocks do."""
    pairs = [(account(tokens=granted), Ledger(None, granted))]
    for step, place, amount in script:
        real, model = pairs[place % len(pairs)]
        if step == "open" and not model.ended:
            grants = {} if amount is None else {"tokens": amount}
            pairs.append((account(real, **grants), Ledger(model, amount)))
        elif step == "spend" and amount:
            spend(real, amount)
            model.charges.append(amount)
        elif step == "close" and model.outer and not model.ended and all(inner.ended for inner in model.inner):
            real.close()
            model.ended = True
        for real, model in pairs:
            assert real.spent("tokens") == model.spent()
            assert real.left("tokens") == model.left()
