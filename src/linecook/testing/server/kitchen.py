"""What the misbehaving server decides about each request, and what it counts. Standard library only."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

P99 = 2.326  # standard deviations below which 99 % of a normal distribution lie


class Connection(Protocol):
    """Where a request came from, and its answer goes. Has a method for each fault, named after it."""

    def later(self, seconds: float, action: Callable[[], None]) -> None: ...
    def answer(self, request: Request, status: int, content: dict[str, Any], headers: dict[str, str]) -> None: ...


class Window:
    """How much there was in the last *length* seconds, and the most there ever was in so many."""

    def __init__(self, length: float) -> None:
        self.length = length
        self.most = 0
        self._sum = 0
        self._log: deque[tuple[float, int]] = deque()

    def used(self, now: float) -> int:
        """Return the sum of what was added within the last ``length`` seconds."""
        log = self._log
        while log and log[0][0] <= now - self.length:
            self._sum -= log.popleft()[1]
        return self._sum

    def add(self, now: float, amount: int) -> None:
        """Add *amount* now."""
        self._log.append((now, amount))
        self._sum += amount
        self.most = max(self.most, self.used(now))

    def room_in(self, now: float, amount: int, bound: int) -> float:
        """Return the seconds until *amount* more is within *bound*; infinite when it never is."""
        excess = self.used(now) + amount - bound
        if excess <= 0:
            return 0.0
        for at, gone in self._log:
            excess -= gone
            if excess <= 0:
                return at + self.length - now
        return math.inf


class Request:
    """One request that arrived whole, and what is going to become of it."""

    def __init__(self, method: str, target: str, body: bytes) -> None:
        self.method = method
        self.target = target
        self._asked = dict(parse_qsl(urlsplit(target).query))
        self._said = _json(body)
        self._length = len(body)
        self.latency = 0.0
        self.fault = ""
        self.served = False

    def decide(self, phase: dict[str, Any], tally: Counter[str], rng: random.Random) -> None:
        """Fix what of it is left to luck."""
        self.phase = phase
        self.tally = tally
        self.rng = rng
        asked = self._asked
        self.tokens_in = number(asked.get("tokens_in"), max(1, self._length // 4))
        most = number(asked.get("max_tokens", self._said.get("max_tokens")), 100)
        drawn = round(most * rng.uniform(1 / 3, 1))
        self.tokens_out = number(asked.get("tokens_out"), drawn)

    @property
    def tokens(self) -> int:
        """Tokens, in and out together."""
        return self.tokens_in + self.tokens_out


def _json(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def number(text: Any, otherwise: int) -> int:
    """Return the whole number that *text* is, ≥ 0; *otherwise* where it is none."""
    try:
        return max(0, int(text))
    except (TypeError, ValueError):
        return otherwise


class Kitchen:
    """Decides what becomes of requests, and counts."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.loop = asyncio.get_running_loop()
        self.seed = orders["seed"]
        second, minute = 1.0 - orders["slack"], orders["minute"] - orders["slack"]
        self.seconds, self.minutes, self.tokens = Window(second), Window(minute), Window(minute)
        self.arrivals_second, self.arrivals_minute = Window(second), Window(minute)
        self.line: deque[tuple[Request, Connection]] = deque()
        self.at_once = self.served = 0
        self.asked: Counter[str] = Counter()
        self.change(orders)
        self.reset()

    def change(self, orders: dict[str, Any]) -> None:
        """Begin other phases, now if any had begun."""
        begun = getattr(self, "began", None) is not None
        self.phases: list[dict[str, Any]] = orders["phases"]
        self.repeat = orders["repeat"]
        self.began: float | None = time.monotonic() if begun else None
        self.by_phase = [Counter[str](requests=0, answered=0, refused=0) for _ in self.phases]
        if self.line:
            self.serve_next()

    def reset(self) -> None:
        """Count anew."""
        self.requests = self.answered = self.left = self.tokens_in = self.tokens_out = 0
        self.most_at_once, self.most_served = self.at_once, self.served
        self.statuses: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        for window in (self.arrivals_second, self.arrivals_minute, self.tokens):
            window.most = window.used(time.monotonic())
        self.by_phase = [Counter[str](requests=0, answered=0, refused=0) for _ in self.phases]

    def place(self) -> int | None:
        """Return the number of the phase that it is time for; None before the first request."""
        if self.began is None:
            return None
        gone = time.monotonic() - self.began
        if self.repeat:
            gone %= sum(phase["seconds"] for phase in self.phases)
        for number, phase in enumerate(self.phases):
            if phase["seconds"] is None or gone < phase["seconds"]:
                return number
            gone -= phase["seconds"]
        return len(self.phases) - 1

    # -- one request -------------------------------------------------------------------------------------------------

    def take(self, connection: Connection, request: Request) -> None:
        """Decide what becomes of *request*, and begin with it."""
        now = time.monotonic()
        if self.began is None:
            self.began = now
        self.asked[request.target] += 1
        place = self.place() or 0
        rng = random.Random(f"{self.seed} {request.target} {self.asked[request.target]}")
        request.decide(self.phases[place], self.by_phase[place], rng)
        self._count_arrival(request, now)
        refusal = self._refusal(request, now)
        if refusal is not None:
            self._refuse(connection, request, *refusal)
        elif self._is_full(request.phase):
            self._turn_away(connection, request)
        else:
            self._accept(connection, request, now)

    def _count_arrival(self, request: Request, now: float) -> None:
        self.requests += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.arrivals_second.add(now, 1)
        self.arrivals_minute.add(now, 1)
        request.tally["requests"] += 1

    def _refusal(self, request: Request, now: float) -> tuple[int, float] | None:
        phase = request.phase
        bounds = (
            (self.seconds, 1, phase["per_second"]),
            (self.minutes, 1, phase["per_minute"]),
            (self.tokens, request.tokens, phase["tokens_per_minute"]),
        )
        waits = [window.room_in(now, amount, bound) for window, amount, bound in bounds if bound is not None]
        longest = max(waits, default=0.0)
        return (429, longest) if longest > 0 else None

    def _is_full(self, phase: dict[str, Any]) -> bool:
        return phase["parallel"] is not None and self.served >= phase["parallel"]

    def _turn_away(self, connection: Connection, request: Request) -> None:
        if request.phase["when_full"] == "wait":
            self.line.append((request, connection))
        else:
            self._refuse(connection, request, request.phase["when_full"], 1.0)

    def _refuse(self, connection: Connection, request: Request, status: int, wait: float) -> None:
        request.tally["refused"] += 1
        after = request.phase["retry_after"]
        wait = min(wait, 86_400.0)
        if after == "seconds":
            after = math.ceil(wait)
        elif after == "date":
            from email.utils import formatdate

            after = formatdate(time.time() + math.ceil(wait), usegmt=True)
        headers = {} if after is None else {"Retry-After": str(after)}
        connection.answer(request, status, {"error": {"message": "too much", "type": "overloaded"}}, headers)

    def _accept(self, connection: Connection, request: Request, now: float) -> None:
        self.seconds.add(now, 1)
        self.minutes.add(now, 1)
        self.tokens.add(now, request.tokens)
        self.tokens_in += request.tokens_in
        self.tokens_out += request.tokens_out
        request.served = True
        self.served += 1
        self.most_served = max(self.most_served, self.served)
        request.latency = self.latency_of(request)
        request.fault = _draw(request.phase["faults"], request.rng)
        connection.later(request.latency, lambda: self._end(connection, request))

    def latency_of(self, request: Request) -> float:
        """Draw the seconds after which *request* is answered."""
        given: list[float] | float = request.phase["latency"]
        knee: int | None = request.phase["knee"]
        median, p99 = given if isinstance(given, list) else (given, given)
        spread = math.log(p99 / median) / P99 if p99 > median else 0.0
        seconds: float = median * math.exp(spread * request.rng.gauss(0, 1)) if spread else median
        return seconds * max(1.0, self.served / knee) if knee else seconds

    def _end(self, connection: Connection, request: Request) -> None:
        fault = request.fault
        if not fault:
            connection.answer(request, 200, completion(request), {})
            return
        self.faults[fault] += 1
        if fault.isdigit():
            connection.answer(request, int(fault), {"error": {"message": "as told", "type": "fault"}}, {})
        else:
            getattr(connection, fault)(request)

    def ended(self, request: Request, status: int) -> None:
        """Note that *request* is done with: answered with *status*, or 0 for without an answer."""
        self.at_once -= 1
        self.statuses[status] += 1
        if status == 200 and request.fault in ("", "slow"):
            self.answered += 1
            request.tally["answered"] += 1
        if request.served:
            self.served -= 1
            self.serve_next()

    def gone(self, request: Request) -> None:
        """Note that the client has left before it was answered."""
        self.left += 1
        self.line = deque(waiting for waiting in self.line if waiting[0] is not request)
        self.ended(request, 0)

    def serve_next(self) -> None:
        """Serve whom there is room for."""
        now = time.monotonic()
        while self.line:
            request, connection = self.line[0]
            request.phase = self.phases[self.place() or 0]
            if self._is_full(request.phase):
                return
            self.line.popleft()
            self._accept(connection, request, now)

    def statistics(self) -> dict[str, Any]:
        """Return what ``server.Seen`` holds."""
        return {
            "requests": self.requests, "answered": self.answered, "statuses": self.statuses, "faults": self.faults,
            "left": self.left, "at_once": self.at_once, "waiting": len(self.line), "most_at_once": self.most_at_once,
            "most_served": self.most_served, "most_per_second": self.arrivals_second.most,
            "most_per_minute": self.arrivals_minute.most, "most_tokens_per_minute": self.tokens.most,
            "tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "phase": self.place(), "phases": self.by_phase,
        }  # fmt: skip


_serial = count()


def completion(request: Request) -> dict[str, Any]:
    """Return an answer as providers of models give it."""
    return {
        "id": f"answer-{next(_serial)}",
        "model": "misbehaving",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "word"}}],
        "usage": {
            "prompt_tokens": request.tokens_in,
            "completion_tokens": request.tokens_out,
            "total_tokens": request.tokens,
        },
    }


def _draw(shares: dict[str, float], rng: random.Random) -> str:
    chance = rng.random()
    for name, share in shares.items():
        chance -= share
        if chance < 0:
            return name
    return ""
