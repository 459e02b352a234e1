"""What limits and budgets allow, in words."""

import pytest

from linecook.observe import BudgetFacts, ChangeFacts, LimitFacts, Snapshot, SpentFacts
from linecook.observe.allowances import change_in_words, limit_line, money_parts


def said(limit: LimitFacts) -> list[str]:
    return [words for words, _ in limit_line(limit)][1:]


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (LimitFacts("api", 2, 2, waiting=3), ["2 of 2 in flight", "3 waiting"]),
        (LimitFacts("api", 2, None, refused=1234), ["2 in flight", "1,234 refused"]),
        (
            LimitFacts("api", 2, 4, 3, "per_second used up, next in 0.3 s", {"per_second": (40.0, 40.0)}),
            ["2 of 4 in flight", "3 waiting", "per_second used up, next in 0.3 s"],
        ),
        (
            LimitFacts("api", 2, 4, used={"per_second": (1.0, 40.0), "per_minute": (450.0, 500.0)}),
            ["2 of 4 in flight", "per_minute 90 % used"],
        ),
        (LimitFacts("api", 0, 4, used={"per_second": (1.0, 40.0)}), ["0 of 4 in flight"]),
        (LimitFacts("api", 0, 4, paused_for=8.0), ["0 of 4 in flight", "paused for 8.0 s"]),
        (
            LimitFacts("api", 0, 4, 5, "paused by Retry-After for 8.0 s", paused_for=8.0),
            ["0 of 4 in flight", "5 waiting", "paused by Retry-After for 8.0 s"],
        ),
        (
            LimitFacts("api", 1, 4, 5, "the circuit is half open", circuit="half open"),
            ["1 of 4 in flight", "5 waiting", "the circuit is half open"],
        ),
        (
            LimitFacts("api", 0, 4, 2, circuit="closed", waited=7, waited_for=0.5),
            ["0 of 4 in flight", "2 waiting", "5 waited 100 ms each"],
        ),
        (LimitFacts("api", 0, 4, retries_refused=2), ["0 of 4 in flight", "2 retries refused"]),
    ],
)
def test_a_limit_tells_what_holds_calls_back(limit: LimitFacts, words: list[str]) -> None:
    assert said(limit) == words


def test_an_open_circuit_is_red_and_a_pause_yellow() -> None:
    styles = dict(limit_line(LimitFacts("api", 0, 4, 1, "paused by Retry-After for 8.0 s", circuit="open")))
    assert (styles["the circuit is open"], styles["paused by Retry-After for 8.0 s"]) == ("bold red", "yellow")


def test_a_change_says_from_where_to_where_why_and_when() -> None:
    assert change_in_words(ChangeFacts(0.3, 64, 51, "refused")) == "64 to 51, refused, 300 ms ago"
    assert change_in_words(ChangeFacts(9.0, None, 51, "retuned")) == "none to 51, retuned, 9.0 s ago"


def money(*budgets: BudgetFacts, spent: SpentFacts | None = None) -> list[tuple[str, str]]:
    return list(money_parts(Snapshot(0.0, 1, 1.0, spent=spent, budgets=budgets)))


def budget_of(share: float, *, ended: bool = False) -> BudgetFacts:
    return BudgetFacts("budget(usd=1)", "a/b", {"usd": share, "tokens": 9.0}, {"usd": 1.0}, ended)


def test_of_a_budget_the_share_is_told_that_is_used_up_most() -> None:
    both = BudgetFacts("budget(usd=1, calls=9)", "main/chat:3", {"usd": 0.2, "calls": 6.0}, {"usd": 1.0, "calls": 9.0})
    assert both.share == (6 / 9, "calls")
    assert money(both) == [("budget(usd=1, calls=9) of chat:3: 67 % of its calls", "")]


def test_a_budget_of_nothing_is_used_up() -> None:
    assert BudgetFacts("budget(usd=0)", "", {"usd": 0.0}, {"usd": 0.0}).share == (1.0, "usd")


def test_budgets_that_run_low_are_coloured_and_those_that_ended_left_out() -> None:
    shown = money(budget_of(0.85), budget_of(1.1), budget_of(0.5), budget_of(0.9, ended=True))
    assert [style for _, style in shown] == ["yellow", "bold red", "dim"]
    assert shown[-1] == ("and 1 more budgets", "dim")


def test_tokens_without_a_price_are_told_too() -> None:
    assert money(spent=SpentFacts(0.0, 1200, 34)) == [
        ("0.00 usd spent", "bold"), ("1,200 tokens in", ""), ("34 out", ""),
    ]  # fmt: skip
