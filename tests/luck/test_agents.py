"""Agents with bad luck: storms of cancels, dead workers, hostile messages, teams that die inside teams, Ctrl-C."""

import asyncio
import gc
import logging
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from linecook import Ask, Inbox, Ref, Runtime, agent, team
from linecook.errors import AgentFailed, LaneLost, MailboxClosed, Refused, TimedOutError
from linecook.testing import VirtualClock
from tests.conftest import SRC

from .bodies import double, killed_by_the_system


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="linecook")


@dataclass(frozen=True)
class Order(Ask[Any]):
    what: Any


@agent
async def waiter(inbox: Inbox[Order]) -> None:
    async for message in inbox:
        await asyncio.sleep(0)
        message.reply(message.body.what)


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


# -- many -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_million_messages_to_a_slow_agent_take_the_memory_of_its_mailbox() -> None:
    heard = 0
    sizes_mb: list[float] = []

    @agent
    async def slow(inbox: Inbox[bytes]) -> None:
        nonlocal heard
        async for message in inbox:
            heard += 1
            if not message.body[0]:
                await asyncio.sleep(0)

    async def sender(ref: Ref[bytes], number: int) -> None:
        for count in range(100_000):
            if not count % 20_000:
                sizes_mb.append(memory_mb())
            await ref.tell(bytes([count % 100]) * 1000)

    async with team() as office:
        ref = office.start(slow(), capacity=100)
        await asyncio.gather(*(sender(ref, number) for number in range(10)))
        while ref.statistics()["waiting"]:
            await asyncio.sleep(0)
        assert heard == 1_000_000
        assert max(sizes_mb) - sizes_mb[0] < 30  # of the gigabyte that was sent


@pytest.mark.slow
async def test_ten_thousand_cancels_of_askers_and_readers_at_random_moments_leave_nothing_behind() -> None:
    dice = random.Random(6)

    @agent
    async def speaker(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            for number in range(5):
                if not await message.send(number):
                    break
                await asyncio.sleep(0)

    async def asks(ref: Ref[Order]) -> None:
        assert await ref.ask(Order(7), timeout=60) == 7

    async def reads(ref: Ref[Order]) -> None:
        async with ref.stream(Order(7)) as pieces:
            assert [piece async for piece in pieces] == [0, 1, 2, 3, 4]

    async with team() as office:
        asked, read = office.start(waiter(), capacity=10), office.start(speaker(), capacity=10)
        for _ in range(100):
            tasks = [asyncio.create_task(dice.choice((lambda: asks(asked), lambda: reads(read)))()) for _ in range(100)]
            for task in tasks:
                if dice.random() < 0.3:
                    await asyncio.sleep(0)
                if dice.random() < 0.9:
                    task.cancel()
            await asyncio.wait(tasks)
            assert [task.exception() for task in tasks if not task.cancelled() and task.exception()] == []
        assert await asked.ask(Order("still")) == "still"
        assert [piece async for piece in read.stream(Order(7))] == [0, 1, 2, 3, 4]
        for ref in (asked, read):
            statistics = ref.statistics()
            assert (statistics["waiting"], statistics["waiting_for_room"], statistics["deferred"]) == (0, 0, 0)
            assert statistics["starts"] == 1
        gc.collect()
        assert len(asyncio.all_tasks()) <= 3  # this one and the two agents


# -- what is sent ---------------------------------------------------------------------------------------------------


class Hostile:
    """Raises whatever it is asked."""

    def _refuse(self, *_: object) -> NoReturn:
        raise RuntimeError("hostile")

    __repr__ = __str__ = __eq__ = __bool__ = __len__ = __iter__ = _refuse  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("what", [Hostile(), threading.Lock(), lambda: 1, bytearray(10_000_000), sys, [[]] * 1000])
async def test_anything_may_be_sent_and_arrives_as_itself(what: Any) -> None:
    async with team() as office:
        assert await office.start(waiter()).ask(Order(what)) is what


@pytest.mark.parametrize("what", [Hostile(), "x" * 1_000_000])
async def test_errors_about_messages_that_are_huge_or_cant_be_shown_stay_short(clock: VirtualClock, what: Any) -> None:
    @agent
    async def burns(inbox: Inbox[Any]) -> None:
        async for message in inbox:
            await asyncio.sleep(5)
            raise ValueError(message.body)

    caught: list[BaseException] = []
    async with team(grace=0) as office:
        ref = office.start(burns(), capacity=1, when_full="refuse")
        asking = asyncio.create_task(ref.ask(Order(what)))
        await asyncio.sleep(1)
        await ref.tell(what)
        for attempt in (ref.ask(Order(what)), ref.tell(what)):
            with pytest.raises(Refused) as refused:
                await attempt
            caught.append(refused.value)
        with pytest.raises(AgentFailed) as failed:
            await asking
        caught.append(failed.value)
        with pytest.raises(TimedOutError) as late:
            await ref.ask(Order(what), timeout=1)
        caught.append(late.value)
        assert "burns" in repr(office.dead_letters[0].agent)
    with pytest.raises(MailboxClosed) as closed:
        await ref.tell(what)
    assert [len(str(error)) < 1000 for error in [*caught, closed.value]] == [True] * 5


# -- death ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_an_agent_whose_tools_worker_is_killed_says_so_and_serves_the_next() -> None:
    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            message.reply(await (double(message.body.what) if message.body.what else killed_by_the_system()))

    async with Runtime(processes=1), team() as office:
        ref = office.start(clerk())
        doomed, healthy = asyncio.create_task(ref.ask(Order(0))), asyncio.create_task(ref.ask(Order(3)))
        with pytest.raises(AgentFailed, match="died under killed_by_the_system: killed by SIGKILL") as caught:
            await doomed
        assert isinstance(caught.value.__cause__, LaneLost)
        assert await healthy == 6
        assert [letter.body for letter in office.dead_letters] == [Order(0)]


@agent
async def hangs(inbox: Inbox[Order], log: list[str], swallows: bool) -> None:
    async for _ in inbox:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                log.append("cancelled")
                if not swallows:
                    raise


async def test_a_handler_that_hangs_costs_its_asker_a_deadline_and_the_next_one_a_restart(clock: VirtualClock) -> None:
    log: list[str] = []
    async with team(grace=1) as office:
        ref = office.start(hangs(log, False))
        for whose in (lambda: ref.ask(Order(1), timeout=2), lambda: ref.ask(Order(2), timeout=2)):
            with pytest.raises(TimedOutError):
                await whose()
        assert log == []  # a deadline of its asker's cancels no agent
        await ref.stop(grace=1)
        assert log == ["cancelled"]
    assert clock.time() < 10


async def test_a_team_in_a_team_in_a_team_ends_inside_out_when_the_outermost_dies(clock: VirtualClock) -> None:
    log: list[str] = []

    @agent
    async def layer(inbox: Inbox[Order], depth: int) -> None:
        try:
            async with team(name=f"team {depth}", grace=0.5) as inner:
                ref = inner.start(layer(depth - 1) if depth else hangs([], False))
                async for message in inbox:
                    message.reply(await ref.ask(message.body))
        finally:
            log.append(f"layer {depth} ended")

    with pytest.raises(ValueError, match="the outermost"):
        async with team() as office:
            ref = office.start(layer(3))
            asking = asyncio.create_task(ref.ask(Order(1)))
            await asyncio.sleep(1)
            raise ValueError("the outermost")
    assert log == [f"layer {depth} ended" for depth in range(4)]
    with pytest.raises((AgentFailed, MailboxClosed)):
        await asking
    assert clock.time() < 10


async def test_a_team_in_a_team_whose_agents_swallow_their_cancellation_still_ends(
    clock: VirtualClock,
) -> None:
    log: list[str] = []
    over = asyncio.Event()

    @agent
    async def stubborn(inbox: Inbox[Order]) -> None:
        async for _ in inbox:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    log.append("swallowed")

    @agent
    async def line(inbox: Inbox[Order]) -> None:
        async with team(grace=0.5) as inner:
            ref = inner.start(stubborn())
            async for message in inbox:
                await ref.ask(message.body)

    with pytest.raises(TimedOutError):
        async with team(grace=1) as office:
            await office.start(line()).ask(Order(1), timeout=5)
    took = clock.time()
    over.set()
    await asyncio.sleep(1)
    assert took < 30
    assert log
    assert asyncio.all_tasks() == {asyncio.current_task()}


# -- Ctrl-C ---------------------------------------------------------------------------------------------------------

PROGRAM = textwrap.dedent("""
    import asyncio, logging, sys, time
    from dataclasses import dataclass
    from linecook import Ask, Inbox, Ref, Runtime, agent, run, team, tool
    from linecook.errors import AgentFailed, MailboxClosed

    logging.getLogger("linecook").setLevel(logging.CRITICAL)

    @dataclass(frozen=True)
    class Order(Ask[int]):
        number: int

    @tool
    def cut(number):
        time.sleep(0.005)
        return number

    @agent
    async def cook(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            if message.body.number % 7 == 0:
                raise ValueError("burnt")
            message.reply(await cut(message.body.number))

    @agent
    async def line(inbox: Inbox[Order]) -> None:
        async with team(name="line", intensity=None) as cooks:
            refs = [cooks.start(cook()) for _ in range(3)]
            async for message in inbox:
                try:
                    message.reply(await refs[message.body.number % 3].ask(message.body))
                except AgentFailed as error:
                    message.fail(error)

    @agent
    async def main():
        served = burnt = 0
        async with team(intensity=None) as kitchen:
            ref = kitchen.start(line())
            for number in range(150):
                try:
                    served += (await ref.ask(Order(number))) == number
                except AgentFailed:
                    burnt += 1
        return served, burnt

    print("began", flush=True)
    print("ended", *run(main(), runtime=Runtime(threads=8, stall=None)), flush=True)
""")


def start(folder: Path) -> "subprocess.Popen[str]":
    (folder / "kitchen.py").write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-W", "error", "kitchen.py"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)}, process_group=0,
    )  # fmt: skip


def end_of(process: "subprocess.Popen[str]", moments: list[float]) -> tuple[str, str]:
    """Press Ctrl-C at *moments*, each so many seconds after the one before; what the program then said."""
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    for moment in moments:
        time.sleep(moment)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler tells where everybody was
        raise AssertionError(f"it hangs after Ctrl-C at {moments}:\n{process.communicate()[1]}") from None


@pytest.mark.slow
def test_a_program_of_teams_left_alone_serves_all(tmp_path: Path) -> None:
    out, err = end_of(start(tmp_path), [])
    assert (out, err) == ("ended 128 22\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_ctrl_c_at_any_moment_ends_a_program_of_teams(seed: int, tmp_path: Path) -> None:
    luck = random.Random(seed)
    for presses in (1, 2, 3):
        moments = [luck.random() * 0.8, *(luck.random() * 0.05 for _ in range(presses - 1))]
        process = start(tmp_path)
        out, err = end_of(process, moments)
        assert process.returncode in (0, 130, -signal.SIGINT), f"{process.returncode} after {moments}\n{err}"
        assert out in ("", "ended 128 22\n")
        for trouble in ("never retrieved", "never awaited", "was destroyed but", "Fatal"):
            assert trouble not in err, f"after Ctrl-C at {moments}\n{err}"
