"""What stops an exploration: not a finding in the program's logic, but a reason why nothing can be said about it."""

from __future__ import annotations

from ..._core.errors import EscapedControl as EscapedControl
from ..._core.errors import ExplorationFailed as ExplorationFailed
from ..._core.errors import ReplayMismatch as ReplayMismatch


class OneMoreAwait(UserWarning):
    """A finding that no stock loop shows: it takes one more ``await``, an eager task, another loop or Python."""


class InjectedFault(ConnectionError):
    """What an await on the outside raises when the explorer has it fail."""


class TooLong(Exception):
    """The program made more steps than it may: a finding, told in the words of the report."""


class Stuck(Exception):
    """Nothing is ready and nothing can come: a finding, told in the words of the report."""
