"""The contract page names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = sorted(set(re.findall(r"`(test_\w+)`", (ROOT / "docs/reference/contract.md").read_text())))
TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
WRITTEN = {name for file in (ROOT / "tests").rglob("test_*.py") for name in TEST.findall(file.read_text())}


@pytest.mark.parametrize("name", NAMED)
def test_every_promise_is_held_by_a_test_that_exists(name: str) -> None:
    assert name in WRITTEN
