"""``linecook explore``: searches the schedules of a program, tells how far it is, and what it found."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import json
import sys
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from .early import hand_over
from .exits import ALL_OK, INTERRUPTED, SOME_FAILED, BadUsage
from .target import load

if TYPE_CHECKING:
    from linecook.testing import Exploration

_QUIET = 1.0  # seconds after which a search that goes on is told about, and between two lines


def explore_command(options: argparse.Namespace) -> int:
    """Do what ``linecook explore`` was asked for and return the exit code.

    Raises:
      BadUsage: there is no such function, it can't be explored, or the token is not one of its own.
    """
    from linecook.errors import UsageError
    from linecook.testing import explore

    main = load(options.target)
    if not inspect.iscoroutinefunction(main):
        raise BadUsage(f"{options.target} is no async function: explore runs one, and awaits it under each schedule.")
    invariant = None if options.invariant is None else load(options.invariant)
    hand_over()
    try:
        with _hushed(options.token is not None):
            found = explore(
                main,
                invariant=invariant,
                schedules=options.schedules,
                seconds=options.seconds,
                overtakings=options.overtakings,
                faults=options.faults,
                tier=options.tier,
                seed=options.seed,
                token=options.token,
                on_progress=_Progress().tell,
            )
    except UsageError as error:
        raise BadUsage(str(error)) from error
    print(json.dumps(_as_json(found)) if options.json else _in_words(found, options.target))
    if found.interrupted:
        return INTERRUPTED
    return ALL_OK if found.failure is None else SOME_FAILED


@contextlib.contextmanager
def _hushed(once: bool) -> Generator[None]:
    """Keep what the program prints out of the result: thousands of runs say it thousands of times."""
    with contextlib.redirect_stdout(sys.stderr if once else io.StringIO()):
        yield


class _Progress:
    """Says on standard error how far a long search is."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _QUIET

    def tell(self, progress: Any) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _QUIET
            with contextlib.suppress(OSError, ValueError):  # nobody can read it: the result still counts
                print(progress, file=sys.stderr, flush=True)


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
