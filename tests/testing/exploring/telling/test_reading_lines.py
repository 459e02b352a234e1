"""What a line of source reads and writes, read off its syntax tree."""

import ast
import linecache

import pytest

from linecook.testing.exploring.telling.reading_lines import lines_of


def mentions(source: str) -> set[tuple[str, str, bool, bool]]:
    """What the only line of *source* mentions: text, read or write, after an await, whole."""
    file = f"<{source}>"
    linecache.cache[file] = (len(source), None, [source], file)
    return {
        (ast.unparse(one.node), one.does, one.after_await, one.whole) for one in lines_of(file).get(1, ()) if one.node
    } - {("f", "read", False, False)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("self.n += 1", {("self.n", "read", False, False), ("self.n", "write", False, False)}),
        ("self.n += await f()", {("self.n", "read", False, False), ("self.n", "write", True, False)}),
        ("d['k'] = 1", {("d['k']", "write", False, False)}),
        ("jobs.append(1)", {("jobs", "write", False, True)}),
        ("1 in seen", {("seen", "read", False, True)}),
        ("len(jobs)", {("jobs", "read", False, True)}),
    ],
)
def test_a_line_mentions_what_it_touches(source: str, expected: set[tuple[str, str, bool, bool]]) -> None:
    assert expected <= mentions(source)


def test_what_a_lambda_or_a_function_inside_touches_is_its_own() -> None:
    assert not any(does == "write" for _, does, _, _ in mentions("f = lambda: jobs.append(1)") if _ == "jobs")


def test_source_that_is_not_there_mentions_nothing() -> None:
    assert lines_of("<nowhere>") == {}
