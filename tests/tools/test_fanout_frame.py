"""Fan-outs inside fan-outs have a bound: an agent that fans out to itself ends."""

import pytest

from linecook import agent, gather


async def test_an_agent_that_fans_out_to_itself_without_end_meets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linecook.tools.fanout_frame.DEEPEST", 20)
    deepest = 0

    @agent
    async def runaway(depth: int) -> None:
        nonlocal deepest
        deepest = max(deepest, depth)
        await gather([runaway(depth + 1)])

    with pytest.raises(RecursionError, match="stands in 20 other fan-outs"):
        await runaway(1)
    assert deepest == 21
