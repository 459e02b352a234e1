"""Ctrl-C at any moment of a program under ``run``: it ends, as it should, with no traceback but the user's own."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.conftest import SRC

PROGRAM = textwrap.dedent("""
    import asyncio, sys, time
    from linecook import Runtime, agent, as_completed, gather, resource, run, scope, settle, tool

    @resource
    async def client():
        yield "client"

    @tool(limit=4)
    def fetch(n):
        time.sleep(0.01)
        return n

    @tool(lane="process")
    def double(n):
        return 2 * n

    @tool
    async def ask(n):
        await client()
        await asyncio.sleep(0.005)
        return n

    @tool
    def lines(n):
        for number in range(n):
            time.sleep(0.001)
            yield number

    @agent
    async def reader(n):
        async with scope() as s:
            handles = [s.start(fetch(n)), s.start(ask(n))]
        if n % 5 == 0:
            await double(n)
        return sum([number async for number in lines(3)]) + await handles[0]

    @agent
    async def main():
        settled = await settle((reader(n) for n in range(60)), limit=8)
        return settled.counts["ok"]

    print("began", flush=True)
    print("ended", run(main(), runtime=Runtime(threads=8, processes=1, stall=None)), flush=True)
""")


def start() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-W", "error", "-c", PROGRAM],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)}, process_group=0,
    )  # fmt: skip


def check(process: "subprocess.Popen[str]", moments: list[float]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    for moment in moments:
        time.sleep(moment)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler tells where everybody was
        raise AssertionError(f"it hangs after Ctrl-C at {moments}:\n{process.communicate()[1]}") from None
    code = process.returncode
    # Left alone, a KeyboardInterrupt ends Python by the signal (-2 here, 130 to a shell); so does the third press.
    assert code in (0, 130, -signal.SIGINT), f"{code} after Ctrl-C at {moments}\n{err}"
    if code == 0:
        assert out == "ended 60\n"
        assert err == ""
    troubles = ["never retrieved", "never awaited", "was destroyed but", "Fatal"]
    if len(moments) == 1:  # a further press may meet Python itself, on its way out after `run` has ended
        troubles += ["Exception ignored"]
        assert err.count("Traceback") <= 1, err
    for trouble in troubles:
        assert trouble not in err, f"after Ctrl-C at {moments}\n{err}"
    if "Traceback" in err:
        assert 'File "<string>"' in err, err  # the user's line
        ends_with = err.rstrip().rpartition("\n")[2] if len(moments) == 1 else err  # see above
        assert "KeyboardInterrupt" in ends_with, err


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_ctrl_c_at_any_moment_ends_the_program(seed: int) -> None:
    luck = random.Random(seed)
    for _ in range(5):
        presses = luck.choice([1, 1, 2, 3])
        check(start(), [luck.random() ** 2 * 0.9, *(luck.random() * 0.05 for _ in range(presses - 1))])
