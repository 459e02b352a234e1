"""``linecook explore``: searches the schedules of a program, tells how far it is, and what it found."""

from __future__ import annotations

import argparse
import contextlib
import functools
import inspect
import io
import json
import signal
import sys
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import TYPE_CHECKING, Any

from .early import hand_over
from .exits import ALL_OK, INTERRUPTED, SOME_FAILED, BadUsage
from .target import load

if TYPE_CHECKING:
    from linecook.testing import Exploration

_QUIET = 1.0  # seconds after which a search that goes on is told about, and between two lines
_monotonic = time.monotonic  # the real one: while schedules run the program's time is virtual


def explore_command(options: argparse.Namespace) -> int:
    """Do what ``linecook explore`` was asked for and return the exit code.

    Raises:
      BadUsage: there is no such function, it can't be explored, or the token is not one of its own.
    """
    from linecook.errors import EscapedControl, ReplayMismatch, UsageError

    main = load(options.target)
    if not inspect.iscoroutinefunction(main):
        raise BadUsage(f"{options.target} is no async function: explore runs one, and awaits it under each schedule.")
    watched = _Watched(main)
    hand_over()
    try:
        with _hushed(options.token is not None), watched.until_ctrl_c():
            found = _explored(watched.main, options)
    except KeyboardInterrupt:
        print(watched.interrupted(), file=sys.stderr)
        return INTERRUPTED
    except (EscapedControl, ReplayMismatch, UsageError) as error:
        raise BadUsage(str(error)) from error
    print(json.dumps(_as_json(found)) if options.json else _in_words(found, options.target))
    return ALL_OK if found.failure is None else SOME_FAILED


def _explored(main: Callable[[], Any], options: argparse.Namespace) -> Exploration:
    from linecook.testing import explore, replay

    invariant = None if options.invariant is None else load(options.invariant)
    if options.token is not None:
        return replay(main, options.token, invariant=invariant)
    return explore(
        main,
        invariant=invariant,
        schedules=options.schedules,
        seconds=options.seconds,
        overtakings=options.overtakings,
        faults=options.faults,
        tier=options.tier,
        seed=options.seed,
    )


class _Nowhere(io.TextIOBase):
    """Where the program's output goes: thousands of runs say it thousands of times."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _hushed(once: bool) -> Generator[None]:
    """Keep what the program prints out of the result; a single schedule may be heard, on standard error."""
    with contextlib.redirect_stdout(sys.stderr if once else _Nowhere()):
        yield


class _Watched:
    """The program with an eye on it: how often it was run, and whether it shall be run again.

    Attributes:
      main: what to explore in its place.
    """

    def __init__(self, main: Callable[[], Any]) -> None:
        @functools.wraps(main)
        def counted() -> Any:
            self._begin()
            return main()

        self.main = counted
        self._runs = 0
        self._stop = False
        self._began = _monotonic()
        self._next = self._began + _QUIET

    def _begin(self) -> None:
        """Count one more run, between two schedules: the one moment at which nothing of the program is under way."""
        if self._stop:
            raise KeyboardInterrupt
        self._runs += 1
        now = _monotonic()
        if now >= self._next:
            self._next = now + _QUIET
            with contextlib.suppress(OSError, ValueError):  # nobody can read it: the result still counts
                print(f"{self._runs:,} schedules in {now - self._began:.0f} s", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def until_ctrl_c(self) -> Generator[None]:
        """Let Ctrl-C end the search after the schedule that runs; the second one ends it at once."""
        before = signal.signal(signal.SIGINT, self._asked)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted(self) -> str:
        """Say what was searched before Ctrl-C."""
        seconds = _monotonic() - self._began
        return f"interrupted: no failure in the first {self._runs:,} schedules, in {seconds:.1f} s; there are more"


def _in_words(found: Exploration, target: str) -> str:
    if found.failure is None:
        return f"{found.verdict} ({found.schedules:,} in {found.seconds:.1f} s)"
    return (
        f"{found.failure.report}\n\n"
        f"found by schedule {found.schedules:,}, in {found.seconds:.1f} s\n"
        f"again: linecook explore {target} --token {found.failure.token}"
    )


def _as_json(found: Exploration) -> dict[str, Any]:
    told: dict[str, Any] = {
        "verdict": found.verdict,
        "schedules": found.schedules,
        "seconds": round(found.seconds, 3),
        "exhausted": found.exhausted,
        "failure": None,
    }
    failure = found.failure
    if failure is not None:
        told["failure"] = {
            name: getattr(failure, name)
            for name in ("kind", "message", "label", "overtakings", "faults", "token", "report")
        }
    return told
