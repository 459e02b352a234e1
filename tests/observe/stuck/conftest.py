"""What all tests of this room share: a busy machine may take its time."""

import pytest

from linecook.observe.stuck import reach


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search take as long as it takes."""
    monkeypatch.setattr(reach, "MOST_SECONDS", 30.0)
