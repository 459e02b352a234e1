"""Errors say what happened, to which call and what to do next; and they survive a pickle."""

import pickle

import pytest

from linecook import errors
from linecook._core import errors as drawn


def test_the_drawn_tree_names_every_error() -> None:
    assert drawn.__doc__ is not None
    for name in errors.__all__:
        assert name in drawn.__doc__


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_shows_its_public_path(name: str) -> None:
    assert getattr(errors, name).__module__ == "linecook.errors"


def test_a_timed_out_error_is_a_timeout_error_and_survives_a_pickle() -> None:
    error = errors.TimedOutError("late", after=2.0, whose="timeout of f", queued=1.5, running=0.5, attempt=1)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, TimeoutError)
    assert (str(again), again.after, again.whose, again.queued, again.attempt) == ("late", 2.0, "timeout of f", 1.5, 1)


def test_call_errors_keep_what_became_of_the_body() -> None:
    again = pickle.loads(pickle.dumps(errors.Refused("full")))
    assert again.work == "not started"
    assert pickle.loads(pickle.dumps(errors.LaneLost("gone", work="stopped"))).work == "stopped"


def test_misuse_is_a_type_error_too() -> None:
    assert issubclass(errors.AlreadyRun, TypeError)
    assert issubclass(errors.UsageError, errors.LinecookError)
