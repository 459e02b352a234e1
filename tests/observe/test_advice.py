from dataclasses import replace

import pytest

from linecook.observe import Row, StallCount
from linecook.observe.advice import advise

PARSE = Row(
    name="parse", lane="thread", calls=37, failures=0, timeouts=0, abandoned=0, wall=0.5, mean=0.5 / 37,
    cpu_share=0.9, cpu=0.45, gil_share=0.93, samples=210,
)  # fmt: skip


def advice(held: float | None = None, **known: object) -> str:
    return " ".join(advise(replace(PARSE, **known), held))  # type: ignore[arg-type]


def test_cpu_work_that_holds_the_interpreter_would_gain_in_a_process():
    said = advice()
    assert said.startswith("parse: 450 ms of CPU in 37 calls while holding the interpreter 93% of the time (n=210)")
    assert "lane='process'" in said


def test_cpu_work_that_lets_go_of_the_interpreter_stays_on_threads():
    said = advice(gil_share=0.03)
    assert "well placed on threads" in said
    assert "process" not in said


def test_threads_that_wait_for_each_other_would_gain_in_processes():
    assert advice(cpu_share=0.12, gil_share=0.11) == ""
    said = advice(0.98, cpu_share=0.12, gil_share=0.11)
    assert "the threads wait for each other" in said
    assert "lane='process'" in said


def test_waiting_is_what_threads_are_for():
    assert advice(0.1, cpu_share=0.02, cpu=0.01, gil_share=0.01) == ""


def test_a_body_too_short_for_the_trip_to_a_process_stays():
    assert advice(calls=10_000, mean=0.00005, cpu=0.45) == ""


def test_a_body_shorter_than_the_way_to_a_thread_would_gain_inline():
    said = advice(calls=10_000, wall=0.1, mean=0.00001, samples=5, gil_share=None)
    assert said.startswith("parse: 10 µs a call")
    assert "lane='inline'" in said
    assert advice(calls=3, wall=0.00003, mean=0.00001, gil_share=None) == ""


@pytest.mark.parametrize("unknown", ["cpu_share", "gil_share"])
def test_what_is_not_known_supports_no_advice(unknown):
    assert advice(**{unknown: None}) == ""


def test_a_process_tool_that_only_waits_would_do_on_a_thread():
    said = advice(lane="process", cpu_share=0.05, gil_share=None)
    assert said.startswith("parse: waits 95% of its 500 ms in 37 calls")
    assert advice(lane="process", gil_share=None) == ""


def test_a_process_tool_shorter_than_the_trip_would_be_cheaper_on_a_thread():
    assert "lane='thread'" in advice(lane="process", calls=1000, wall=0.1, mean=0.0001, gil_share=None)


@pytest.mark.parametrize("lane", ["loop", "inline"])
def test_what_held_up_the_loop_belongs_on_a_thread(lane):
    said = advice(lane=lane, stalls=StallCount(1, 0.31))
    assert said.startswith("parse: held up the event loop once, 310 ms in all")
    assert "thread" in said
    assert advice(lane=lane) == ""
