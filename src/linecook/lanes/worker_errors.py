"""The parent's half of an exception's way home: put together again from the parts ``worker_failures`` made of it."""

from __future__ import annotations

import pickle
from typing import Any

from .._core.errors import CallError


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
