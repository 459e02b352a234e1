"""Every exception that linecook raises itself; the tree is drawn in ``_core/errors.py``."""

from ._core.errors import AgentFailed as AgentFailed
from ._core.errors import AlreadyRun as AlreadyRun
from ._core.errors import AsksItself as AsksItself
from ._core.errors import BodyExited as BodyExited
from ._core.errors import BudgetExceeded as BudgetExceeded
from ._core.errors import CallCancelled as CallCancelled
from ._core.errors import CallError as CallError
from ._core.errors import Conflict as Conflict
from ._core.errors import EscapedControl as EscapedControl
from ._core.errors import ExplorationFailed as ExplorationFailed
from ._core.errors import Interrupted as Interrupted
from ._core.errors import LaneLost as LaneLost
from ._core.errors import LinecookError as LinecookError
from ._core.errors import LostUpdate as LostUpdate
from ._core.errors import MailboxClosed as MailboxClosed
from ._core.errors import NestedTool as NestedTool
from ._core.errors import NoReply as NoReply
from ._core.errors import NotAllowed as NotAllowed
from ._core.errors import NotApproved as NotApproved
from ._core.errors import NotPortable as NotPortable
from ._core.errors import Refused as Refused
from ._core.errors import ReplayMismatch as ReplayMismatch
from ._core.errors import ResourceFailed as ResourceFailed
from ._core.errors import TeamFailed as TeamFailed
from ._core.errors import TimedOutError as TimedOutError
from ._core.errors import TooManyFailures as TooManyFailures
from ._core.errors import TooSlow as TooSlow
from ._core.errors import Undecided as Undecided
from ._core.errors import UsageError as UsageError

__all__ = [
    "AgentFailed",
    "AlreadyRun",
    "AsksItself",
    "BodyExited",
    "BudgetExceeded",
    "CallCancelled",
    "CallError",
    "Conflict",
    "EscapedControl",
    "ExplorationFailed",
    "Interrupted",
    "LaneLost",
    "LinecookError",
    "LostUpdate",
    "MailboxClosed",
    "NestedTool",
    "NoReply",
    "NotAllowed",
    "NotApproved",
    "NotPortable",
    "Refused",
    "ReplayMismatch",
    "ResourceFailed",
    "TeamFailed",
    "TimedOutError",
    "TooManyFailures",
    "TooSlow",
    "Undecided",
    "UsageError",
]
