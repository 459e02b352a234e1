"""What a failure says of the server: too much load, in trouble, or nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from linecook.errors import Refused, TimedOutError, UsageError
from linecook.tools.policies.signals import retry_after, signal_of, status_of


def error_with(**fields: Any) -> Exception:
    error = Exception("e")
    for name, value in fields.items():
        setattr(error, name, value)
    return error


def caused_by(cause: BaseException) -> Exception:
    error = Exception("the client's own")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "signal"),
    [
        (None, "ok"),
        (error_with(status=429), "overloaded"),
        (error_with(status_code=503), "overloaded"),
        (error_with(code=429), "overloaded"),
        (error_with(response=SimpleNamespace(status_code=429)), "overloaded"),
        (error_with(status=500), "down"),
        (error_with(status=502), "down"),
        (error_with(status=404), "ok"),
        (error_with(retry_after=3), "overloaded"),
        (error_with(retry_after="soon"), "nothing"),
        (error_with(code="rate_limit"), "nothing"),
        (error_with(code=7), "nothing"),
        (error_with(status=True), "nothing"),
        (TimedOutError("late", running=2.0), "late"),
        (TimedOutError("never began", running=0.0, work="not started"), "not begun"),
        (TimedOutError("of a child", running=0.0), "nothing"),
        (ConnectionResetError(), "down"),
        (TimeoutError(), "late"),
        (caused_by(caused_by(TimeoutError())), "late"),
        (caused_by(OSError("no route")), "down"),
        (caused_by(caused_by(ConnectionRefusedError())), "down"),
        (caused_by(KeyError("k")), "nothing"),
        (FileNotFoundError("menu.txt"), "nothing"),
        (PermissionError("menu.txt"), "nothing"),
        (ValueError("mine"), "nothing"),
        (UsageError("mine"), "nothing"),
        (Refused("ours"), "nothing"),
        (asyncio.CancelledError(), "nothing"),
        (GeneratorExit(), "nothing"),
    ],
    ids=repr,
)
def test_each_kind_of_failure_says_what_it_says(error: BaseException | None, signal: str) -> None:
    assert signal_of(error) == signal


def test_the_users_own_word_on_what_overload_is_goes_first() -> None:
    def quota(error: BaseException) -> bool:
        return "quota" in str(error)

    assert signal_of(ValueError("quota exceeded"), quota) == "overloaded"
    assert signal_of(error_with(status=429), quota) == "ok"  # a 4xx was served
    assert signal_of(error_with(status=503), quota) == "down"
    assert signal_of(asyncio.CancelledError("quota"), quota) == "nothing"
    assert signal_of(TimeoutError("quota"), quota) == "late"  # it may have cost what was reserved all the same
    assert signal_of(TimeoutError("other"), quota) == "down"


def test_a_status_is_a_number_that_http_knows() -> None:
    assert status_of(error_with(status=200)) == 200
    assert status_of(error_with(status=42)) is None
    assert status_of(error_with(status="429")) is None


class Prickly(Exception):
    """What some clients' errors are: reading an attribute that isn't there yet raises."""

    @property
    def response(self) -> Any:
        raise RuntimeError("the response instance has not been set")

    retry_after = headers = status = response


class Headers:
    def get(self, name: str) -> Any:
        raise RuntimeError(name)


def test_an_error_that_cant_be_read_says_nothing_and_hides_nothing() -> None:
    assert signal_of(Prickly()) == "nothing"
    assert retry_after(Prickly()) is None
    assert retry_after(error_with(headers=Headers())) is None
    assert retry_after(error_with(retry_after="Fri, 31 Dec 999999999999 23:59:59 GMT")) is None
    assert retry_after(error_with(retry_after=10**400)) is None
