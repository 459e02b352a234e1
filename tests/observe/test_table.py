from dataclasses import replace

import pytest

from linecook.observe import Row
from linecook.observe.table import WIDTH, render, seconds

ROW = Row(
    name="parse", lane="thread", calls=37, failures=0, timeouts=0, abandoned=0, wall=0.5, mean=0.5 / 37,
    cpu_share=0.9, cpu=0.45, gil_share=0.93, samples=210,
)  # fmt: skip


def test_columns_stand_under_their_heads():
    text = render([ROW, replace(ROW, name="a_longer_name", gil_share=None)], {}, [])
    head, first, second, *_ = text.splitlines()
    assert first.startswith("parse          thread ")
    assert len(head) == len(first) == len(second)
    assert head.index("lane") == first.index("thread")
    assert second.endswith("not known")


def test_no_line_is_wider_than_a_hundred_columns():
    huge = replace(
        ROW, name="package.module.Class.method_with_a_long_name", lane="process", calls=12_345_678, failures=99_999,
        timeouts=99_999, abandoned=99_999, wall=1e6, mean=123.0, cpu_share=1.0, gil_share=1.0, samples=99_999,
    )  # fmt: skip
    text = render([huge], {"thread": {f"count_{n}": 10**9 for n in range(12)}}, ["word " * 60])
    assert max(map(len, text.splitlines())) <= WIDTH


def test_where_nothing_would_gain_it_is_said():
    assert "nothing would gain elsewhere" in render([ROW], {}, [])


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "0 ns"), (4e-6, "4 µs"), (0.0042, "4.2 ms"), (0.412, "412 ms"), (3.21, "3.2 s"), (3900.0, "1 h 05 min")],
)
def test_seconds_come_in_the_unit_that_suits(value, told):
    assert seconds(value) == told
