"""Bugs of others, found by search: each example finds its bug where the affected version is installed, and says so."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from linecook.testing import replay
from tests.blocks import ROOT

EXAMPLES = sorted((ROOT / "examples" / "races").glob("*.py"))
PAGE = ROOT / "docs" / "explanation" / "bugs-found-by-search.md"
ON_A_REAL_LOOP = {
    "all_leave_with_one": ["TimeoutError", "CancelledError", "CancelledError"],
    "expiry_ends": "KeyError('LIMITER/bob/100/1/minute')",
    "more_than_the_limit": 2,
    "pool_forgets_waiters": "the second query waited for a second, and nobody had the connection",
    "readers_left_waiting": "the writer gave up, the first reader left, the second reader entered",
    "retry_runs_twice": 2,
    "timeout_that_starts": ("InvalidStateError", 2),
}


def name_of(file: Path) -> str:
    return file.stem


@pytest.fixture(params=EXAMPLES, ids=name_of)
def example(request: pytest.FixtureRequest) -> ModuleType:
    specification = importlib.util.spec_from_file_location(request.param.stem, request.param)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def affected(example: ModuleType) -> ModuleType:
    if example.SKIPPED:
        pytest.skip(example.SKIPPED)
    return example


def test_the_search_finds_the_bug_and_its_token_shows_it_again(example: ModuleType) -> None:
    found = affected(example).search()
    assert found.failure is not None, found.verdict
    assert found.failure.kind in ("deadlock", "exception", "exception never retrieved")
    assert found.failure.label == "shown on the stock loop"
    assert found.failure.overtakings <= 1
    assert found.schedules <= 200
    again = replay(example.main, found.failure.token).failure
    assert again is not None
    assert again.kind == found.failure.kind


@pytest.mark.slow
async def test_what_was_new_shows_on_a_real_loop_as_well(example: ModuleType) -> None:
    if example.__name__ not in ON_A_REAL_LOOP:
        pytest.skip("published elsewhere, with a reproducer")
    async with asyncio.timeout(30):
        assert await affected(example).with_real_sleeps() == ON_A_REAL_LOOP[example.__name__]
    await asyncio.get_running_loop().shutdown_default_executor()  # limits looks through its keys in a thread


def test_every_example_names_what_it_shows_and_where_it_was_reported(example: ModuleType) -> None:
    told = example.__doc__ or ""
    assert re.search(r"https://github\.com/\S+/\d+|No report found", told)
    assert f"| `{example.__name__}.py` |" in PAGE.read_text()


def test_the_page_names_examples_that_exist() -> None:
    assert {file.stem for file in EXAMPLES} == set(re.findall(r"\| `(\w+)\.py` \|$", PAGE.read_text(), re.MULTILINE))
