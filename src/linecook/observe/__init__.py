"""Readers of the event stream: the stall watch, the probe, the placement report, plain progress lines.

They never run on the user's loop, and none of them changes what it reads. Each is imported when first asked for: a
program whose loop is watched shouldn't pay for a report that it never prints.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._core.events import Event as Event
    from .._core.events import Events as Events
    from .._core.place import Place as Place
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
    from .stuck.diagnose import diagnose as diagnose
    from .stuck.diagnosis import Cancellation as Cancellation
    from .stuck.diagnosis import Deadlock as Deadlock
    from .stuck.diagnosis import Diagnosis as Diagnosis
    from .stuck.diagnosis import Holder as Holder
    from .stuck.diagnosis import LeftTask as LeftTask
    from .stuck.diagnosis import LockOrder as LockOrder
    from .stuck.diagnosis import TaskWait as TaskWait
    from .watched import Stall as Stall

__all__ = [
    "Audit",
    "AuditReport",
    "Board",
    "BudgetFacts",
    "Cancellation",
    "CancelledCall",
    "ChangeFacts",
    "Deadlock",
    "Diagnosis",
    "Event",
    "Events",
    "Facts",
    "Finding",
    "HoldProbe",
    "Holder",
    "JSONLines",
    "LaneFacts",
    "LeftTask",
    "LimitFacts",
    "LiveCall",
    "LiveCalls",
    "LiveCount",
    "LockOrder",
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
    "TaskWait",
    "ToolFacts",
    "diagnose",
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
    "Place": ".._core.place",
    "PlacementReport": ".report",
    "ProgressLines": ".lines",
    "Remote": ".live.remote",
    "Row": ".report",
    "Snapshot": ".snapshot",
    "Stall": ".watched",
    "StallCount": ".report",
    "StallFacts": ".snapshot",
    "StallWatch": ".stall",
    "diagnose": ".stuck.diagnose",
    "Cancellation": ".stuck.diagnosis",
    "Deadlock": ".stuck.diagnosis",
    "Diagnosis": ".stuck.diagnosis",
    "Holder": ".stuck.diagnosis",
    "LeftTask": ".stuck.diagnosis",
    "LockOrder": ".stuck.diagnosis",
    "TaskWait": ".stuck.diagnosis",
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
