"""The misbehaving server: over real sockets it does as it is told, counts what comes, and goes when its parent goes."""

import asyncio
import email.utils
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import pytest

from linecook.testing.server import FAULTS, Phase, Server, server
from linecook.testing.server.kitchen import Kitchen, Request


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> dict:
        return json.loads(self.body)


async def get(running: Server, target: str = "", body: bytes = b"") -> Answer:
    """Ask on a connection of its own; raises what the connection raises."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(running.url).port)
    try:
        head = f"POST /{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return parsed(await reader.read(), time.monotonic() - began)
    finally:
        writer.close()


def parsed(raw: bytes, seconds: float = 0.0) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split(" ")[1]), headers, body, seconds)


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


async def until(condition) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came to that")


# -- answers -------------------------------------------------------------------------------------------------------


async def test_it_answers_as_providers_of_models_do() -> None:
    async with server() as running:
        answer = await get(running, "v1/chat/completions", json.dumps({"max_tokens": 30, "messages": []}).encode())
        assert answer.status == 200
        usage = answer.json["usage"]
        assert answer.json["choices"][0]["message"]["role"] == "assistant"
        assert usage["prompt_tokens"] == len(json.dumps({"max_tokens": 30, "messages": []})) // 4
        assert 10 <= usage["completion_tokens"] <= 30
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        seen = running.statistics()
    assert (seen.tokens_in, seen.tokens_out) == (usage["prompt_tokens"], usage["completion_tokens"])


async def test_the_address_can_say_how_many_tokens() -> None:
    async with server() as running:
        answer = await get(running, "x?tokens_in=7&tokens_out=9")
    assert answer.json["usage"] == {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}


def test_it_serves_ordinary_clients_from_plain_code() -> None:
    with server() as running, urllib.request.urlopen(running.url, timeout=5) as answer:
        assert json.loads(answer.read())["model"] == "misbehaving"


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with server(Phase(latency=0.001)) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(running.url).port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(int(parsed(head).headers["Content-Length"]))
        writer.close()


@pytest.mark.parametrize(("raw", "status"), [
    (b"nonsense\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
])  # fmt: skip
async def test_what_is_no_request_is_answered_so(raw: bytes, status: int) -> None:
    async with server() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(running.url).port)
        writer.write(raw)
        assert parsed(await reader.read()).status == status
        writer.close()
        assert running.statistics().requests == 0


# -- capacity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
async def test_more_than_it_serves_at_once_are_refused(status: int) -> None:
    async with server(Phase(parallel=3, when_full=status, latency=60)) as running:
        tasks = [asyncio.create_task(get(running)) for _ in range(10)]
        await until(lambda: sum(task.done() for task in tasks) == 7)
        seen = running.statistics()
        answers = [task.result() for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert statuses(answers) == [status] * 7
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    assert (seen.most_served, seen.most_at_once >= 3) == (3, True)
    assert seen.phases == [{"requests": 10, "answered": 0, "refused": 7}]


async def test_or_wait_for_their_turn() -> None:
    async with server(Phase(parallel=2, when_full="wait", latency=0.02)) as running:
        answers = await asyncio.gather(*(get(running) for _ in range(8)))
        seen = running.statistics()
    assert statuses(answers) == [200] * 8
    assert seen.most_served == 2
    assert max(answer.seconds for answer in answers) >= 0.08


@pytest.mark.slow
async def test_beyond_the_knee_everything_takes_longer() -> None:
    async with server(Phase(knee=2, latency=0.05)) as running:
        answers = await asyncio.gather(*(get(running) for _ in range(8)))
    assert max(answer.seconds for answer in answers) >= 0.2


async def test_who_leaves_makes_room() -> None:
    async with server(Phase(parallel=1, latency=60)) as running:
        task = asyncio.create_task(get(running))
        await until(lambda: running.statistics().at_once == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: running.statistics().at_once == 0)
        assert running.statistics().left == 1
        running.change(Phase(parallel=1))
        assert (await get(running)).status == 200


async def test_latencies_are_spread_as_said() -> None:
    orders = {"phases": [asdict(Phase())], "seed": 0, "repeat": False, "minute": 60.0, "slack": 0.05}
    kitchen, request = Kitchen(orders), Request("GET", "/", b"")
    request.decide({"latency": [0.2, 2.0], "knee": None}, Counter(), random.Random(3))
    drawn = sorted(kitchen.latency_of(request) for _ in range(5_000))
    assert drawn[2_500] == pytest.approx(0.2, rel=0.1)
    assert drawn[4_950] == pytest.approx(2.0, rel=0.2)


# -- rates ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("bound", [{"per_second": 5}, {"per_minute": 5}, {"tokens_per_minute": 50}])
async def test_what_is_over_a_rate_gets_429_and_is_told_when_to_come_back(bound: dict) -> None:
    async with server(Phase(**bound), minute=1) as running:
        answers = [await get(running, "x?tokens_in=4&tokens_out=6") for _ in range(8)]
        assert statuses(answers) == [200] * 5 + [429] * 3
        assert {answer.headers.get("Retry-After") for answer in answers[5:]} == {"1"}
        await asyncio.sleep(1.0)
        assert (await get(running, "x?tokens_in=4&tokens_out=6")).status == 200


async def test_a_request_that_never_fits_is_told_so_too() -> None:
    async with server(Phase(tokens_per_minute=10)) as running:
        answer = await get(running, "x?tokens_in=11")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "86400")


@pytest.mark.parametrize(("said", "header"), [("tomorrow", "tomorrow"), (-5, "-5"), (864000, "864000"), (None, None)])
async def test_retry_after_may_be_anything(said, header) -> None:
    async with server(Phase(per_minute=1, retry_after=said)) as running:
        await get(running)
        assert (await get(running)).headers.get("Retry-After") == header


async def test_retry_after_may_be_a_date() -> None:
    async with server(Phase(per_minute=1, retry_after="date")) as running:
        await get(running)
        answer = await get(running)
    until_then = email.utils.parsedate_to_datetime(answer.headers["Retry-After"]).timestamp() - time.time()
    assert 30 < until_then <= 61


@pytest.mark.slow
async def test_it_holds_a_client_to_never_over() -> None:
    async with server(minute=0.5) as running:
        for _ in range(4):
            await asyncio.gather(*(get(running, "x?tokens_in=5&tokens_out=5") for _ in range(3)))
        seen = running.statistics()
        assert 3 <= seen.most_at_once <= 12
        assert 3 <= seen.most_per_second <= 12
        await asyncio.sleep(0.5)
        running.reset()
        await get(running, "x?tokens_in=1&tokens_out=1")
        seen = running.statistics()
    assert (seen.requests, seen.most_per_minute, seen.most_tokens_per_minute) == (1, 1, 2)


# -- faults --------------------------------------------------------------------------------------------------------


async def broken(running: Server) -> str:
    """Say what a client sees of one request."""
    try:
        async with asyncio.timeout(1.5):
            answer = await get(running)
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "hang"
    except (ValueError, IndexError):
        return "garbage"
    if len(answer.body) < int(answer.headers["Content-Length"]):
        return "cut"
    try:
        answer.json
    except ValueError:
        return "nonsense"
    return "slow" if answer.seconds > 0.19 else str(answer.status)


@pytest.mark.parametrize("fault", [*(f for f in FAULTS if f != "hang"), "500", "418"])
async def test_each_fault_is_what_its_name_says(fault: str) -> None:
    async with server(Phase(faults={fault: 1}, latency=0.02)) as running:
        assert await broken(running) == fault
        seen = running.statistics()
    assert seen.faults == {fault: 1}
    assert seen.answered == (fault == "slow")
    assert seen.at_once == 0


@pytest.mark.slow
async def test_a_hang_never_answers_and_takes_a_place() -> None:
    async with server(Phase(faults={"hang": 1}, parallel=1)) as running:
        hanging = asyncio.create_task(broken(running))
        await until(lambda: running.statistics().faults)
        assert (await get(running)).status == 429
        assert await hanging == "hang"
        await until(lambda: running.statistics().at_once == 0)


async def test_luck_is_seeded_by_address_and_attempt() -> None:
    async def run(order: list[str]) -> dict[str, list[int]]:
        async with server(Phase(faults={"500": 0.5}, latency=0), seed=7) as running:
            found: dict[str, list[int]] = {target: [] for target in order}
            for target in order * 3:
                found[target].append((await get(running, target)).status)
            return found

    names = [f"page{n}" for n in range(8)]
    first = await run(names)
    assert first == await run(names[::-1])
    assert {status for seen in first.values() for status in seen} == {200, 500}


# -- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_phases_follow_each_other_from_the_first_request_on() -> None:
    async with server(Phase(seconds=0.5), Phase(faults={"500": 1})) as running:
        await asyncio.sleep(0.6)
        assert running.statistics().phase is None
        assert (await get(running)).status == 200
        await asyncio.sleep(0.6)
        assert (await get(running)).status == 500
        assert running.statistics().phase == 1


@pytest.mark.slow
async def test_phases_may_come_again() -> None:
    async with server(Phase(seconds=0.2), Phase(seconds=0.2, faults={"500": 1}), repeat=True) as running:
        await get(running)
        seen = set()
        for _ in range(100):
            seen.add((running.statistics().phase, (await get(running)).status))
            await asyncio.sleep(0.01)
        assert {(0, 200), (1, 500)} <= seen


async def test_it_changes_its_mind_when_told() -> None:
    async with server() as running:
        assert (await get(running)).status == 200
        running.change(Phase(faults={"503": 1}))
        assert (await get(running)).status == 503


async def test_who_waits_is_served_when_there_is_more_room() -> None:
    async with server(Phase(parallel=1, when_full="wait", latency=60)) as running:
        tasks = [asyncio.create_task(get(running)) for _ in range(3)]
        await until(lambda: running.statistics().waiting == 2)
        running.change(Phase(parallel=3, latency=0))
        done, pending = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert done
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


# -- its life ------------------------------------------------------------------------------------------------------


async def test_it_is_there_quickly_and_gone_afterwards() -> None:
    began = time.monotonic()
    async with server() as running:
        assert time.monotonic() - began < 3
        await get(running)
    assert running.statistics().requests == 1
    with pytest.raises(ConnectionError):
        await get(running)
    with pytest.raises(RuntimeError, match="enter it with"):
        running.change(Phase())
    with pytest.raises(RuntimeError, match="started before"):
        await running.__aenter__()


async def test_one_that_dies_says_so() -> None:
    async with server() as running:
        assert running.pid
        os.kill(running.pid, 9)
        with pytest.raises(RuntimeError, match="has ended with exit code -9"):
            running.statistics()


@pytest.mark.slow
def test_it_goes_with_its_parent(environment: dict[str, str]) -> None:
    program = (
        "import os, signal\nfrom linecook.testing.server import server\n"
        "running = server().__enter__()\nprint(running.url, running.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    pid = int(out.stdout.split()[1])
    for _ in range(300):
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.01)
    pytest.fail("it outlived its parent")


@pytest.mark.parametrize(("wrong", "complaint"), [
    ({"parallel": 0}, "parallel of a Phase must be above 0"),
    ({"seconds": -1}, "seconds of a Phase must be above 0"),
    ({"latency": -1}, "latency=-1 of a Phase"),
    ({"latency": (2, 1)}, "median and 99th percentile"),
    ({"when_full": 200}, "there are 429, 503 and 'wait'"),
    ({"faults": {"boom": 0.1}}, "no fault is called 'boom'"),
    ({"faults": {"reset": 0.6, "hang": 0.6}}, "together at most 1"),
])  # fmt: skip
def test_a_phase_that_makes_no_sense_is_refused(wrong: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Phase(**wrong)


def test_a_script_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="never ends, so what comes after it never begins"):
        server(Phase(), Phase())
    with pytest.raises(ValueError, match="never ends"):
        server(Phase(), repeat=True)
    with pytest.raises(ValueError, match="minute of a server"):
        server(minute=0)
    with pytest.raises(ValueError, match="slack of a server"):
        server(slack=1)
