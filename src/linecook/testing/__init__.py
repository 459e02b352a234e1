"""What tests of concurrent programs need: a clock that doesn't make them wait, and every order of events."""

from .clock import VirtualClock as VirtualClock
from .clock import VirtualLoop as VirtualLoop
from .exploring import Exploration as Exploration
from .exploring import Failure as Failure
from .exploring import OneMoreAwait as OneMoreAwait
from .exploring import answers as answers
from .exploring import explore as explore
from .exploring import fake as fake
from .exploring import hangs as hangs
from .exploring import late as late
from .exploring import outside as outside
from .exploring import raises as raises
from .exploring import replay as replay
from .exploring import says_429 as says_429
from .exploring import twice as twice

__all__ = [
    "Exploration",
    "Failure",
    "OneMoreAwait",
    "VirtualClock",
    "VirtualLoop",
    "answers",
    "explore",
    "fake",
    "hangs",
    "late",
    "outside",
    "raises",
    "replay",
    "says_429",
    "twice",
]
