"""The lanes with workers: opened when first needed, once, and refused by name when there is no such lane."""

import pytest

from linecook._core.events import Events
from linecook._runtime.workers import Lanes


def test_a_lane_is_opened_when_first_needed_and_once() -> None:
    lanes = Lanes(Events(), {"threads": 2}, None)
    assert lanes.statistics() == {}
    assert lanes.open("thread") is lanes.open("thread")
    assert list(lanes.statistics()) == ["thread"]
    lanes.close(wait=0.5)


def test_an_unknown_lane_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no lane 'gpu'"):
        Lanes(Events(), {}, None).open("gpu")
