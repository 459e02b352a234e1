"""Collects what is going on in a run, for whoever looks: ``Facts`` counts and listens, ``snapshot`` reads.

On the user's loop nothing happens but counting; reading is done on the thread of whoever looks, and copies what the
loop goes on changing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

from .._core.events import Event
from .._core.meter import Meter, quantile
from .limits import limit_facts
from .money import KINDS as OF_MONEY
from .money import Money
from .snapshot import LaneFacts, StallFacts, ToolFacts
from .snapshot import Snapshot as Snapshot
from .watched import Stall

T = TypeVar("T")

MOST_TOOLS = 20
MOST_LIMITS = 20
MOST_STALLS = 20
_MOST_PLACES = 200  # of stalls, remembered
_RECENT = 10.0  # seconds over which the rate is taken


class Facts:
    """Collects what ``snapshot`` tells, until ``close``. Any number may look at one runtime.

    Args:
      runtime: the one to look at; None: none yet, see ``attach``.
      total: how many outcomes there will be; None: not known.

    While one is attached, the runtime's lanes keep the times of each tool's latest bodies (0.05 µs for each).
    """

    def __init__(self, runtime: Any = None, total: int | None = None) -> None:
        self._total = total
        self._began = time.monotonic()
        self._counting = threading.Lock()
        self._counts: dict[str, int] = {}
        self._looking = threading.Lock()  # two may ask for a snapshot at once: a board, and somebody from outside
        self._recent: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._heard = _Heard()
        self._lag = _LoopLag()
        self._runtime: Any = None
        self._unsubscribe: Callable[[], None] | None = None
        if runtime is not None:
            self.attach(runtime)

    def attach(self, runtime: Any, /) -> None:
        """Look at *runtime* from now on, and at no other; call it on the runtime's loop, or before that runs."""
        self._detach()
        self._heard.begin(runtime._watching.stalls)
        self._unsubscribe = runtime.subscribe(self._heard)
        runtime.timers_wanted += 1
        _listen(runtime)
        self._runtime = runtime

    def update(self, kind: str, /) -> None:
        """Count one outcome: ``"Ok"``, ``"Failed"``, ``"TimedOut"``, ``"Cancelled"`` or another word; any thread."""
        with self._counting:
            self._counts[kind] = self._counts.get(kind, 0) + 1

    def expect(self, total: int | None, /) -> None:
        """Correct the total, once it is known; None: it isn't."""
        self._total = total

    def snapshot(self) -> Snapshot:
        """Return what is going on just now; from any thread, best not the loop's: it takes about a millisecond."""
        with self._counting:
            outcomes = self._counts.copy()
        with self._looking:
            return self._look(self._runtime, outcomes)

    def close(self) -> None:
        """Look no more; what was counted can still be read."""
        self._detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _detach(self) -> None:
        runtime, self._runtime = self._runtime, None
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            runtime.timers_wanted -= 1
            _listen(runtime)
            if runtime.facts is self:
                runtime.facts = None

    def _look(self, runtime: Any, outcomes: dict[str, int]) -> Snapshot:
        now, done, total = time.monotonic(), sum(outcomes.values()), self._total
        rate = self._rate(now, done)
        draining = runtime is not None and runtime.draining
        tools = [] if runtime is None else sorted(map(_tool_facts, _meters_of(runtime)), key=_by_slowness)
        counts: dict[str, Any] = {} if runtime is None else _steadily(runtime.statistics, dict[str, Any])
        limits = [] if runtime is None else limit_facts(runtime, counts.get("limits", {}))
        return Snapshot(
            at=time.time(),
            pid=os.getpid(),
            uptime=now - self._began,
            done=done,
            total=total,
            rate=rate,
            eta=None if total is None or draining or rate <= 0.0 else max(0, total - done) / rate,
            outcomes=outcomes,
            lanes={} if runtime is None else _lanes(runtime, counts),
            tools=tuple(tools[:MOST_TOOLS]),
            tools_hidden=max(0, len(tools) - MOST_TOOLS),
            limits_waiting=sum(places["waiting"] for places in counts.get("limits", {}).values()),
            limits=tuple(limits[:MOST_LIMITS]),
            limits_hidden=max(0, len(limits) - MOST_LIMITS),
            spent=self._heard.money.spent(),
            budgets=self._heard.money.budgets(),
            retries=self._heard.retries,
            loop_lag=None if runtime is None or runtime.closed else self._lag.look(runtime._loop, now),
            stalls=self._heard.stalls(now),
            pipelines=() if runtime is None else pipelines_in_words(runtime),
            draining=draining,
            hint=_how_to_stop(draining),
        )

    def _rate(self, now: float, done: int) -> float:
        self._recent.append((now, done))
        while len(self._recent) > 2 and now - self._recent[1][0] >= _RECENT:
            self._recent.popleft()
        at, before = self._recent[0]
        return max(0, done - before) / (now - at) if now > at else 0.0


class _Heard:
    """Listens to a runtime's events: a few additions for each."""

    def __init__(self) -> None:
        self.retries = 0
        self.money = Money()
        self._places: dict[tuple[str, int, str], StallFacts] = {}
        self._going_on: tuple[Stall, float] | None = None

    def begin(self, stalls: Iterable[Stall]) -> None:
        """Count what was noticed before anybody looked."""
        for stall in _steadily(lambda: list(stalls), list[Stall]):
            self._count(stall)

    def __call__(self, event: Event) -> None:
        if event.kind in OF_MONEY:
            self.money.note(event)
        elif event.kind == "call.retrying":
            self.retries += 1
        elif event.kind == "stall.began":
            self._going_on = event.data["stall"], event.at
        elif event.kind == "stall.ended":
            self._going_on = None
            self._count(event.data["stall"])

    def _count(self, stall: Stall) -> None:
        self._places[_key(stall)] = self._with(stall, stall.duration)
        if len(self._places) > _MOST_PLACES:
            del self._places[min(self._places, key=lambda key: self._places[key].seconds)]

    def _with(self, stall: Stall, seconds: float, *, going_on: bool = False) -> StallFacts:
        before = self._places.get(_key(stall))
        count, so_far = (0, 0.0) if before is None else (before.count, before.seconds)
        return StallFacts(str(stall.place), stall.whose, count + 1, so_far + seconds, going_on)

    def stalls(self, now: float) -> tuple[StallFacts, ...]:
        """Return the worst places, first one where the loop stands just now."""
        places = _steadily(self._places.copy, dict[tuple[str, int, str], StallFacts])
        going_on = self._going_on
        if going_on is not None:
            stall, since = going_on
            places[_key(stall)] = self._with(stall, stall.duration + now - since, going_on=True)
        worst = sorted(places.values(), key=lambda each: (not each.going_on, -each.seconds))
        return tuple(worst[:MOST_STALLS])


def _key(stall: Stall) -> tuple[str, int, str]:
    return stall.place.file, stall.place.line, stall.place.function


class _LoopLag:
    """How long a loop takes to come to a callback; asked anew at each look, one question at a time."""

    def __init__(self) -> None:
        self._asked: float | None = None
        self._lag: float | None = None

    def look(self, loop: Any, now: float) -> float | None:
        """Return the seconds the last question took, or takes so far; None before the first answer."""
        if loop is None or getattr(loop, "is_virtual", False):  # there, time stands still until all is quiet
            return None
        asked = self._asked
        if asked is not None:
            so_far = now - asked
            return so_far if self._lag is None or so_far > self._lag else self._lag
        self._asked = now
        try:
            loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # it is closed
            self._asked = None
            return None
        return self._lag

    def _answer(self) -> None:
        if self._asked is not None:
            self._lag, self._asked = time.monotonic() - self._asked, None


def _lanes(runtime: Any, counts: dict[str, Any]) -> dict[str, LaneFacts]:
    lanes = {"loop": _loop_facts(runtime, counts)}
    thread, process = counts.get("thread"), counts.get("process")
    if thread is not None:
        lanes["thread"] = LaneFacts(
            running=thread["running"],
            waiting=thread["waiting"],
            workers=thread["threads"],
            cap=thread["max_threads"],
            abandoned=thread["abandoned"],
        )
    if process is not None:
        sent, most = process["running"], process["processes"]
        lanes["process"] = LaneFacts(
            running=min(sent, most),
            waiting=process["waiting"] + max(0, sent - most),
            workers=process["workers"],
            cap=most,
            lost=process["lost"],
        )
    return lanes


def _loop_facts(runtime: Any, counts: dict[str, Any]) -> LaneFacts:
    fanouts: list[Any] = _steadily(lambda: [each for each in list(runtime._fanouts) if not each.over], list[Any])
    windows = [None if fanout._limit == sys.maxsize else fanout._limit for fanout in fanouts]
    return LaneFacts(
        running=sum(len(fanout.running) for fanout in fanouts) + counts.get("background", 0),
        cap=sum(window for window in windows if window is not None) if windows and None not in windows else None,
        abandoned=counts.get("resisting", 0),
    )


def pipelines_in_words(runtime: Any) -> tuple[str, ...]:
    """Return a sentence about each pipeline that runs, and a line about each of its stages."""
    lines: list[Any] = _steadily(lambda: list(runtime._pipelines), list[Any])
    told = [_steadily(line.words, tuple[str, ...]) for line in lines if line.is_running]
    return tuple(words for each in told for words in each)


def _meters_of(runtime: Any) -> list[Meter]:
    return _steadily(lambda: list(runtime.meters.values()), list[Meter])


def _tool_facts(meter: Meter) -> ToolFacts:
    times = sorted(_steadily(lambda: list(meter.latest or ()), list[float]))
    timed = meter.lane not in ("loop", "inline")
    return ToolFacts(
        name=meter.name,
        lane=meter.lane,
        calls=meter.calls if timed else None,
        failures=meter.failures if timed else None,
        timeouts=meter.timeouts if timed else None,
        seconds=meter.wall,
        p50=quantile(times, 0.5),
        p95=quantile(times, 0.95),
    )


def _by_slowness(tool: ToolFacts) -> tuple[float, float]:
    return -(tool.p95 or 0.0), -tool.seconds


def _listen(runtime: Any) -> None:
    """Have the meters there are keep times, or not, as is wanted just now; new ones see to themselves."""
    for meter in _meters_of(runtime):
        meter.listen(runtime.timers_wanted > 0)


def _steadily(read: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """Return ``read()``: made again when another thread changed what was copied, ``otherwise()`` if that persists."""
    for _ in range(10):
        try:
            return read()
        except RuntimeError:  # "changed size during iteration"
            continue
    return otherwise()


def _how_to_stop(draining: bool) -> str:
    handler = signal.getsignal(signal.SIGINT)
    if str(getattr(handler, "__module__", "")).startswith("linecook."):
        if draining:
            return "finishing what runs, nothing new is begun. Ctrl-C again cancels it"
        return "Ctrl-C: begin nothing new, finish what runs"
    # The second press gives the signal back to the kernel (see _runtime/run.py).
    return "cancelling everything. Ctrl-C again ends at once" if draining and handler == signal.SIG_DFL else ""
