"""Runs a program under every order of events that can happen: ``explore``, ``replay``, ``outside``, fakes."""

from .exploration import Exploration as Exploration
from .exploration import Failure as Failure
from .exploration import Step as Step
from .explore import explore as explore
from .explore import replay as replay
from .fakes import answers as answers
from .fakes import fake as fake
from .fakes import hangs as hangs
from .fakes import late as late
from .fakes import raises as raises
from .fakes import says_429 as says_429
from .fakes import twice as twice
from .mistakes import OneMoreAwait as OneMoreAwait
from .outside import outside as outside
from .search.progress import Progress as Progress

__all__ = [
    "Exploration",
    "Failure",
    "OneMoreAwait",
    "Progress",
    "Step",
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
