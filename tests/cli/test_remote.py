"""What the commands share that look into another process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linecook.cli.exits import BadUsage
from linecook.cli.remote import NotTold, answered, reach, told
from tests.looked_into import Program, hall

IDLE = """
@agent
async def main():
    ready()
    await asyncio.sleep(30)

run(main(), runtime=Runtime(control=True))
"""


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    with hall():
        yield


@pytest.mark.slow
def test_the_only_process_needs_no_pid_and_of_several_one_must_be_said() -> None:
    with Program(IDLE) as one:
        with reach(None) as remote:
            assert remote.pid == one.pid
        with Program(IDLE) as other, pytest.raises(BadUsage) as refused:
            reach(None)
    assert "which process? Say its PID" in str(refused.value)
    assert all(str(program.pid) in str(refused.value) for program in (one, other))


def test_a_process_that_went_away_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    def ask() -> int:
        raise ConnectionError("process 7 has ended")

    with pytest.raises(NotTold):
        answered(ask)
    assert told(lambda: answered(ask)) == 1
    assert capsys.readouterr().err == "linecook: process 7 has ended.\n"
