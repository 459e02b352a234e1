"""The ``clock`` fixture: a test that asks for it runs on virtual time.

    async def test_it_gives_up_after_an_hour(clock):
        with pytest.raises(TimedOutError):
            await poll.options(timeout=3600)()
        assert clock.time() >= 3600

Loaded by ``pytest_plugins = ["linecook.testing.pytest_plugin"]`` in the top ``conftest.py``. Needs pytest-asyncio.
"""

from __future__ import annotations

import asyncio

import pytest

from .clock import VirtualClock, VirtualLoop


@pytest.hookimpl(tryfirst=True)
def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, type] | None:
    """Give tests that ask for ``clock`` a virtual loop; leave the others alone."""
    if "clock" in getattr(item, "fixturenames", ()):
        return {"virtual": VirtualLoop}
    return None


@pytest.fixture
async def clock() -> VirtualClock:
    """The clock of the test's own loop: ``clock.time()``, ``clock.advance(seconds)``."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "the clock fixture needs pytest-asyncio 1.5 or later"
    return loop.clock
