"""What tests of concurrent programs need: a clock that doesn't make them wait."""

from .clock import VirtualClock as VirtualClock
from .clock import VirtualLoop as VirtualLoop

__all__ = ["VirtualClock", "VirtualLoop"]
