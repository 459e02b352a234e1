"""How many calls in flight a server takes, found out by trying: ``Limit("8-64-512")``.

After inspect_ai's controller, which stands on TCP's: slow start doubles the bound until the first cut; an episode of
refusals costs one cut; the bound grows only while it is what holds calls back (80 % in use); errors of the server pause
growth and cut nothing. What is ours, each because a trace of benchmarks/rows/limit_adaptive.py needs it:

- An episode isn't a time but what a cut can't have changed yet. A refusal of a call that was let in before the last
  cut says nothing new; one of a call let in after it, while others succeed, says that the cut was too small. So a
  server that halves is followed in a few round trips, not in a few cool-down times.
- After a cut as many calls are let in as have succeeded since, and one: where the server refuses everything, a storm
  costs what was in flight and then a probe at a time, ever more rarely.
- A refusal right above a bound that was clean goes back to that bound; only a fifth more than that is guesswork.
- Growth halves the way to where it last failed (BIC, Xu, Harfoush and Rhee, 2004), stays there for a while, then feels
  its way beyond in steps of 1, 2, 4, …: a server that doubles is found within ten round trips.
- A round's mean latency is held against the least there was: at twice that growth stops, at three times there is a
  mild cut (a server may queue rather than refuse).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

CUT = 0.8  # of the bound that failed
MILD_CUT = 0.9
SATURATED = 0.8  # share of the bound that must have been in use for it to grow
PATIENCE, LONGEST_PATIENCE = 16, 32  # clean rounds (of a quarter of the bound) at the edge before the next try beyond
_IMPATIENCE = 1.5  # by how much that grows with each try in vain
_SLOW, _VERY_SLOW = 2.0, 3.0  # mean latency of a round over the least of one
_FEWEST = 16  # calls from which a mean latency says anything
_FORGETTING = 1.02  # by how much the least latency rises each round, until it is reached again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between probes of a server that refuses everything

_SHORTHAND = re.compile(r"\s*(\d+)\s*-\s*(\d+)\s*-\s*(\d+)\s*")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what an adaptive limit moves: 1 ≤ ``least`` ≤ ``start`` ≤ ``most``."""

    least: int
    start: int
    most: int

    def __str__(self) -> str:
        return f"{self.least}-{self.start}-{self.most}"


def bounds_from(text: str, name: str) -> Bounds:
    """Read ``"min-start-max"``.

    Raises:
      ValueError: it isn't three whole numbers, 1 ≤ min ≤ start ≤ max; the message names *name*.
    """
    found = _SHORTHAND.fullmatch(text)
    if found is None:
        raise ValueError(f'{name} must be a whole number or "min-start-max" such as "8-64-512", not {text!r}')
    bounds = Bounds(int(found[1]), int(found[2]), int(found[3]))
    if not 1 <= bounds.least <= bounds.start <= bounds.most:
        raise ValueError(f'{name} must be "min-start-max" with 1 ≤ min ≤ start ≤ max, not {text!r}')
    return bounds


class Adaptive:
    """The bound on calls in flight of one server, and how it moves. No clock of its own, and no waiting.

    Args:
      bounds: between what it moves, and where it starts.
      changed: told of every change: from, to, reason (``"slow start"``, ``"growth"``, ``"refused"``, ``"latency"``,
        ``"retuned"``).

    Attributes:
      bound: most calls in flight now.
      epoch: number of changes so far; a call remembers the one it was let in under.
      cuts: how often the bound was cut.
      is_failing: from a cut to the first success of a call let in after it; ``may_let_in`` decides meanwhile.
      peak: most in flight in this round.
    """

    __slots__ = (
        "_bounds", "_changed", "_clean", "_credit", "_deepened", "_edge", "_failed_at", "_fastest", "_in_episode",
        "_let_in", "_patience", "_pauses", "_proven", "_refusals", "_round", "_round_length", "_seconds", "_step",
        "_timed", "bound", "cuts", "epoch", "is_failing", "peak",
    )  # fmt: skip

    def __init__(self, bounds: Bounds, changed: Callable[[int, int, str], None]) -> None:
        self._bounds = bounds
        self._changed = changed
        self.bound = bounds.start
        self._round_length = _round_length(self.bound)
        self.epoch = 0
        self.cuts = 0
        self._edge = 0  # the bound at which it was last refused; 0: never, slow start
        self._proven = 0  # the largest bound that was clean for a round since the last cut
        self._step = 0  # by how much it went beyond the edge last
        self._clean = 0  # clean rounds at the edge
        self._patience: float = PATIENCE
        self._begin_round()
        self._fastest = 0.0
        self._seconds, self._timed = 0.0, 0
        self._in_episode = False  # from a cut to the first clean round
        self.is_failing = False  # from a cut to the first success of a call let in after it
        self._let_in = self._credit = 0  # since the cut: calls let in, and those that didn't end in a refusal
        self._refusals = 0  # in this episode, of calls that were let in before the cut
        self._failed_at = 0
        self._deepened = False
        self._pauses = 0

    def _begin_round(self) -> None:
        self._round = 0  # successes of calls let in under this bound
        self.peak = 0  # most in flight

    # -- letting in ----------------------------------------------------------------------------------------------

    def may_let_in(self, in_flight: int) -> bool:
        """Say whether one more may be in flight. Where none is one always may: nobody else could tell how it goes."""
        return in_flight < self.bound and (not self.is_failing or self._let_in <= self._credit or not in_flight)

    def let_in(self, in_flight: int) -> None:
        """Note that a call was let in; *in_flight* with it."""
        if in_flight > self.peak:
            self.peak = in_flight
        if self.is_failing:
            self._let_in += 1

    # -- what became of them -------------------------------------------------------------------------------------

    def left(self, epoch: int) -> None:
        """Note that a call ended without telling anything: cancelled, or failed by itself before it asked."""
        if self.is_failing and epoch == self.epoch:
            self._let_in -= 1

    def faltered(self) -> None:
        """Note an error of the server that isn't about load: growth pauses for a round."""
        self._credit += 1
        self._begin_round()

    def succeeded(self, epoch: int, seconds: float) -> None:
        """Note that a call let in under *epoch* was served, in *seconds*."""
        self._credit += 1
        self._seconds += seconds
        self._timed += 1
        if epoch != self.epoch:
            return
        self.is_failing = False
        self._pauses = 0
        self._round += 1
        if self._round >= self._round_length:
            self._end_round()

    def _end_round(self) -> None:
        slow = self._slowness()
        is_saturated = self.peak >= SATURATED * self.bound
        self._in_episode = False
        self._begin_round()
        if not is_saturated:
            return
        if slow >= _VERY_SLOW:
            self._edge = self.bound
            self._cut(max(self._bounds.least, int(self.bound * MILD_CUT)), "latency")
        elif slow < _SLOW:
            self._proven = max(self._proven, self.bound)
            self._grow()

    def _slowness(self) -> float:
        """Return how many times the least mean latency this round's is; 1.0 while nobody knows."""
        if self._timed < _FEWEST:
            return 1.0
        mean = self._seconds / self._timed
        self._seconds, self._timed = 0.0, 0
        self._fastest = min(mean, self._fastest * _FORGETTING) if self._fastest else mean
        return mean / self._fastest if self._fastest else 1.0

    def _grow(self) -> None:
        bound, edge = self.bound, self._edge
        if not edge:
            self._move(bound * 2, "slow start")
        elif bound < edge - 1:
            self._move(bound + max(1, (edge - 1 - bound + 1) // 2), "growth")
        elif self._step:
            self._step = min(2 * self._step, self._bounds.most)  # where the server takes more than we may ask for
            self._move(bound + self._step, "growth")
        else:
            self._clean += 1
            if self._clean >= self._patience:
                self._step = 1
                self._move(bound + 1, "growth")

    def refused(self, epoch: int) -> float:
        """Note that the server refused a call let in under *epoch*: too much load.

        Returns:
          Seconds for which nobody should be let in, when it refuses everything; 0.0 else.
        """
        self._begin_round()
        if self._in_episode and epoch != self.epoch:
            return self._late_refusal()
        if self.is_failing and not self._credit:
            self._let_in = 0
            self._pauses += 1
            return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._pauses - 1, 16))
        was_clean = not self._in_episode and CUT * self.bound <= self._proven < self.bound
        # A try one beyond the edge that was in vain: the next one waits longer. Anything else is news.
        in_vain = was_clean and self._step == 1
        self._patience = min(LONGEST_PATIENCE, self._patience * _IMPATIENCE) if in_vain else PATIENCE
        self._edge = self.bound
        self._deepened = not was_clean
        self._cut(self._proven if was_clean else self._lowered(self.bound), "refused")
        return 0.0

    def _late_refusal(self) -> float:
        """Count a refusal of a call that was let in before the cut; many of them deepen a cut that was mild."""
        self._refusals += 1
        if not self._deepened and self._refusals > max(2, self._failed_at // 10):
            self._deepened = True
            self._move(min(self.bound, self._lowered(self._failed_at)), "refused")
        return 0.0

    def _lowered(self, bound: int) -> int:
        return max(self._bounds.least, min(bound - 1, int(bound * CUT)))

    def _cut(self, to: int, reason: str) -> None:
        self.cuts += 1
        self._failed_at = self.bound
        self._in_episode = self.is_failing = True
        self._let_in = self._credit = self._refusals = 0
        self._proven = self._step = self._clean = 0
        self._move(to, reason, is_cut=True)

    def _move(self, to: int, reason: str, *, is_cut: bool = False) -> None:
        before = self.bound
        self.bound = min(max(to, self._bounds.least), self._bounds.most)
        self._round_length = _round_length(self.bound)
        if self.bound != before or is_cut:
            self.epoch += 1
        if self.bound != before:
            self._changed(before, self.bound, reason)

    def retune(self, bounds: Bounds) -> None:
        """Move between other bounds from now on; nobody in flight is ended."""
        self._bounds = bounds
        self._edge = min(self._edge, bounds.most)
        self._begin_round()
        self._move(self.bound, "retuned")


def _round_length(bound: int) -> int:
    """Return how many successes make a round: the first took one round trip, the others come within a quarter more."""
    return max(4, bound // 4)
