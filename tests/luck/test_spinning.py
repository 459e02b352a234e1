"""All workers spin at once: each is killed at its deadline, nobody who is healthy is lost."""

import pytest

from linecook import Ok, Runtime, TimedOut, settle
from linecook.errors import TimedOutError
from tests.luck.bodies import brief, spin


@pytest.mark.slow
async def test_when_all_workers_spin_every_healthy_call_is_still_right() -> None:
    async with Runtime(processes=2) as runtime:
        calls = [spin(number) if number % 10 == 0 else brief(number) for number in range(60)]
        outcomes = await settle(calls)
        for number, outcome in enumerate(outcomes):
            if number % 10 == 0:
                assert isinstance(outcome, TimedOut)
                assert outcome.work == "stopped"
                assert f"spin({number})" in str(outcome.error)
            else:
                assert outcome == Ok(-number)
        statistics = runtime.statistics()["process"]
        assert (statistics["running"], statistics["waiting"], statistics["killed"]) == (0, 0, 6)


@pytest.mark.slow
async def test_who_waits_behind_spinning_workers_is_answered_at_its_own_deadline() -> None:
    async with Runtime(processes=1):
        spinning = spin.options(attempt_timeout=None, timeout=1.5)
        late, waits = await settle(spinning(0), brief.options(timeout=0.3)(1))
        assert isinstance(late, TimedOut)
        assert isinstance(waits, TimedOut)
        assert isinstance(waits.error, TimedOutError)
        assert waits.work == "not started"
        assert "queued for lane process" in str(waits.error)
        assert await brief(2) == -2
