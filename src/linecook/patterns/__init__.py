"""Shapes in which agents work together, each a few lines over what everybody can import: use them, or copy and change.

What they take are functions that make calls: an agent, a tool, a method, a lambda around one. Nothing here outlives the
call of the pattern: what is no longer wanted is cancelled, and waited for. ``docs/how-to/patterns.md`` draws each.
"""

from .best_of import best_of as best_of
from .blackboard import blackboard as blackboard
from .critic_loop import Reviewed as Reviewed
from .critic_loop import critic_loop as critic_loop
from .debate import debate as debate
from .hand_off import HandOff as HandOff
from .hand_off import hand_off as hand_off
from .map_reduce import map_reduce as map_reduce
from .race import race as race
from .supervise import Job as Job
from .supervise import supervise as supervise
from .vote import vote as vote

__all__ = [
    "HandOff",
    "Job",
    "Reviewed",
    "best_of",
    "blackboard",
    "critic_loop",
    "debate",
    "hand_off",
    "map_reduce",
    "race",
    "supervise",
    "vote",
]
