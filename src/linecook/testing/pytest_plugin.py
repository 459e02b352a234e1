"""The ``clock`` fixture: a test that asks for it runs on virtual time.

    async def test_it_gives_up_after_an_hour(clock):
        with pytest.raises(TimedOutError):
            await poll.options(timeout=3600)()
        assert clock.time() >= 3600

Loaded by ``pytest_plugins = ["linecook.testing.pytest_plugin"]`` in the top ``conftest.py``. Needs pytest-asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest

from .clock import VirtualClock, VirtualLoop

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
