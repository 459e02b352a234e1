"""Runs a program under every order of events that can happen: ``explore``, ``replay``, ``outside``, fakes."""

from .exploration import Exploration as Exploration
from .exploration import Failure as Failure
from .exploration import Step as Step
from .explore import explore as explore
from .explore import replay as replay
from .outside import outside as outside

__all__ = ["Exploration", "Failure", "Step", "explore", "outside", "replay"]
