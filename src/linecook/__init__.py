"""linecook: the concurrency runtime for multi-agent Python. Agents and tools are plain functions; run thousands."""

import typing as _t

from . import errors as errors
from ._core.deadline import fail_after as fail_after
from ._core.deadline import move_on_after as move_on_after
from ._core.deadline import remaining as remaining
from ._core.outcome import Cancelled as Cancelled
from ._core.outcome import Failed as Failed
from ._core.outcome import Ok as Ok
from ._core.outcome import Outcome as Outcome
from ._core.outcome import Settled as Settled
from ._core.outcome import TimedOut as TimedOut
from ._core.scope import scope as scope
from ._runtime import Runtime as Runtime
from ._runtime import install as install
from ._runtime import run as run
from .agents.agent import agent as agent
from .agents.inbox import Inbox as Inbox
from .agents.message import Ask as Ask
from .agents.ref import Ref as Ref
from .agents.team import team as team
from .agents.topic import Topic as Topic
from .pipeline.pipeline import Pipeline as Pipeline
from .pipeline.pipeline import pipeline as pipeline
from .state.shared import Shared as Shared
from .state.store import SharedMap as SharedMap
from .state.transactions import transaction as transaction
from .tools.call import Call as Call
from .tools.completed import as_completed as as_completed
from .tools.decorate import call_key as call_key
from .tools.decorate import tool as tool
from .tools.many import first as first
from .tools.many import gather as gather
from .tools.many import settle as settle
from .tools.merge import merge as merge
from .tools.policies.approve import approving as approving
from .tools.policies.budget import budget as budget
from .tools.policies.budget import charge as charge
from .tools.policies.budget import tenant as tenant
from .tools.policies.limit import Limit as Limit
from .tools.policies.retry import Retry as Retry
from .tools.resource import resource as resource

__version__ = "0.1.0"

__all__ = [
    "Ask",
    "Call",
    "Cancelled",
    "Failed",
    "Inbox",
    "Limit",
    "Ok",
    "Outcome",
    "Pipeline",
    "Ref",
    "Retry",
    "Runtime",
    "Settled",
    "Shared",
    "SharedMap",
    "TimedOut",
    "Topic",
    "agent",
    "approving",
    "as_completed",
    "budget",
    "call_key",
    "charge",
    "fail_after",
    "first",
    "gather",
    "install",
    "merge",
    "move_on_after",
    "pipeline",
    "remaining",
    "resource",
    "run",
    "scope",
    "settle",
    "team",
    "tenant",
    "tool",
    "transaction",
]

if _t.TYPE_CHECKING:
    from . import observe as observe
    from . import patterns as patterns
    from . import testing as testing
else:

    def __getattr__(name):
        """Import a named room when it is first asked for, so that ``import linecook as lc`` is enough."""
        if name in ("observe", "patterns", "testing"):
            import importlib

            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
