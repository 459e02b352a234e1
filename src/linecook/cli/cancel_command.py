"""``linecook cancel``: end one call of another process, and say what came of it."""

from __future__ import annotations

import argparse
import sys

from .exits import ALL_OK, SOME_FAILED
from .remote import answered, print_json, reach, told


def cancel_command(options: argparse.Namespace) -> int:
    """Do what ``linecook cancel`` was asked for and return the exit code.

    Raises:
      BadUsage: the process can't be looked into.
    """
    return told(lambda: _cancel(options))


def _cancel(options: argparse.Namespace) -> int:
    with reach(options.pid) as remote:
        try:
            cancelled = answered(lambda: remote.cancel(options.call, options.reason))
        except (LookupError, RuntimeError) as error:
            if options.json:
                print_json({"cancelled": False, "error": str(error)})
            print(f"linecook: {error}.", file=sys.stderr)
            return SOME_FAILED
    if options.json:
        print_json({"cancelled": cancelled.ended, "call": cancelled})
    elif cancelled.ended:
        print(f"{cancelled.path} [{cancelled.id}]: {cancelled.told}. {_BODY.get(cancelled.work, '')}".rstrip())
    else:
        print(f"linecook: {cancelled.path} [{cancelled.id}]: {cancelled.told}.", file=sys.stderr)
    return ALL_OK if cancelled.ended else SOME_FAILED


_BODY = {
    "stopped": "Its body was stopped.",
    "abandoned": "A thread can't be stopped: its body runs on there, and what comes of it is dropped.",
    "not started": "Its body had not begun.",
}
