"""What tests of concurrent programs need: a clock that doesn't make them wait, and every order of events."""

from .clock import VirtualClock as VirtualClock
from .clock import VirtualLoop as VirtualLoop
from .exploring import Exploration as Exploration
from .exploring import Failure as Failure
from .exploring import explore as explore
from .exploring import outside as outside
from .exploring import replay as replay

__all__ = ["Exploration", "Failure", "VirtualClock", "VirtualLoop", "explore", "outside", "replay"]
