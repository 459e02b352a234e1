"""Readers of the event stream: the stall watch, the probe, the placement report, plain progress lines.

They never run on the user's loop, and none of them changes what it reads. Each is imported when first asked for: a
program whose loop is watched shouldn't pay for a report that it never prints.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Event": ".._core.events",
    "Events": ".._core.events",
    "HoldProbe": ".probe",
    "Place": ".place",
    "PlacementReport": ".report",
    "ProgressLines": ".lines",
    "Row": ".report",
    "Stall": ".watched",
    "StallCount": ".report",
    "StallWatch": ".stall",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_HOMES[name], __name__), name)
    return found


def __dir__() -> list[str]:
    return list(__all__)
