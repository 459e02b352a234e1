"""What one ``budget`` holds for all calls under it: money, tokens, calls; how deep they nest, how wide they fan out.

A budget's share is set aside in the one around it when it opens, and what it didn't use goes back when it ends. A
charge goes up the tree of calls and counts once in each account. From any thread: bodies of sync tools, two loops.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import ReferenceType, WeakKeyDictionary, ref

from .callframe import CallFrame, ForeignCall
from .context import Frame
from .errors import BudgetExceeded
from .events import Events
from .purse import KINDS, UNITS, Charge, Kind, Purse, in_words, shown, shown_of

_PRICES: tuple[Kind, ...] = ("usd", "tokens")  # what attempts cost
_NAMES = 6  # calls named in the error for too deep a recursion

_Tasks = WeakKeyDictionary["asyncio.Task[Any]", "ReferenceType[CallFrame]"]

# Reentrant: an error is made under it, which shows arguments, and who knows what their repr does.
_lock = threading.RLock()


def _renew() -> None:
    """In a forked child: the thread that held the lock may not be here."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew)

charge_listeners: list[Callable[[Frame, int, int], None]] = []
"""Told of the tokens in and out that a call used, with its frame; for what holds a reservation for that call."""


@dataclass(frozen=True, slots=True)
class Low:
    """A notice: of *granted* of this kind, *spent* is spent (in ``UNITS``, tokens or calls); *frame* spent the last."""

    account: Account
    frame: Frame
    kind: Kind
    spent: int
    granted: int


class Account:
    """What one budget holds, shared by all calls under it.

    Args:
      name: how messages call it.
      outer: the account around it; None at the top.
      grants: what may be spent, by kind; what isn't named is shared with the accounts around it.
      depth: most agents nested in one another under it; None for no bound.
      fan_out: most calls of one fan-out, and most that one agent may have under way at once; None for no bound.
      tell_low: told when ``LOW`` of a grant is spent, outside the lock, wherever it happens.

    Attributes:
      closed: whether its block was left; what outlives that stays bound by it.
    """

    __slots__ = (
        "_bounded", "_capped", "_tell_low", "_under_way", "closed", "depth", "fan_out", "name", "outer", "purses",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        outer: Account | None,
        grants: dict[Kind, int],
        depth: int | None,
        fan_out: int | None,
        tell_low: Callable[[Low], None],
    ) -> None:
        self.name = name
        self.outer = outer
        self.depth = depth
        self.fan_out = fan_out
        self.closed = False
        self._tell_low = tell_low
        # By parent: the tasks that called, and what they called last. Nothing here keeps a call or a task alive.
        self._under_way: WeakKeyDictionary[Frame, _Tasks] = WeakKeyDictionary()
        self.purses: dict[Kind, Purse] = {
            kind: Purse(grants.get(kind), None if outer is None else outer.purses[kind]) for kind in KINDS
        }
        # What every call is held to, found out once.
        around = self._upwards()
        self._bounded: list[Kind] = [
            kind for kind in KINDS if any(one.purses[kind].grant is not None for one in around)
        ]
        self._capped = [one for one in around if one.depth is not None or one.fan_out is not None]

    def open(self) -> None:
        """Set the grants aside in the accounts around."""
        with _lock:
            for purse in self.purses.values():
                purse.open()

    def close(self) -> None:
        """Give back what was not spent."""
        with _lock:
            self.closed = True
            for purse in self.purses.values():
                purse.close()

    def spent(self, kind: Kind) -> int:
        """Return what was spent here and in accounts inside."""
        return self.purses[kind].spent

    def left(self, kind: Kind) -> int | None:
        """Return what may still be spent; None without any bound."""
        with _lock:
            return self.purses[kind].left()

    def charge(self, frame: Frame, charge: Charge) -> None:
        """Count *charge*, which *frame* used, once here and once in each account around."""
        with _lock:
            low = self._spend(frame, "usd", charge.units)
            low += self._spend(frame, "tokens", charge.tokens_in + charge.tokens_out)
        self._tell(low)

    def admit(self, call: CallFrame) -> BudgetExceeded | None:
        """Count *call*, which is about to begin; or return why it may not.

        On the loop's thread, where calls begin.
        """
        with _lock:
            refusal = self._refusal(call)
            low = self._spend(call, "calls", 1) if refusal is None else None
        if low:
            self._tell(low)
        return refusal

    def overdrawn(self) -> str:
        """Return what is used up, in words; empty when nothing is. For attempts: the call itself was counted."""
        with _lock:
            for kind in _PRICES:
                if self.purses[kind].left() == 0:
                    account, purse = self._blamed(kind)
                    return f"{account.name} has spent {shown_of(kind, purse.spent, purse.grant or 0)}"
        return ""

    def check_fan_out(self, name: str, length: int) -> None:
        """Refuse a fan-out of *length* calls before it begins one.

        Raises:
          BudgetExceeded: it is larger than a budget around it allows.
        """
        for account in self._upwards():
            if account.fan_out is not None and length > account.fan_out:
                raise _too_wide(f"{name} of {length} calls was refused", account, None)

    def _upwards(self) -> list[Account]:
        found: list[Account] = []
        account: Account | None = self
        while account is not None:
            found.append(account)
            account = account.outer
        return found

    def _spend(self, frame: Frame, kind: Kind, amount: int) -> list[Low]:
        if not amount:
            return []
        low = self.purses[kind].spend(amount)
        if not low:
            return []
        owners = {account.purses[kind]: account for account in self._upwards()}
        return [Low(owners[purse], frame, kind, purse.spent, purse.grant or 0) for purse in low]

    def _tell(self, low: list[Low]) -> None:
        for notice in low:
            notice.account._tell_low(notice)

    # -- why a call may not begin --------------------------------------------------------------------------------

    def _refusal(self, call: CallFrame) -> BudgetExceeded | None:
        for kind in self._bounded:
            if self.purses[kind].left() == 0:
                return self._used_up(kind, call)
        for account in self._capped:
            if account.depth is not None and not call.is_tool:
                chain = _agents_above(call, account)
                if len(chain) >= account.depth:
                    return _too_deep(call, account, chain)
            if account.fan_out is not None and account._is_one_too_many(call, account.fan_out):
                return _too_wide(f"{call!r} was refused", account, call)
        return None

    def _used_up(self, kind: Kind, call: CallFrame) -> BudgetExceeded:
        account, purse = self._blamed(kind)
        assert purse.grant is not None
        used = shown_of(kind, purse.spent, purse.grant)
        text = f"{call!r} was refused: {account.name} has spent {used}"
        if purse.reserved:
            text += f", and budgets inside it hold {shown(kind, purse.reserved)}"
        if purse.asked is not None and purse.asked > purse.grant:
            text += f" (it asked for {shown(kind, purse.asked)}, and no more was left around it)"
        return BudgetExceeded(
            f"{text}. What was done is kept; catch BudgetExceeded around the budget, or grant more.",
            call=call, what=kind, spent=in_words(kind, purse.spent), granted=in_words(kind, purse.grant),
        )  # fmt: skip

    def _blamed(self, kind: Kind) -> tuple[Account, Purse]:
        """Return the nearest account that has nothing of *kind* left; there is one."""
        for account in self._upwards():
            purse = account.purses[kind]
            if purse.grant is not None and purse.grant - purse.spent - purse.reserved <= 0:
                return account, purse
        raise AssertionError(f"{self.name} has some {kind} left")

    def _is_one_too_many(self, call: CallFrame, most: int) -> bool:
        parent = call.parent
        if parent is None:
            return False
        if parent.is_fan_out:
            return call.number >= most
        task = _current_task()
        if task is None:
            return False
        under_way = self._under_way.get(parent)
        if under_way is None:
            under_way = self._under_way[parent] = WeakKeyDictionary()
        if task not in under_way and len(under_way) >= most:
            running = [other for other, last in under_way.items() if last() is not None and not other.done()]
            if len(running) >= most:
                return True
            self._under_way[parent] = under_way = WeakKeyDictionary({other: under_way[other] for other in running})
        under_way[task] = ref(call)
        return False


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


class AccountFrame(Frame):
    """The place of a budget in the tree of calls: where its account begins."""

    __slots__ = ()

    is_budget: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()

    @property
    def name(self) -> str:
        return "budget"

    # Loops in different threads may share one budget, so no runtime is remembered here.
    @property
    def runtime(self) -> Any:
        """Always None."""
        return None

    @runtime.setter
    def runtime(self, value: Any) -> None:
        return


def account_of(frame: Frame | None) -> Account | None:
    """Return the nearest account at *frame* or above; None where there is none."""
    while frame is not None:
        account: Account | None = frame.account
        if account is not None:
            return account
        frame = frame.parent
    return None


def charge_to(frame: Frame, charge: Charge, events: Events | None) -> None:
    """Tell of *charge* whoever keeps count for *frame*: its limits, the budgets above it, the event stream.

    Args:
      frame: the call, or whatever place in the tree of calls used it.
      events: the stream of the runtime it runs on; None where that isn't known.

    From any thread.
    """
    if charge.tokens_in or charge.tokens_out:  # dollars alone don't say that no tokens were used
        with _lock:  # one call may charge from several threads
            for listener in charge_listeners:
                listener(frame, charge.tokens_in, charge.tokens_out)
    account = account_of(frame)
    if account is not None:
        account.charge(frame, charge)
    if events is not None and events.heard:
        events.emit(
            "call.charged", frame,
            tokens_in=charge.tokens_in, tokens_out=charge.tokens_out, usd=charge.units / UNITS,
        )  # fmt: skip


def _agents_above(call: CallFrame, account: Account) -> list[str]:
    """Return the names of the agents between *account* and *call*, the nearest first."""
    names: list[str] = []
    frame = call.parent
    while frame is not None and not (frame.is_budget and frame.account is account):
        if isinstance(frame, CallFrame) and not isinstance(frame, ForeignCall):
            names.append(frame.name)
        frame = frame.parent
    return names


def _too_deep(call: CallFrame, account: Account, above: list[str]) -> BudgetExceeded:
    names = above[::-1]
    chain = names if len(names) <= _NAMES else [*names[:2], f"... {len(names) - 4} more", *names[-2:]]
    return BudgetExceeded(
        f"{call!r} was refused: it would be agent {len(names) + 1} in a row under {account.name}, which allows "
        f"depth={account.depth}: {' > '.join([*chain, call.name])}. Does an agent call itself without an end?",
        call=call, what="depth", spent=len(names), granted=account.depth or 0,
    )  # fmt: skip


def _too_wide(refused: str, account: Account, call: CallFrame | None) -> BudgetExceeded:
    most = account.fan_out or 0
    return BudgetExceeded(
        f"{refused}: {account.name} allows fan_out={most} calls at one go. Hand out fewer, or grant more.",
        call=call, what="fan_out", spent=most, granted=most,
    )  # fmt: skip
