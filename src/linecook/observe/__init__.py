"""Readers of the event stream: the stall watch, the probe, the placement report, plain progress lines.

They never run on the user's loop, and none of them changes what it reads. Each is imported when first asked for: a
program whose loop is watched shouldn't pay for a report that it never prints.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._core.events import Event as Event
    from .._core.events import Events as Events
    from .audit.audit import Audit as Audit
    from .audit.report import AuditReport as AuditReport
    from .audit.report import Finding as Finding
    from .board import Board as Board
    from .board import wants_board as wants_board
    from .facts import Facts as Facts
    from .jsonlines import JSONLines as JSONLines
    from .lines import ProgressLines as ProgressLines
    from .live.livecalls import LiveCall as LiveCall
    from .live.livecalls import LiveCalls as LiveCalls
    from .live.livecalls import LiveCount as LiveCount
    from .live.messages import CancelledCall as CancelledCall
    from .live.remote import Remote as Remote
    from .live.remote import processes as processes
    from .panel import render as render
    from .place import Place as Place
    from .probe import HoldProbe as HoldProbe
    from .report import PlacementReport as PlacementReport
    from .report import Row as Row
    from .report import StallCount as StallCount
    from .snapshot import BudgetFacts as BudgetFacts
    from .snapshot import ChangeFacts as ChangeFacts
    from .snapshot import LaneFacts as LaneFacts
    from .snapshot import LimitFacts as LimitFacts
    from .snapshot import Snapshot as Snapshot
    from .snapshot import SpentFacts as SpentFacts
    from .snapshot import StallFacts as StallFacts
    from .snapshot import ToolFacts as ToolFacts
    from .stall import StallWatch as StallWatch
    from .watched import Stall as Stall

__all__ = [
    "Audit",
    "AuditReport",
    "Board",
    "BudgetFacts",
    "CancelledCall",
    "ChangeFacts",
    "Event",
    "Events",
    "Facts",
    "Finding",
    "HoldProbe",
    "JSONLines",
    "LaneFacts",
    "LimitFacts",
    "LiveCall",
    "LiveCalls",
    "LiveCount",
    "Place",
    "PlacementReport",
    "ProgressLines",
    "Remote",
    "Row",
    "Snapshot",
    "SpentFacts",
    "Stall",
    "StallCount",
    "StallFacts",
    "StallWatch",
    "ToolFacts",
    "processes",
    "render",
    "wants_board",
]

_HOMES = {
    "Audit": ".audit.audit",
    "AuditReport": ".audit.report",
    "Finding": ".audit.report",
    "Board": ".board",
    "CancelledCall": ".live.messages",
    "Event": ".._core.events",
    "Events": ".._core.events",
    "Facts": ".facts",
    "HoldProbe": ".probe",
    "JSONLines": ".jsonlines",
    "BudgetFacts": ".snapshot",
    "ChangeFacts": ".snapshot",
    "LaneFacts": ".snapshot",
    "LimitFacts": ".snapshot",
    "SpentFacts": ".snapshot",
    "LiveCall": ".live.livecalls",
    "LiveCalls": ".live.livecalls",
    "LiveCount": ".live.livecalls",
    "Place": ".place",
    "PlacementReport": ".report",
    "ProgressLines": ".lines",
    "Remote": ".live.remote",
    "Row": ".report",
    "Snapshot": ".snapshot",
    "Stall": ".watched",
    "StallCount": ".report",
    "StallFacts": ".snapshot",
    "StallWatch": ".stall",
    "ToolFacts": ".snapshot",
    "processes": ".live.remote",
    "render": ".panel",
    "wants_board": ".board",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_HOMES[name], __name__), name)
    return found


def __dir__() -> list[str]:
    return list(__all__)
