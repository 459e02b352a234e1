"""Records are written whole, as they come, and never in silence not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from linecook.cli.output import WAITING_BYTES, NotWritten, Output, PipeClosed
from linecook.cli.place import open_output


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    ends = list(os.pipe())
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


class Drain(asyncio.Protocol):
    """Reads until as many bytes have come as *ended* is to report."""

    def __init__(self, wanted: int, ended: asyncio.Future[None]) -> None:
        self.left = wanted
        self.ended = ended

    def data_received(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left == 0:
            self.ended.set_result(None)


async def test_lines_are_there_while_the_run_goes_on(pipe: list[int]) -> None:
    output = Output(pipe[1], "the pipe")
    await output.put(b"one\n")
    assert os.read(pipe[0], 100) == b"one\n"  # would block for ever if it weren't flushed
    output.close()
    assert (output.lines, output.written_bytes, output.unwritten) == (1, 4, 0)


async def test_a_full_disk_is_said_and_what_is_missing_is_counted() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    output = Output(fd, "out.jsonl")
    output.put_nowait(b"one\n")
    with pytest.raises(NotWritten, match=r"out\.jsonl could not be written: No space left on device"):
        output.close()
    with pytest.raises(NotWritten):
        await output.put(b"two\n")
    assert (output.lines, output.unwritten) == (0, 2)
    os.close(fd)


def test_a_line_written_in_part_is_taken_back(tmp_path: Path) -> None:
    import resource
    import signal

    path = tmp_path / "out.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    fd = open_output(str(path))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (15, before[1]))  # a disk with room for 15 bytes
        output = Output(fd, "out.jsonl")
        output.put_nowait(b"123456789\n")
        output.put_nowait(b"abcdefghi\n")
        with pytest.raises(NotWritten):
            output.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        os.close(fd)
    assert path.read_bytes() == b"123456789\n"
    assert (output.lines, output.written_bytes, output.unwritten) == (1, 10, 1)


async def test_a_reader_that_went_away_is_told_apart_from_a_full_disk(pipe: list[int]) -> None:
    output = Output(pipe[1], "standard output")
    os.close(pipe[0])
    output.put_nowait(b"one\n")
    with pytest.raises(PipeClosed):
        output.close()


async def test_a_slow_reader_holds_the_giver_back_and_not_the_loop(pipe: list[int]) -> None:
    output = Output(pipe[1], "the pipe")
    line = b"x" * (WAITING_BYTES // 2) + b"\n"

    async def give() -> None:
        for _ in range(5):
            await output.put(line)

    reading: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    giving = asyncio.create_task(give())
    for _ in range(5):
        await asyncio.sleep(0.01)  # the loop turns although nobody reads
    assert not giving.done()
    reader, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: Drain(5 * len(line), reading), os.fdopen(pipe[0], "rb")
    )
    await asyncio.wait_for(giving, 10)
    await asyncio.wait_for(reading, 10)
    reader.close()
    output.close()
    assert output.lines == 5
