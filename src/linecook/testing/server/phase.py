"""What a misbehaving server is told, and what it tells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FAULTS = ("reset", "hang", "slow", "garbage", "cut", "nonsense")
"""What may happen instead of an answer: the connection is reset; nothing comes, ever; the body comes in 20 pieces, over
ten times the latency; bytes that are no HTTP; half of the body, and the end; a body that is no JSON. Beside these: a
status, such as ``"500"``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How the server behaves for a while.

    Attributes:
      seconds: how long; None for good.
      parallel: requests it serves at once; None for any number.
      when_full: what one more gets: status 429 or 503, or ``"wait"``: it is served when there is room.
      knee: from so many in flight on everything takes longer, in proportion; None for never.
      latency: seconds until the answer: a number, or median and 99th percentile (log-normal).
      per_second, per_minute: requests it accepts in any window of that length; more get 429.
      tokens_per_minute: tokens, in and out together, it gives out in any minute; a request that doesn't fit gets 429.
      retry_after: header of its own 429 and 503: ``"seconds"`` until there is room, as a whole number; ``"date"``, the
        same as a date; a number or any other text, sent as it is; None for none.
      faults: the share of requests, 0 to 1, to which each of ``FAULTS``, or a status, happens.

    Raises:
      ValueError: a figure that makes no sense; the message names it.
    """

    seconds: float | None = None
    parallel: int | None = None
    when_full: Literal[429, 503, "wait"] = 429
    knee: int | None = None
    latency: float | tuple[float, float] = 0.01
    per_second: int | None = None
    per_minute: int | None = None
    tokens_per_minute: int | None = None
    retry_after: float | str | None = "seconds"
    faults: Mapping[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        _above_zero(self.seconds, "seconds")
        for name in ("parallel", "knee", "per_second", "per_minute", "tokens_per_minute"):
            _above_zero(getattr(self, name), name)
        if self.when_full not in (429, 503, "wait"):
            raise ValueError(f"when_full={self.when_full!r} of a Phase: there are 429, 503 and 'wait'")
        median, longest = self.latency if isinstance(self.latency, tuple) else (self.latency, self.latency)
        if not 0 <= median <= longest < math.inf or (median == 0 < longest):
            raise ValueError(f"latency={self.latency!r} of a Phase must be seconds, or median and 99th percentile")
        for fault in self.faults:
            if fault not in FAULTS and not (fault.isdigit() and 400 <= int(fault) <= 599):
                raise ValueError(f'no fault is called {fault!r}: there are {", ".join(FAULTS)}, and "400" to "599"')
        if not all(share >= 0 for share in self.faults.values()) or sum(self.faults.values()) > 1 + 1e-9:
            raise ValueError(f"faults={dict(self.faults)!r} of a Phase must be shares, together at most 1")


def _above_zero(value: float | None, name: str) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"{name} of a Phase must be above 0 (None: no bound), not {value!r}")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server has seen, so far or up to its end.

    Attributes:
      requests: that arrived whole.
      answered: with status 200 and a body that is right.
      statuses: answers by status; 0 for one that was never sent.
      faults: by name, what happened instead.
      left: clients that went before their answer.
      at_once, waiting: requests inside now; those of them that wait for room.
      most_at_once: most requests inside at one moment, accepted or not.
      most_served: most that were served at one moment.
      most_per_second, most_per_minute: most arrivals in any window of that length.
      most_tokens_per_minute: most tokens of requests accepted in any minute.
      tokens_in, tokens_out: of what was accepted.
      phase: number of the phase it is in, from 0; None before the first request.
      phases: per phase, ``requests``, ``answered`` and ``refused`` (its own 429 and 503).
    """

    requests: int
    answered: int
    statuses: Counter[int]
    faults: Counter[str]
    left: int
    at_once: int
    waiting: int
    most_at_once: int
    most_served: int
    most_per_second: int
    most_per_minute: int
    most_tokens_per_minute: int
    tokens_in: int
    tokens_out: int
    phase: int | None
    phases: list[dict[str, int]]
