"""A line of a program, as reports name it, and whose file it is in."""

from __future__ import annotations

import os
from dataclasses import dataclass

_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_LINECOOK = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a program.

    Attributes:
      file: path of the source file, as Python knows it.
      line: number of the line, from 1.
      function: qualified name of the function.
      source: the line itself, stripped; empty when it can't be read.
    """

    file: str
    line: int
    function: str
    source: str = ""

    @property
    def is_library(self) -> bool:
        """Whether it belongs to the standard library, an installed package or linecook: no line the user wrote."""
        return is_ours_or_pythons(self.file) or is_installed(self.file)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line} in {self.function}"
        return f"{where}: {self.source}" if self.source else where


def is_ours(file: str) -> bool:
    """Whether *file* is linecook's."""
    return file.startswith(_LINECOOK)


def is_ours_or_pythons(file: str) -> bool:
    """Whether *file* is linecook's or the standard library's."""
    return file.startswith((_LINECOOK, _LIBRARY, "<frozen"))


def is_installed(file: str) -> bool:
    """Whether *file* is of an installed package."""
    return any(part in file for part in INSTALLED)
