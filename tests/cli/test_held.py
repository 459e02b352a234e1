"""What an output holds is known without decoding it, and never mistaken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linecook.cli import held as held_module
from linecook.cli.exits import BadUsage
from linecook.cli.held import Held, read_lines
from linecook.cli.records import Lines, Record


class Spent(NamedTuple):
    queued: float = 0.0
    running: float = 0.5
    attempts: int = 1
    lane: str = "loop"


def record(line: int, digest: int, outcome: str = "ok") -> bytes:
    error = None if outcome == "ok" else {"type": "ValueError", "message": 'a "quoted" }\n{"line":9'}
    return Lines("desk:review").entry(Record(line, digest, outcome, value=[line], error=error, times=Spent()))


def read(path: Path, *, by_place: bool = True, again: bool = False) -> tuple[Held, int]:
    held = Held(by_place=by_place, again=again)
    fd = os.open(path, os.O_RDONLY)
    try:
        return held, read_lines(str(path), fd, "desk:review", held)
    finally:
        os.close(fd)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_ok_and_lost_are_done_cancelled_and_unknown_are_not(out: Path) -> None:
    out.write_bytes(record(1, 11 << 8) + record(2, 22 << 8, "failed") + record(3, 33 << 8, "timed_out"))
    with out.open("ab") as file:
        file.write(record(4, 44 << 8, "cancelled"))
    held, whole = read(out)
    assert whole == out.stat().st_size
    assert [held.has(n, n * 11 << 8) for n in (1, 2, 3, 4, 5)] == [True, True, True, False, False]
    assert (held.records, held.skipped_ok, held.skipped_lost) == (4, 1, 2)


def test_what_was_lost_runs_again_when_asked_for(out: Path) -> None:
    out.write_bytes(record(1, 8) + record(2, 16, "failed"))
    held, _ = read(out, again=True)
    assert [held.has(1, 8), held.has(2, 16)] == [True, False]


def test_changed_content_is_not_done(out: Path) -> None:
    out.write_bytes(record(1, 8))
    assert not read(out)[0].has(1, 12)


def test_the_last_outcome_of_a_line_counts(out: Path) -> None:
    out.write_bytes(record(1, 8, "failed") + record(2, 16) + record(1, 8) + record(2, 24))
    held, _ = read(out)
    assert held.has(1, 8)
    assert held.skipped_lost == 0
    assert not held.has(2, 16)  # it was another content since
    assert held.has(2, 24)


def test_files_are_known_by_their_content_wherever_they_stand(out: Path) -> None:
    out.write_bytes(record(1, 8) + record(2, 16))
    held, _ = read(out, by_place=False)
    assert [held.has(7, 16), held.has(1, 99)] == [True, False]


def test_a_far_line_number_takes_no_room_for_those_between(out: Path) -> None:
    out.write_bytes(record(10**17, 8) + record(1, 16))
    held, _ = read(out)
    assert [held.has(10**17, 8), held.has(1, 16), held.has(5, 8)] == [True, True, False]
    assert len(held._near) < 10_000


def test_records_that_another_program_wrote_anew_are_read_the_long_way(out: Path) -> None:
    out.write_bytes(
        b'{"outcome": "ok", "input": "0000000000000008", "line": 1, "function": "desk:review"}\n\n' + record(2, 16)
    )
    held, _ = read(out)
    assert [held.has(1, 8), held.has(2, 16), held.records] == [True, True, 2]


@pytest.mark.parametrize("block_bytes", [64, 200, 1 << 22])
def test_half_a_line_at_the_end_is_told_apart(out: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(held_module, "_BLOCK", block_bytes)
    whole = b"".join(record(n, n << 8) for n in range(1, 20))
    for cut in (1, 5, len(record(20, 1)) - 1):
        out.write_bytes(whole + record(20, 1)[:cut])
        held, length = read(out)
        assert length == len(whole)
        assert held.records == 19
        assert held.has(19, 19 << 8)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"precious\n", "holds something else already; its first line is: precious"),
        (b'{"a": 1}\n', r'its first line is: \{"a": 1\}'),
        (b"no end of line", "its first line is: no end of line"),
        (record(1, 8) + b'{"a": 1}\n', "line 2, is no outcome of linecook"),
        (record(1, 8) + b"notes", "ends with no outcome, line 2: notes"),
        (record(1, 8).replace(b"review", b"grade"), "holds outcomes of desk:grade, and this run calls desk:review"),
    ],
)
def test_an_output_that_is_something_else_is_refused(out: Path, content: bytes, said: str) -> None:
    out.write_bytes(content)
    with pytest.raises(BadUsage, match=said):
        read(out)


def test_what_a_crash_leaves_of_a_block_is_cut_off(out: Path) -> None:
    out.write_bytes(record(1, 8) + b"\0" * 100)
    assert read(out)[1] == len(record(1, 8))


def test_what_is_shown_of_it_cannot_play_tricks_with_the_terminal(out: Path) -> None:
    out.write_bytes(b"\x1b[2J\x07\n")
    with pytest.raises(BadUsage, match=r"\\x1b\[2J\\x07"):
        read(out)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_an_output_is_taken_in_or_refused_and_never_half(out: Path, data: st.DataObject) -> None:
    states = st.sampled_from(["ok", "failed", "cancelled"])
    wanted = data.draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5), states), min_size=1, max_size=12))
    whole = b"".join(record(line, digest << 8, state) for line, digest, state in wanted)
    tail = data.draw(st.sampled_from([b"", b"\0\0", b'{"line":', b'{"line":3,"inp', b"other", b"other\n"]))
    out.write_bytes(whole + tail)
    if tail.startswith(b"other"):
        with pytest.raises(BadUsage):
            read(out)
        return
    held, length = read(out)
    assert length == len(whole)
    last = {line: (digest << 8, state) for line, digest, state in wanted}
    for line in range(1, 10):
        for digest in range(6):
            done = last.get(line, (None, ""))
            assert held.has(line, digest << 8) is (done[0] == digest << 8 and done[1] != "cancelled")
