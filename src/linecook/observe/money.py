"""What calls were charged, and which budgets it came out of: a listener of the event stream."""

from __future__ import annotations

import threading
from collections import OrderedDict

from .._core.account import Account
from .._core.context import Frame
from .._core.events import Event
from .._core.purse import in_words
from .snapshot import BudgetFacts, SpentFacts

KINDS = ("call.charged", "budget.low")
"""The events that it wants to be told of."""

_MOST_BUDGETS = 100  # remembered, those charged lately; there may be one for each of 10,000 requests
_TOLD, _ENDED = 20, 3


class Money:
    """Adds up charges; told of events on whatever thread they happen, asked on any other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usd = 0.0
        self._tokens_in = self._tokens_out = self._charges = 0
        self._budgets: OrderedDict[Account, str] = OrderedDict()

    def note(self, event: Event) -> None:
        """Count *event*, one of ``KINDS``."""
        with self._lock:
            if event.kind == "call.charged":
                self._charges += 1
                self._usd += event.data["usd"]
                self._tokens_in += event.data["tokens_in"]
                self._tokens_out += event.data["tokens_out"]
            self._remember(event.frame)

    def _remember(self, frame: Frame | None) -> None:
        """Remember the budgets above *frame*, without keeping the calls between alive."""
        while frame is not None:
            account = frame.account
            if account is None:
                frame = frame.parent  # tools have none of their own
                continue
            if frame.is_budget:
                self._keep(account, frame)
            frame = frame.parent

    def _keep(self, account: Account, frame: Frame) -> None:
        if account in self._budgets:
            self._budgets.move_to_end(account)
            return
        self._budgets[account] = _path_of(frame.parent)
        if len(self._budgets) > _MOST_BUDGETS:
            del self._budgets[next((each for each in self._budgets if each.closed), next(iter(self._budgets)))]

    def spent(self) -> SpentFacts | None:
        """Return what was charged; None: nothing was."""
        with self._lock:
            if not self._charges:
                return None
            return SpentFacts(round(self._usd, 12), self._tokens_in, self._tokens_out)

    def budgets(self) -> tuple[BudgetFacts, ...]:
        """Return the open budgets that bound a sum, by the share that is used; where none is, the last that ended."""
        with self._lock:
            known = list(self._budgets.items())
        found = [facts for account, whose in known if (facts := _facts(account, whose)).granted]
        still = sorted((each for each in found if not each.ended), key=lambda each: -each.share[0])
        return tuple(still[:_TOLD] or found[-_ENDED:])


def _facts(account: Account, whose: str) -> BudgetFacts:
    purses = account.purses
    return BudgetFacts(
        name=account.name,
        whose=whose,
        spent={kind: in_words(kind, purse.spent) for kind, purse in purses.items()},
        granted={kind: in_words(kind, purse.grant) for kind, purse in purses.items() if purse.grant is not None},
        ended=account.closed,
    )


def _path_of(frame: Frame | None) -> str:
    try:
        return "" if frame is None else frame.path
    except RecursionError:  # a thousand calls one under another
        return f".../{frame.name}:{frame.number}" if frame is not None else ""
