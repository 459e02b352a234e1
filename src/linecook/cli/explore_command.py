"""``linecook explore``: searches the schedules of a program, tells how far it is, and what it found."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import json
import sys
from collections.abc import Callable, Generator
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
    from linecook.errors import EscapedControl, ReplayMismatch, UsageError

    main = load(options.target)
    if not inspect.iscoroutinefunction(main):
        raise BadUsage(f"{options.target} is no async function: explore runs one, and awaits it under each schedule.")
    needed = [each.name for each in inspect.signature(main).parameters.values() if _is_needed(each)]
    if needed:
        raise BadUsage(
            f"{options.target} takes {', '.join(needed)}, and explore runs a function without arguments: write one "
            "that awaits it with some."
        )
    hand_over()
    try:
        with _hushed(options.token is not None):
            found = _explored(main, options)
    except (EscapedControl, ReplayMismatch, UsageError) as error:
        raise BadUsage(str(error)) from error
    print(json.dumps(_as_json(found)) if options.json else _in_words(found, options.target))
    if found.failure is not None:
        return SOME_FAILED
    return INTERRUPTED if found.interrupted else ALL_OK


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )


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
        on_progress=_Progress().tell,
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


class _Progress:
    """Says on standard error how far a long search is."""

    def __init__(self) -> None:
        self._next = _QUIET

    def tell(self, progress: Any) -> None:
        if progress.seconds >= self._next:
            self._next = progress.seconds + _QUIET
            with contextlib.suppress(OSError, ValueError):  # nobody can read it: the result still counts
                print(progress, file=sys.stderr, flush=True)


def _in_words(found: Exploration, target: str) -> str:
    if found.failure is None:
        return f"{found.verdict}, in {found.seconds:.1f} s"
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
        "interrupted": found.interrupted,
        "failure": None,
    }
    failure = found.failure
    if failure is not None:
        told["failure"] = {
            name: getattr(failure, name)
            for name in ("kind", "message", "label", "overtakings", "faults", "token", "report")
        }
    return told
