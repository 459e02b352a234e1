"""Every exception that linecook raises itself; the tree is drawn in ``_core/errors.py``."""

from ._core.errors import AlreadyRun as AlreadyRun
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
from ._core.errors import NestedTool as NestedTool
from ._core.errors import NotPortable as NotPortable
from ._core.errors import Refused as Refused
from ._core.errors import ReplayMismatch as ReplayMismatch
from ._core.errors import ResourceFailed as ResourceFailed
from ._core.errors import TimedOutError as TimedOutError
from ._core.errors import TooManyFailures as TooManyFailures
from ._core.errors import UsageError as UsageError

__all__ = [
    "AlreadyRun",
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
    "NestedTool",
    "NotPortable",
    "Refused",
    "ReplayMismatch",
    "ResourceFailed",
    "TimedOutError",
    "TooManyFailures",
    "UsageError",
]
