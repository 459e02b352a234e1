"""An exception's way home from a worker: taken apart there so that it always travels, put together here.

Its class may refuse to be pickled, its constructor to be called with ``args`` alone (one that wants two arguments
breaks the standard pool for good); its traceback can't travel at all and goes as a note.
Used by the worker (``encode``) and by the parent (``decode``).
"""

from __future__ import annotations

import os
import pickle
import traceback
from typing import Any

from .._core.errors import CallError


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


def decode(parts: dict[str, Any], label: str) -> BaseException:
    """Put an exception together again: the whole, or class and parts without calling its constructor, or a stand-in.

    Returns:
      The exception, with the worker's traceback as a note: the user's line is in it.
    """
    error = _rebuilt(parts)
    if error is None:
        error = CallError(
            f"{label} raised {parts['type']}: {parts['message']} (the exception can't travel to this process; "
            "its text and traceback stand here for it)"
        )
    notes = list(getattr(error, "__notes__", ()))
    for note in parts["notes"]:
        if note not in notes:
            error.add_note(note)
    error.add_note(f"in worker process {parts['pid']}:\n{parts['traceback']}")
    return error


def _rebuilt(parts: dict[str, Any]) -> BaseException | None:
    if parts["whole"] is not None:
        try:
            error = pickle.loads(parts["whole"])
            if isinstance(error, BaseException):
                return error
        except BaseException:
            pass  # a constructor that wants other arguments
    try:
        cls = pickle.loads(parts["class"])
        error = cls.__new__(cls)
        assert isinstance(error, BaseException)
        error.args = pickle.loads(parts["args"])
        error.__dict__.update({name: pickle.loads(value) for name, value in parts["state"].items()})
    except BaseException:
        return None
    return error


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
