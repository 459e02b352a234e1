"""What limits and budgets allow, in words: the parts of a line, what tells most first, each with its style."""

from __future__ import annotations

from collections.abc import Iterator

from .snapshot import BudgetFacts, ChangeFacts, LimitFacts, Snapshot
from .words import dollars, seconds

Part = tuple[str, str]  # words and their style

_WORTH_TELLING = 0.5  # share of a window that is used
_LOW = 0.8  # share of a budget at which it is told in yellow; at 1 in red
_BUDGETS = 2


def limit_line(limit: LimitFacts) -> Iterator[Part]:
    """Yield what *limit* holds, why nobody is let in, how its bound moved, and what it cost so far."""
    yield limit.name, "bold"
    yield f"{in_flight(limit)} in flight", ""
    if limit.waiting:
        yield f"{limit.waiting:,} waiting", ""
    if limit.circuit not in (None, "closed"):
        yield f"the circuit is {limit.circuit}", "bold red"
    if why := why_held_up(limit):
        yield why, "yellow"
    if limit.changes:
        yield change_in_words(limit.changes[-1]), ""
    share, window = max(((used / bound, name) for name, (used, bound) in limit.used.items()), default=(0.0, ""))
    if share >= _WORTH_TELLING and window not in limit.held_up:
        yield f"{window} {share * 100:.0f} % used", ""
    if limit.refused:
        yield f"{limit.refused:,} refused", ""
    if limit.retries_refused:
        yield f"{limit.retries_refused:,} retries refused", ""
    if (done := limit.waited - limit.waiting) > 0:
        yield f"{done:,} waited {seconds(limit.waited_for / done)} each", ""


def in_flight(limit: LimitFacts) -> str:
    """Return how many are in flight: ``12 of 16``; ``12`` where nothing bounds them."""
    return f"{limit.in_flight:,}" if limit.bound is None else f"{limit.in_flight:,} of {limit.bound:,}"


def why_held_up(limit: LimitFacts) -> str:
    """Return why nobody is let in; empty where it is for want of a place, or where the circuit is told as such."""
    if limit.held_up.startswith("the circuit is"):
        return ""
    if limit.held_up or not limit.paused_for:
        return limit.held_up
    return f"paused for {limit.paused_for:.1f} s"


def change_in_words(change: ChangeFacts) -> str:
    """Return a change of a bound: ``64 to 51, refused, 3.0 s ago``."""
    before, after = ("none" if bound is None else f"{bound:,}" for bound in (change.before, change.after))
    return f"{before} to {after}, {change.why}, {seconds(change.ago)} ago"


def money_parts(snapshot: Snapshot) -> Iterator[Part]:
    """Yield what was charged, and how far the budgets are used up that are open; nothing where nobody charged."""
    spent = snapshot.spent
    if spent is not None:
        yield f"{dollars(spent.usd)} spent", "bold"
        yield f"{spent.tokens_in:,} tokens in", ""
        yield f"{spent.tokens_out:,} out", ""
    open_ones = [budget for budget in snapshot.budgets if not budget.ended]
    for budget in open_ones[:_BUDGETS]:
        yield budget_in_words(budget), _style(budget.share[0])
    if len(open_ones) > _BUDGETS:
        yield f"and {len(open_ones) - _BUDGETS} more budgets", "dim"


def budget_in_words(budget: BudgetFacts) -> str:
    """Return how far *budget* is used up: ``budget(usd=5) of briefing: 24 % of its usd``."""
    share, kind = budget.share
    whose = f" of {budget.whose.rpartition('/')[2]}" if budget.whose else ""
    return f"{budget.name}{whose}: {share * 100:.0f} % of its {kind}"


def _style(share: float) -> str:
    return "bold red" if share >= 1 else "yellow" if share >= _LOW else ""
