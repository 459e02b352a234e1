"""The page and its tests don't drift apart: each row names one test, each test has its row, under its own heading."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/decision-guide.md").read_text()
HOMES = {
    "The event loop": "test_loop.py",
    "Many at once": "test_many.py",
    "Threads": "test_threads.py",
    "Processes": "test_processes.py",
    "Time": "test_time.py",
    "State between tasks": "test_state.py",
}


def sections() -> dict[str, str]:
    """The text of the page under each second-level heading."""
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def written_in(file: str) -> list[str]:
    return re.findall(r"^(?:async )?def (test_\w+)", (Path(__file__).parent / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("heading", HOMES)
def test_every_row_is_a_test_and_every_test_a_row(heading: str) -> None:
    rows = [line for line in sections()[heading].splitlines() if line.startswith("| **")]
    assert [re.findall(r"`(test_\w+)`", row) for row in rows] == [[name] for name in written_in(HOMES[heading])]


def test_every_table_with_surprises_has_a_home() -> None:
    assert [heading for heading, text in sections().items() if "| held by |" in text] == list(HOMES)


@pytest.mark.parametrize("heading", HOMES)
def test_not_yet_is_said_exactly_where_a_test_shows_no_answer(heading: str) -> None:
    source = (Path(__file__).parent / HOMES[heading]).read_text()
    bodies = re.split(r"^(?:async )?def (test_\w+)", source, flags=re.MULTILINE)
    shown = {name for name, body in zip(bodies[1::2], bodies[2::2], strict=True) if "# linecook" in body}
    for answer, name in re.findall(r"^\| \*\*.*\| (.+) \| `(test_\w+)` \|$", sections()[heading], re.MULTILINE):
        assert (name in shown) == (answer != "not yet"), name
