"""The worker's half of an exception's way home: taken apart so that it always travels; see ``worker_errors``.

Its class may refuse to be pickled, its constructor to be called with ``args`` alone (one that wants two arguments
breaks the standard pool for good); its traceback can't travel at all and goes as a note. Imported by path with the
first failure, and nothing of linecook with it: 164 modules took 70 ms of the attempt that failed.
"""

from __future__ import annotations

import os
import pickle
import traceback

TYPE_CHECKING = False  # typing costs a worker 3 ms
if TYPE_CHECKING:
    from typing import Any


def encode(error: BaseException) -> dict[str, Any]:
    """Take *error* apart: itself pickled, its class, arguments and state, each if it can be; its text."""
    cls = type(error)
    return {
        "whole": _pickled(error),
        "class": _pickled(cls),
        "args": _pickled(error.args),
        "state": _pickled_state(error),
        "notes": [str(note) for note in getattr(error, "__notes__", ())],
        "type": f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins."),
        "message": _text(error),
        "traceback": _traceback(error),
        "pid": os.getpid(),
    }


def _pickled(thing: object) -> bytes | None:
    try:
        return pickle.dumps(thing, 5)
    except BaseException:
        pass
    try:
        import cloudpickle

        data: bytes = cloudpickle.dumps(thing, 5)  # pyright: ignore[reportUnknownMemberType]
        return data
    except BaseException:
        return None


def _pickled_state(error: BaseException) -> dict[str, bytes]:
    """Pickle each attribute by itself: one that can't travel doesn't take the others along."""
    state: dict[str, bytes] = {}
    for name, value in getattr(error, "__dict__", {}).items():
        data = _pickled(value)
        if data is not None:
            state[name] = data
    return state


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return f"(str() of this {type(error).__qualname__} fails)"


def _traceback(error: BaseException) -> str:
    """Format *error* with its causes and contexts, from the user's first frame on."""
    try:
        inner = error.__traceback__.tb_next if error.__traceback__ is not None else None
        return "".join(traceback.format_exception(type(error), error, inner or error.__traceback__)).rstrip()
    except BaseException:
        return f"{type(error).__qualname__} (its traceback can't be formatted)"
