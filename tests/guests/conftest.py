"""The guests: packages of the group ``guests``. ``make guests`` installs them; without them their tests are skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import kitchen

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.guests)


@pytest.fixture(autouse=True)
def release() -> Iterator[None]:
    """Let go of what hung during a test."""
    kitchen.RELEASE.clear()
    kitchen.SERVED.clear()
    yield
    kitchen.RELEASE.set()
