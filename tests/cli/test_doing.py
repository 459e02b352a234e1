"""A call under way, in words."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from linecook.cli import doing as words
from linecook.cli.doing import counted, cut, doing, duration, near
from linecook.observe import LiveCall, LiveCount

CALL = LiveCall(
    id=1, path="main/fetch:0", name="fetch", kind="call", lane="thread", state="waiting", waits_for=None, what="",
    place="", seconds=1.0, exact=True, deadline_left=None, attempt=1, priority="normal", ending=False, parent=None,
    children=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"state": "running", "what": "thread linecook-thread-1"}, "runs in thread linecook-thread-1"),
        ({"state": "running", "what": "process 42"}, "runs in process 42"),
        (
            {"state": "running", "what": "the event loop", "place": "/a.py:3 in f"},
            "keeps the event loop at /a.py:3 in f",
        ),
        ({"state": "abandoned", "what": "thread t"}, "was given up; runs on in thread t"),
        ({"state": "ready"}, "waits for its turn on the event loop"),
        ({"state": "open"}, "is open"),
        ({"state": "ended"}, "has ended; what it left behind runs on"),
        ({"waits_for": "lane", "what": "thread"}, "waits for a free thread"),
        ({"waits_for": "limit", "what": "limit=2 of fetch"}, "waits for limit=2 of fetch"),
        ({"waits_for": "retry", "what": "attempt 2 of 3"}, "waits before attempt 2 of 3"),
        ({"waits_for": "child", "what": "main/fetch:0/read:1"}, "waits for read:1"),
        ({"waits_for": "children", "what": "3 calls of settle"}, "waits for 3 calls of settle"),
        ({"waits_for": "sleep", "what": "2.0 s left"}, "sleeps, 2.0 s left"),
        ({"waits_for": "asyncio", "what": "Queue.get"}, "awaits Queue.get"),
        ({"waits_for": "something new"}, "waits for something new"),
        ({"waits_for": "sleep", "place": "/a.py:3 in fetch"}, "sleeps at /a.py:3"),
        ({"waits_for": "sleep", "ending": True}, "was asked to end; sleeps"),
    ],
)
def test_each_state_has_its_words(facts: dict[str, Any], said: str) -> None:
    assert doing(replace(CALL, **facts)) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (725.9, "12:05"), (11525, "3:12:05")]
)
def test_durations_are_short(seconds: float, said: str) -> None:
    assert duration(seconds) == said
    assert duration(seconds, exact=False).endswith(said)


def test_a_file_below_is_named_from_here() -> None:
    assert near(f"{os.getcwd()}/a/b.py:3 in f") == "a/b.py:3 in f"
    assert near("/elsewhere/b.py:3 in f") == "/elsewhere/b.py:3 in f"
    assert near("somewhere") == "somewhere"


def test_a_line_is_printable_and_fits() -> None:
    assert cut("a\x1b[2Jb", None) == "a?[2Jb"
    assert len(cut("x" * 50, 10)) in (10, 12)
    assert cut("short", 10) == "short"


def test_counts_are_sentences_and_bounded() -> None:
    counts = [LiveCount("fetch", "thread", "waiting", "lane", 8000), LiveCount("ask", "loop", "ready", None, 1)]
    assert list(counted(counts)) == ["8,000 fetch (thread) waiting for lane", "1 ask (loop) ready"]
    assert list(counted(counts * 20))[-1] == "and 20 other kinds"


def test_a_terminal_that_knows_only_ascii_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        encoding = "ascii"

    monkeypatch.setattr(words.sys, "stdout", Plain())
    assert [words.sign(each) for each in ("├─ ", "≥", "…")] == ["|- ", ">=", "..."]
    assert words.cut("grüß Gott", None) == "gr?? Gott"
