"""``explore`` and ``replay``: what is found, how it is labelled, and how it is run again."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from linecook.testing import explore, outside, replay
from linecook.testing.exploring.mistakes import ExplorationFailed, OneMoreAwait, ReplayMismatch
from linecook.testing.exploring.telling.token import read_token


async def counter() -> None:
    total = 0

    async def agent() -> None:
        nonlocal total
        before = total
        await asyncio.sleep(0)
        total = before + 1

    await asyncio.gather(agent(), agent())
    assert total == 2


async def hidden() -> None:
    total = 0

    async def agent(rounds: int) -> None:
        nonlocal total
        for _ in range(rounds):
            await outside()
        before = total
        await outside()
        total = before + 1

    await asyncio.gather(agent(1), agent(3))
    assert total == 2


async def right() -> None:
    total = 0
    lock = asyncio.Lock()

    async def agent() -> None:
        nonlocal total
        async with lock:
            before = total
            await outside()
            total = before + 1

    await asyncio.gather(agent(), agent())
    assert total == 2


def test_the_classic_counter_is_found_within_two_schedules() -> None:
    found = explore(counter)
    assert found.schedules <= 2
    assert found.failure is not None
    assert found.failure.kind == "exception"


def test_a_race_that_hides_from_a_stock_loop_is_found_and_replayed() -> None:
    found = explore(hidden)
    assert found.failure is not None
    assert found.failure.overtakings == 0
    with pytest.raises(ExplorationFailed, match="AssertionError"):
        found.check()
    again = replay(hidden, found.failure.token)
    assert again.failure is not None
    assert again.failure.steps == found.failure.steps
    with pytest.raises(ExplorationFailed):
        explore(hidden, token=found.failure.token).check()


def test_a_right_program_passes_and_the_verdict_says_what_was_searched() -> None:
    found = explore(right).check()
    assert found.exhausted
    assert found.verdict == "no failure in the one schedule that there is, with at most 2 overtakings"


def test_a_truncated_search_never_says_that_it_was_complete() -> None:
    async def main() -> None:
        await asyncio.gather(*(outside() for _ in range(7)))

    found = explore(main, schedules=100)
    assert found.schedules == 100
    assert not found.exhausted
    assert "which are not all" in found.verdict


def test_a_token_of_a_program_that_was_repaired_passes_and_a_strict_replay_names_the_difference() -> None:
    failure = explore(hidden).failure
    assert failure is not None
    assert "searched anew" in explore(right, token=failure.token).check().verdict
    with pytest.raises(ReplayMismatch, match=r"step \d+ is one of|makes \d+ steps"):
        replay(right, failure.token)


async def idle() -> None:
    await asyncio.gather(outside(), outside(), outside())


def test_a_token_without_decisions_is_refused_by_another_program() -> None:
    failure = explore(counter).failure
    assert failure is not None
    assert read_token(failure.token).decisions == ()
    with pytest.raises(ReplayMismatch, match=r"step \d+ is one of|makes \d+ steps"):
        replay(idle, failure.token)
    assert "searched anew" in explore(idle, token=failure.token).check().verdict


def test_a_token_whose_decisions_another_program_happens_to_meet_is_refused_by_it() -> None:
    async def wrong() -> None:
        ended = list[int]()

        async def agent(number: int) -> None:
            await outside()
            ended.append(number)

        await asyncio.gather(agent(1), agent(2))
        assert ended == [1, 2]

    failure = explore(wrong).failure
    assert failure is not None
    assert read_token(failure.token).decisions
    with pytest.raises(ReplayMismatch, match=r"step \d+ is one of|makes \d+ steps"):
        replay(idle, failure.token)


def test_a_token_is_refused_by_a_program_that_fails_otherwise() -> None:
    async def stuck() -> None:
        await outside()
        await asyncio.get_running_loop().create_future()

    failure = explore(counter).failure
    assert failure is not None
    with pytest.raises(ReplayMismatch, match="it fails otherwise: deadlock, where the token is of: exception"):
        replay(stuck, failure.token)


def test_a_token_whose_schedule_fails_no_more_passes_when_all_steps_are_the_same() -> None:
    wanted = [1]

    async def main() -> None:
        await asyncio.sleep(1)
        assert wanted == [2]

    failure = explore(main).failure
    assert failure is not None
    wanted[0] = 2
    assert replay(main, failure.token).verdict == "no failure in the schedule of the token"


@pytest.mark.slow
def test_a_token_holds_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import asyncio, sys
            from linecook.testing import explore, outside, replay

            async def main():
                left = {"a", "b", "c"}
                done = []
                async def agent(name, rounds):
                    for _ in range(rounds):
                        await outside()
                    done.append(name)
                async with asyncio.TaskGroup() as group:
                    for rounds, name in enumerate(sorted(left)):
                        group.create_task(agent(name, rounds + 1))
                assert done != ["c", "b", "a"]

            if len(sys.argv) > 1:
                print(replay(main, sys.argv[1]).failure.kind)
            else:
                print(explore(main).failure.token)
        """)
    )

    def run(seed: str, *token: str) -> str:
        source = str(Path(sys.modules["linecook"].__file__ or "").parent.parent)
        settings = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source}
        return subprocess.run(
            [sys.executable, str(program), *token], env=settings, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert run("2", run("1")) == "exception"


def test_what_no_stock_loop_shows_is_a_warning_unless_asked_otherwise() -> None:
    async def main() -> None:
        order = list[int]()

        async def step(number: int) -> None:
            order.append(number)

        await asyncio.gather(step(0), step(1))
        assert order == [0, 1]

    found = explore(main, tier="any")
    with pytest.warns(OneMoreAwait, match="stock ones were all tried"):
        found.check()
    with pytest.raises(ExplorationFailed):
        found.check(strict=True)


def test_under_any_scheduler_too_a_stock_finding_is_labelled_as_such() -> None:
    failure = explore(hidden, tier="any", schedules=10).failure
    assert failure is not None
    assert failure.label == "shown on the stock loop"


def test_a_found_schedule_is_made_as_cheap_as_it_can_be() -> None:
    async def main() -> None:
        try:
            async with asyncio.timeout(1):
                await outside()
        except TimeoutError:
            raise AssertionError from None

    failure = explore(main).failure
    assert failure is not None
    assert (failure.overtakings, failure.faults) == (0, 0)


def test_a_program_that_keeps_state_from_schedule_to_schedule_is_told_where_it_differs() -> None:
    rounds = [0]

    async def main() -> None:
        rounds[0] += 1

        async def agent(times: int) -> None:
            for _ in range(times):
                await outside()

        await asyncio.gather(agent(rounds[0] % 3 + 1), agent(2), agent(2))

    with pytest.raises(ReplayMismatch, match=r"the first step that differs is number \d+: once agent"):
        explore(main)


def test_a_lock_made_outside_of_main_is_refused() -> None:
    lock = asyncio.Lock()

    async def main() -> None:
        async def agent() -> None:
            async with lock:
                await outside()

        await asyncio.gather(agent(), agent(), outside())

    with pytest.raises(TypeError, match="inside main"):
        explore(main)


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        ({"overtakings": -1}, "overtakings"),
        ({"faults": 1.5}, "faults"),
        ({"schedules": 0}, "schedules"),
        ({"seconds": 0}, "seconds"),
        ({"steps": 0}, "steps"),
        ({"fault_kinds": "raise"}, "fault_kinds"),
        ({"token": "nonsense"}, "token"),
        ({"tier": "all"}, "tier"),
        ({"points": "lines"}, "points"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], culprit: str) -> None:
    with pytest.raises((ValueError, TypeError), match=culprit):
        explore(right, **arguments)  # type: ignore[arg-type]


def test_main_must_be_an_async_function() -> None:
    with pytest.raises(TypeError, match="no coroutine"):
        explore(lambda: 5)  # type: ignore[arg-type, return-value]
