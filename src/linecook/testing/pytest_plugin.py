"""Under pytest: ``clock``, a test on virtual time; ``@pytest.mark.explore`` and ``explore``, a test of every schedule.

    async def test_it_gives_up_after_an_hour(clock):
        with pytest.raises(TimedOutError):
            await poll.options(timeout=3600)()
        assert clock.time() >= 3600

    @pytest.mark.explore(overtakings=3)
    async def test_two_agents_lose_no_update():
        ...  # runs under every order of events; the first failure is told with its schedule and a token

    def test_the_schedule_that_failed_in_may(explore):
        explore(main, token="...")

Loaded by ``pytest_plugins = ["linecook.testing.pytest_plugin"]`` in the top ``conftest.py``. ``clock`` needs
pytest-asyncio.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

import pytest

from .clock import VirtualClock, VirtualLoop
from .exploring import Exploration
from .exploring import explore as _explore

Factories = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


@pytest.hookimpl(wrapper=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Generator[None, Factories | None, Factories]:
    """Give tests that ask for ``clock`` a virtual loop; the others get what anybody else says, or asyncio's."""
    others = yield
    asked: Any = getattr(item, "_fixtureinfo", None)
    if asked is not None and "clock" in asked.names_closure:
        return {"virtual": VirtualLoop}
    return others or {"asyncio": asyncio.new_event_loop}


@pytest.fixture
async def clock() -> VirtualClock:
    """The clock of the test's own loop: ``clock.time()``, ``clock.advance(seconds)``."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "the clock fixture needs pytest-asyncio 1.5 or later"
    return loop.clock


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--explore-seconds`` and ``--explore-token``."""
    group = parser.getgroup("linecook")
    group.addoption("--explore-seconds", type=float, metavar="S", help="most seconds that each exploration searches")
    group.addoption("--explore-token", metavar="TOKEN", help="run only this schedule of the explored tests")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "explore(**options): run the async test under every order of events that can happen; see explore()"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> Any:
    """Collect a marked async test as a plain one that explores it, before anybody gives it a loop of its own."""
    marks = [mark for mark in _marks_on(obj) if mark.name == "explore"] or list(collector.iter_markers("explore"))
    if not marks or not inspect.iscoroutinefunction(obj) or not collector.funcnamefilter(name):
        return None
    plain = _explored(obj, {**marks[-1].kwargs})
    setattr(collector.obj, name, plain)  # where pytest, and others' plugins, look for the function again
    generate: Any = collector._genfunctions  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return list(generate(name, plain))  # pytest's own way


def _marks_on(obj: object) -> list[pytest.Mark]:
    marks: Any = getattr(obj, "pytestmark", [])
    return [*marks] if isinstance(marks, (list, tuple)) else [marks]  # pyright: ignore[reportUnknownVariableType]


def _explored(test: Callable[..., Any], options: dict[str, Any]) -> Callable[..., None]:
    """Return the test that explores *test*; its fixtures are made once, so what changes belongs inside."""

    @functools.wraps(test)
    def explored(*args: Any, request: pytest.FixtureRequest, **fixtures: Any) -> None:
        asked = {**_asked_for(request.config), **options}
        _explore(lambda: test(*args, **_wanted(test, fixtures, request)), **asked).check()

    explored.__signature__ = _with_request(inspect.signature(test))  # type: ignore[attr-defined]
    return explored


def _with_request(signature: inspect.Signature) -> inspect.Signature:
    parameters = list(signature.parameters.values())
    if "request" not in signature.parameters:
        parameters.append(inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY))
    return signature.replace(parameters=parameters)


def _wanted(test: Callable[..., Any], fixtures: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**fixtures, "request": request} if "request" in inspect.signature(test).parameters else fixtures


def _asked_for(config: pytest.Config) -> dict[str, Any]:
    told = {"seconds": config.getoption("--explore-seconds"), "token": config.getoption("--explore-token")}
    return {option: value for option, value in told.items() if value is not None}


class Explore(Protocol):
    """What the ``explore`` fixture is: ``explore`` that checks."""

    def __call__(self, main: Callable[[], Any], **options: Any) -> Exploration: ...


@pytest.fixture
def explore(request: pytest.FixtureRequest) -> Explore:
    """``explore(main, ...)``, which fails the test with the report when a schedule fails, else returns what it found.

    ``--explore-seconds`` and ``--explore-token`` on pytest's command line hold where the test says nothing else.
    """

    def explore_and_check(main: Callable[[], Any], **options: Any) -> Exploration:
        __tracebackhide__ = True
        return _explore(main, **{**_asked_for(request.config), **options}).check()

    return explore_and_check
