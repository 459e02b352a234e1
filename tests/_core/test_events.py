"""One stream of events, told to each listener, and no listener can harm what it reads."""

import logging
import re
from pathlib import Path

import pytest

from linecook._core.events import Event, Events


def test_each_listener_is_told_in_order_of_subscription() -> None:
    events, told = Events(), list[str]()
    events.subscribe(lambda event: told.append(f"first {event.kind}"))
    events.subscribe(lambda event: told.append(f"second {event.kind}"))
    events.emit("lane.grew", threads=96)
    assert told == ["first lane.grew", "second lane.grew"]


def test_an_event_says_what_when_and_with_which_data() -> None:
    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    events.emit("lane.grew", None, threads=96)
    assert told[0].data == {"threads": 96}
    assert told[0].at > 0
    assert told[0].frame is None


def test_nobody_listening_is_known_beforehand() -> None:
    events = Events()
    assert not events.heard
    leave = events.subscribe(lambda event: None)
    assert events.heard
    leave()
    leave()
    assert not events.heard


def test_a_listener_that_fails_is_dropped_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    events, told = Events(), list[Event]()

    def broken(event: Event) -> None:
        raise RuntimeError("board on fire")

    events.subscribe(broken)
    events.subscribe(told.append)
    with caplog.at_level(logging.ERROR, logger="linecook"):
        events.emit("a.b")
        events.emit("a.c")
    assert [event.kind for event in told] == ["a.b", "a.c"]
    assert caplog.text.count("failed and is dropped") == 1


ROOT = Path(__file__).parents[2]


def test_every_kind_of_event_stands_in_the_list_and_no_other() -> None:
    listed = set(re.findall(r"^\| `(\w+\.\w+)` \|", (ROOT / "docs/reference/events.md").read_text(), re.MULTILINE))
    told = re.compile(r"(?:emit|_tell)\(\s*\"(\w+\.\w+)\"")
    emitted = {kind for file in (ROOT / "src").rglob("*.py") for kind in told.findall(file.read_text())}
    assert {"limit.changed", "call.charged", "stall.began"} <= emitted
    assert listed == emitted
