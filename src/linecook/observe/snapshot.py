"""What is going on in a run, as one value: ``Snapshot``. Boards, JSON lines and ``linecook top`` show nothing else.

Plain records: msgspec turns them into JSON and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """What a lane holds just now.

    Attributes:
      running: bodies under way; on the loop: calls under way in fan-outs.
      waiting: calls that wait for a place, those included that were sent ahead to a worker process. None wait for the
        loop: a fan-out takes an item when it has room.
      workers: threads or processes there are; on the loop 1.
      cap: most that may run at once; on the loop: the windows of all open fan-outs; None: no bound.
      abandoned: bodies that run on although nobody waits for them any more.
      lost: workers that died by themselves.
    """

    running: int = 0
    waiting: int = 0
    workers: int = 1
    cap: int | None = None
    abandoned: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What one tool or agent cost so far.

    Attributes:
      name: the function's qualified name.
      lane: where its bodies run.
      calls: bodies that ended, well or badly; None on the loop, where they aren't counted.
      failures: how many of them raised; None on the loop.
      timeouts: how many were given up at a deadline; None on the loop.
      seconds: seconds in bodies, in all; on the loop: those in which it kept the loop busy, by samples.
      p50, p95: seconds within which half, and 95 %, of the latest 1,000 bodies ended, counted since somebody looks.
        None: not known, as always on the loop, where bodies aren't timed one by one.
    """

    name: str
    lane: str
    calls: int | None
    failures: int | None
    timeouts: int | None
    seconds: float
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeFacts:
    """One change of how many calls an adaptive limit lets in.

    Attributes:
      ago: seconds since then.
      before, after: most in flight; None: no bound.
      why: ``"slow start"``, ``"growth"``, ``"refused"``, ``"latency"`` or ``"retuned"``.
    """

    ago: float
    before: int | None
    after: int | None
    why: str


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What a ``Limit``, or one key of it, holds just now, and what became of its calls so far.

    Attributes:
      name: of the limit; with a key ``hosts[a.example]``.
      in_flight: calls under way.
      bound: most that may be, just now; None: no bound.
      waiting: calls that wait to be let in.
      held_up: why the next one isn't, such as ``"per_second used up, next in 0.3 s"``; empty: nobody waits, or for a
        place only.
      used: of each window what is used, reservations included, and its bound: ``{"per_minute": (412.0, 500.0)}``.
      paused_for: seconds for which nobody is let in; 0.0: it isn't paused.
      circuit: ``"closed"``, ``"open"`` or ``"half open"``; None: it has no breaker.
      waited: calls that had to wait, so far, those included that still do.
      waited_for: seconds for which the others did, all together.
      refused: calls that were turned away.
      pauses: how often it was paused.
      cuts: how often an adaptive limit was cut.
      changes: the last three changes of its bound, latest last.
      retries_refused: attempts that weren't made again, since too many fail.
    """

    name: str
    in_flight: int
    bound: int | None
    waiting: int = 0
    held_up: str = ""
    used: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    paused_for: float = 0.0
    circuit: str | None = None
    waited: int = 0
    waited_for: float = 0.0
    refused: int = 0
    pauses: int = 0
    cuts: int = 0
    changes: tuple[ChangeFacts, ...] = ()
    retries_refused: int = 0


@dataclass(frozen=True, slots=True)
class SpentFacts:
    """What calls were charged since the facts are collected: dollars and tokens."""

    usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class BudgetFacts:
    """What one ``budget`` has, and has spent.

    Attributes:
      name: as it was written, ``budget(usd=5)``.
      whose: path of the call in which it stands; empty outside any.
      spent: so far, inside it and in those within: ``"usd"``, ``"tokens"`` (in and out), ``"calls"``.
      granted: what may be spent, of the kinds that it bounds.
      ended: whether its block was left.
    """

    name: str
    whose: str
    spent: dict[str, float]
    granted: dict[str, float]
    ended: bool = False

    @property
    def share(self) -> tuple[float, str]:
        """The kind that is used up most, and how much of it, from 0; ``(0.0, "")``: it bounds none."""
        shares = [(self.spent[kind] / granted if granted else 1.0, kind) for kind, granted in self.granted.items()]
        return max(shares, default=(0.0, ""))


@dataclass(frozen=True, slots=True)
class StallFacts:
    """A line of code that kept the event loop from everything else.

    Attributes:
      place: ``file:line in function: source``.
      whose: path of the call under way the last time; None when none was known.
      count: stalls there, the one that is going on included.
      seconds: their duration in all.
      going_on: whether the loop stands there just now.
    """

    place: str
    whose: str | None
    count: int
    seconds: float
    going_on: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is going on, at one moment. Times in seconds; None is "not known".

    Attributes:
      at: ``time.time()``.
      pid: the process.
      uptime: since the facts are collected.
      done: outcomes so far.
      total: how many there will be.
      rate: outcomes per second, over the last 10 s.
      eta: seconds until all are done, at that rate; None also when nothing new is begun any more.
      outcomes: how many ended how, by kind, in the order of first appearance: ``{"Ok": 12, "Failed": 1}``.
      lanes: what each lane holds, by name: ``"loop"``, and ``"thread"`` and ``"process"`` once they are in use.
      tools: at most 20, slowest first: by ``p95``, those without one after them, by ``seconds``.
      tools_hidden: how many more there are.
      limits_waiting: calls that wait for a ``Limit``.
      limits: at most 20 that anybody had to wait for, was refused by, or that changed: those with most waiting first.
      limits_hidden: how many more there are.
      spent: what was charged; None: nothing was.
      budgets: at most 20 that are open, of those in which something was charged, by the share that is used; where none
        is open, the last three that ended.
      retries: attempts made again since the facts are collected.
      loop_lag: how long the event loop took to come to a callback put there by the last look, or takes so far.
      stalls: at most 20 places: first one that is going on, then by seconds.
      pipelines: a sentence about each pipeline that runs, and a line about each of its stages.
      draining: whether no new work is begun.
      hint: how to stop, or what Ctrl-C does next; empty where Ctrl-C isn't linecook's.
    """

    at: float
    pid: int
    uptime: float
    done: int = 0
    total: int | None = None
    rate: float = 0.0
    eta: float | None = None
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    lanes: dict[str, LaneFacts] = field(default_factory=dict[str, LaneFacts])
    tools: tuple[ToolFacts, ...] = ()
    tools_hidden: int = 0
    limits_waiting: int = 0
    limits: tuple[LimitFacts, ...] = ()
    limits_hidden: int = 0
    spent: SpentFacts | None = None
    budgets: tuple[BudgetFacts, ...] = ()
    retries: int = 0
    loop_lag: float | None = None
    stalls: tuple[StallFacts, ...] = ()
    pipelines: tuple[str, ...] = ()
    draining: bool = False
    hint: str = ""
