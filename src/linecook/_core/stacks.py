"""Where the threads stand just now."""

from __future__ import annotations

import sys
import threading
from types import FrameType


def stacks_of_others() -> dict[int, FrameType]:
    """Return the innermost frame of every thread but the calling one, by ``threading.get_ident()``.

    Keep them no longer than needed: a frame that somebody holds keeps all its variables, also when it has returned.
    The calling thread's own is left out for that reason. Who keeps it in a variable, alone or in the dict that
    ``sys._current_frames`` returns, is part of a circle, and all that is in there lives on to the next collection.
    """
    frames = sys._current_frames()
    del frames[threading.get_ident()]
    return frames
