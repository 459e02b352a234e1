"""Chance under control: in each schedule ``random``, ``uuid``, ``secrets``, ``os.urandom`` begin anew, from one seed.

Not covered: generators outside the standard library (numpy's), and ``from os import urandom`` in a user's module.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable
from typing import Any

_random: Any = random
_uuid: Any = uuid
_NODE = 0x010000000000  # of a group, and so of no machine


class Chance:
    """Stands in for the sources of chance while an exploration lasts.

    Args:
      seed: of all of them.
      is_asked: whether the one who asks for chance now is the program that is explored; others get real chance.
    """

    def __init__(self, seed: int, is_asked: Callable[[], bool]) -> None:
        self._seed = seed
        self._is_asked = is_asked
        self._source = random.Random(f"linecook {seed}")
        self._is_used = False
        self._before: Any = None
        self._begun: Any = None
        self._replaced: list[tuple[Any, str, Any]] = []

    def take_over(self) -> None:
        """Put the stand-ins in place."""
        self._before = random.getstate()
        random.seed(self._seed)
        self._begun = random.getstate()
        self._urandom_before = os.urandom
        self._seed_before = random.Random.seed
        chance = self

        def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
            if a is None and chance._is_asked():  # Random() draws its seed inside C, past os.urandom
                a = int.from_bytes(chance._draw(16))
            chance._seed_before(self, a, version)

        self._replace(os, "urandom", self._urandom)
        self._replace(_random, "_urandom", self._urandom)
        self._replace(random.Random, "seed", seed)
        self._replace(_uuid, "_generate_time_safe", None)
        self._replace(_uuid, "_node", _NODE)  # else it would run a program to learn that of this machine

    def _replace(self, owner: Any, name: str, stand_in: Any) -> None:
        self._replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, stand_in)

    def give_back(self) -> None:
        """Put back what was there, and ``random``'s state as it was."""
        while self._replaced:
            owner, name, before = self._replaced.pop()
            setattr(owner, name, before)
        random.setstate(self._before)

    def begin(self) -> None:
        """Begin a schedule."""
        random.setstate(self._begun)
        if self._is_used:
            self._is_used = False
            self._source = random.Random(f"linecook {self._seed}")
        _uuid._last_timestamp = None

    def _urandom(self, size: int, /) -> bytes:
        return self._draw(size) if self._is_asked() else self._urandom_before(size)

    def _draw(self, size: int) -> bytes:
        self._is_used = True
        return self._source.randbytes(size)
