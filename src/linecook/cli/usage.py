"""How options are spelled and help is laid out, for every command; imports nothing heavy."""

from __future__ import annotations

import argparse
import math
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]
else:
    Commands = object


class Plain(argparse.RawDescriptionHelpFormatter):
    """Asks for the terminal's width itself: argparse imports shutil for it, and with that every compressor: 4 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width())


def _width() -> int:
    """Return how wide help may be: ``COLUMNS``, else the terminal's width, else 80, less argparse's margin of 2."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns) - 2
    try:
        return (os.get_terminal_size(1).columns or 80) - 2
    except OSError:  # standard output is no terminal, or closed
        return 78


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 up")
    return number


def seconds_from_0(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0 up")
    return seconds


def count_or_share(text: str) -> int | float:
    """Return a count as an int, a share as a float in (0, 1]."""
    share = text.removesuffix("%")
    number = float(share) / 100 if share != text else int(text)
    if not 0 < number < math.inf or (isinstance(number, float) and number > 1):
        raise argparse.ArgumentTypeError(f"{text} is neither a count from 1 up nor a share up to 100%")
    return number


at_least_one.__name__ = "whole number"
seconds_from_0.__name__ = "number of seconds"
count_or_share.__name__ = "count or share"
