"""Money and tokens: ``charge`` says what was used, ``budget`` bounds it, ``tenant`` says on whose behalf.

What one call uses is said once, where it is known, and counts everywhere: in the limits that the call holds, in every
budget above it, in the event stream. The tree of calls is what carries it, as it carries time-outs; so children of
children count too, in tasks, threads and processes alike.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Token
from dataclasses import dataclass
from typing import Any, SupportsFloat

from ..._core.account import Account, AccountFrame, Low, account_of, charge_to
from ..._core.context import Frame, current_frame, frame_here, tenant_here
from ..._core.errors import UsageError
from ..._core.events import Events
from ..._core.purse import KINDS, UNITS, Kind, charge_from, in_words, shown_of, units, whole
from ..._runtime import current
from ...lanes.worker_hooks import charge_in_worker, in_worker
from ..call import WorkerFrame

_log = logging.getLogger("linecook")


def charge(tokens_in: int = 0, tokens_out: int = 0, usd: SupportsFloat = 0.0) -> None:
    """Say what the call under way has used. Call it wherever usage is known, as often as it is: the sums count.

    Args:
      tokens_in, tokens_out: whole numbers, ≥ 0.
      usd: dollars, ≥ 0; any number that ``float`` takes. Counted in trillionths, so sums are exact.

    From a tool or an agent, on the loop, in a thread or in a worker process: there it is sent at once, so what a
    process has charged counts also if it is killed in the next moment. (A thread there that outlives the body is
    charged to the call that runs then, if there is one.) Charging never raises for want of money: what
    is spent is spent, and the *next* call of the budget is refused. Outside any call and any budget nobody keeps
    count, and the log says so once.

    Raises:
      TypeError, ValueError: an argument is no number, negative, NaN or infinite; nothing is counted then.
    """
    amount = charge_from(tokens_in, tokens_out, usd)
    if in_worker():
        charge_in_worker((amount.tokens_in, amount.tokens_out, amount.units))
        return
    frame = frame_here()
    if frame is None:
        _notices.say_once("charge() was called outside any call of linecook and any budget: nobody keeps count of it")
        return
    if isinstance(frame, WorkerFrame):
        _notices.say_once("charge() was called in a process that a tool's body forked off: nobody keeps count of it")
        return
    charge_to(frame, amount, _events_of(frame))


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent: dollars, tokens (in and out together), calls that began."""

    usd: float
    tokens: int
    calls: int


@dataclass(frozen=True, slots=True)
class Left:
    """What may still be spent, each ≥ 0; None where neither this budget nor one around it sets a bound."""

    usd: float | None
    tokens: int | None
    calls: int | None


def budget(
    usd: SupportsFloat | None = None,
    calls: int | None = None,
    tokens: int | None = None,
    depth: int | None = None,
    fan_out: int | None = None,
) -> Budget:
    """Bound what everything that is called inside a block may spend.

    ``with budget(usd=5) as purse:``; ``async with`` does the same.

    Args:
      usd: dollars; counted as ``charge`` says them.
      calls: calls of tools and agents that may begin; attempts of one call count once.
      tokens: tokens in and out together.
      depth: most agents nested in one another inside; 0 lets only tools run.
      fan_out: most calls of one ``gather``, ``settle``, ``as_completed`` or ``first``, and most that one agent may
        have under way at once, ≥ 1. A collection that is too long raises ``BudgetExceeded`` before one of its calls
        begins, in ``settle`` too: it is the turn that is refused, and there is no outcome to lose. Of an input whose
        length isn't known, so many calls begin and the others are refused one by one.

    All are ≥ 0; None sets no bound of its own, and those around it hold. 0 refuses the first call. Without any budget
    a fan-out takes as many as it is given, 1,000 at a time; agents that await themselves without an end meet Python's
    RecursionError after some hundred, and those that fan out into themselves meet nothing: give them a ``depth``.

    All children share what it holds, wherever they run. When ``usd``, ``tokens`` or ``calls`` is used up the *next*
    call raises ``BudgetExceeded``: in ``gather`` that is the first failure, in ``settle`` the outcome of what did not
    begin. What runs goes on and is counted, so a budget is overdrawn by what was under way at most. At 80 % the event
    ``budget.low`` and one line in the log say so.

    A budget inside another takes its share out of it when it opens, at most what is left there: it holds less than it
    asked for then, and says so when that is used up. Others can't spend its share. When it ends, what it didn't use
    goes back. What outlives it stays bound by it. Work that ``Runtime.start`` begins outlives everything, and is bound
    by none.

    Raises:
      TypeError, ValueError: an argument is no number, negative, NaN or infinite.
      UsageError: on entering: it was entered before, or stands inside a tool, which calls no other.
    """
    grants: dict[Kind, int] = {}
    if usd is not None:
        grants["usd"] = units(usd, "usd of budget")
    if tokens is not None:
        grants["tokens"] = whole(tokens, "tokens of budget")
    if calls is not None:
        grants["calls"] = whole(calls, "calls of budget")
    if depth is not None:
        whole(depth, "depth of budget")
    if fan_out is not None and whole(fan_out, "fan_out of budget") < 1:
        raise ValueError("fan_out of budget must be 1 or more; None for no bound")
    return Budget(grants, depth, fan_out)


class Budget:
    """A block whose calls share what it holds; made by ``budget``."""

    def __init__(self, grants: dict[Kind, int], depth: int | None, fan_out: int | None) -> None:
        self._grants = grants
        self._depth = depth
        self._fan_out = fan_out
        self._account: Account | None = None
        self._frame: AccountFrame | None = None
        self._token: Token[Frame | None] | None = None

    @property
    def spent(self) -> Spent:
        """What was spent inside, so far or in the end."""
        usd, tokens, calls = [0 if self._account is None else self._account.spent(kind) for kind in KINDS]
        return Spent(usd / UNITS, tokens, calls)

    @property
    def left(self) -> Left:
        """What may still be spent inside."""
        usd, tokens, calls = [self._left(kind) for kind in KINDS]
        return Left(None if usd is None else usd / UNITS, tokens, calls)

    def _left(self, kind: Kind) -> int | None:
        return self._grants.get(kind) if self._account is None else self._account.left(kind)

    def __enter__(self) -> Budget:
        if self._account is not None:
            raise UsageError(f"{self!r} is entered once; make a new one with budget(...)")
        parent = frame_here()
        if parent is not None and parent.is_tool:
            raise UsageError(
                f"{self!r} stands inside the tool {parent.name}, which calls no other. Put the budget around the call "
                "of the tool, and charge(...) inside it."
            )
        self._account = Account(repr(self), account_of(parent), self._grants, self._depth, self._fan_out, _say_low)
        self._account.open()
        self._frame = AccountFrame()
        if parent is not None:
            parent.adopt(self._frame)
        self._frame.account = self._account
        self._token = current_frame.set(self._frame)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._account is not None
        assert self._frame is not None
        assert self._token is not None
        self._account.close()
        try:
            current_frame.reset(self._token)
        except ValueError:  # left in another context than it was entered in, as fixtures of tests are
            if current_frame.get() is self._frame:
                current_frame.set(self._frame.parent)

    async def __aenter__(self) -> Budget:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__(*exc)

    def __repr__(self) -> str:
        asked: dict[str, Any] = {kind: in_words(kind, grant) for kind, grant in self._grants.items()}
        asked |= {"depth": self._depth, "fan_out": self._fan_out}
        return f"budget({', '.join(f'{name}={value:g}' for name, value in asked.items() if value is not None)})"


def tenant(name: str, weight: float = 1.0) -> AbstractContextManager[None]:
    """Say on whose behalf everything inside a block is called; limits are fair between tenants.

    ``with tenant("kitchen-7"):``

    Args:
      name: of a user, a customer, a job. What nobody says is the tenant ``""``.
      weight: how large a share it gets where calls wait, compared with others'; above 0.

    Inherited by all that is called inside, in tasks and threads too; an inner one replaces it.

    Raises:
      TypeError, ValueError: the name is no text, or the weight no number above 0.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"name of tenant must be text, not {name!r}")
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"weight of tenant {name!r} must be a number, not {weight!r}")
    if not (weight > 0 and math.isfinite(weight)):
        raise ValueError(f"weight of tenant {name!r} must be above 0, and finite, not {weight!r}")
    return _as_tenant(name, float(weight))


@contextmanager
def _as_tenant(name: str, weight: float) -> Generator[None]:
    before = tenant_here.get()
    token = tenant_here.set((name, weight))
    try:
        yield
    finally:
        try:
            tenant_here.reset(token)
        except ValueError:  # left in another context than it was entered in, as fixtures of tests are
            tenant_here.set(before)


# -- who is told ---------------------------------------------------------------------------------------------------


def _events_of(frame: Frame | None) -> Events | None:
    """Return the event stream of the runtime on which *frame* runs; None off the loop, where nobody has looked yet."""
    while frame is not None:
        if frame.runtime is not None:
            events: Events = frame.runtime.events
            return events
        frame = frame.parent
    try:
        return current().events
    except RuntimeError:
        return None


def _say_low(low: Low) -> None:
    """Tell of a budget that is nearly used up: once each, by an event and by the log."""
    spent, granted = in_words(low.kind, low.spent), in_words(low.kind, low.granted)
    events = _events_of(low.frame)
    if events is not None and events.heard:
        events.emit("budget.low", low.frame, budget=low.account.name, what=low.kind, spent=spent, granted=granted)
    place = low.frame.parent.path if low.frame.parent is not None else low.frame.name
    _notices.say(
        f"{low.account.name}: {shown_of(low.kind, low.spent, low.granted)} spent, lately by {place}; "
        "when it is used up the next call raises BudgetExceeded"
    )


class _Notices:
    """Lines for the log, one a second at most: there may be a budget for each of 10,000 requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = -math.inf
        self._more = 0
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Say *text* now, or count it for the next line."""
        with self._lock:
            now = time.monotonic()
            if now - self._last < 1.0:
                self._more += 1
                return
            more, self._more, self._last = self._more, 0, now
        _log.warning("%s%s", text, f" (and {more} other budgets since the last such line)" if more else "")

    def say_once(self, text: str) -> None:
        """Say *text* once in the life of the process."""
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
        _log.warning("%s", text)


_notices = _Notices()
