"""Readers of the event stream: the stall watch, the probe, the placement report, plain progress lines.

They never run on the user's loop, and none of them changes what it reads.
"""

from .._core.events import Event as Event
from .._core.events import Events as Events
from .lines import ProgressLines as ProgressLines
from .place import Place as Place
from .probe import HoldProbe as HoldProbe
from .report import PlacementReport as PlacementReport
from .report import Row as Row
from .report import StallCount as StallCount
from .stall import StallWatch as StallWatch
from .watched import Stall as Stall

__all__ = [
    "Event",
    "Events",
    "HoldProbe",
    "Place",
    "PlacementReport",
    "ProgressLines",
    "Row",
    "Stall",
    "StallCount",
    "StallWatch",
]
