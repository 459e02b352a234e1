"""Agents that stream to people: the recipe of docs/how-to/stream-to-people.md, by a real uvicorn to real clients."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.places.test_fastapi import Server

pytestmark = pytest.mark.slow

APP = "tests.places.streaming:app"
PARTS = ("soup", "fish", "cake", "wine")  # as there; it is imported by the server alone, whose log it writes


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(request.param, tmp_path_factory.mktemp("streaming"), APP)
    yield server
    server.stop()


def someone(name: str) -> str:
    return f"{name}-{time.monotonic_ns()}"


async def events(client: httpx.AsyncClient, path: str) -> list[tuple[str, object]]:
    """Every event of the stream at *path*: its name and what it says."""
    found: list[tuple[str, object]] = []
    async with client.stream("GET", path) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in reply.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    return found


def read(reply: httpx.Response, count: int) -> list[object]:
    """What the next *count* events say, and no more; the connection is closed on return."""
    return read_on(reply.iter_lines(), count)


def read_on(lines: Iterator[str], count: int) -> list[object]:
    """The same, of a connection that stays open for as long as *lines* is kept."""
    found: list[object] = []
    while len(found) < count:
        if (line := next(lines)).startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
    return found


def wait_until_running(server: Server, count: int) -> None:
    """Wait until so many tools are in threads: one that follows short ones may be in line for some milliseconds."""
    deadline = time.monotonic() + 10
    while (running := httpx.get(f"{server.url}/alive", timeout=20).json()["running"]) < count:
        assert time.monotonic() < deadline, f"{running} tools are in threads, and not {count}"
        time.sleep(0.01)


async def wait_until_nobody_is_alive(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            left = (await client.get("/alive")).json()
            if left == {"agents": [], "running": 0, "abandoned": 0, "resisting": 0}:
                return
            await asyncio.sleep(0.05)
    raise AssertionError(left)


async def test_all_pieces_come_each_agents_in_order(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        found = await events(client, f"/ask/{someone('ann')}?count=5")
    assert found[-1] == ("end", None)
    for part in PARTS:
        assert [piece for name, piece in found if name == part] == [f"{part.upper()} {number}" for number in range(5)]


def test_a_piece_comes_as_soon_as_it_is_made(server: Server) -> None:
    with httpx.stream("GET", f"{server.url}/ask/{someone('bob')}?count=2&wait=60", timeout=20) as reply:
        lines = reply.iter_lines()
        first = [next(lines) for _ in range(3 * len(PARTS))]  # the next one would come in a minute
    assert sorted(first)[len(PARTS) : 2 * len(PARTS)] == sorted(f'data: "{part.upper()} 0"' for part in PARTS)


def test_a_client_that_leaves_ends_all_its_agents(server: Server) -> None:
    who = someone("cleo")
    with httpx.stream("GET", f"{server.url}/ask/{who}?count=100000&wait=0.01", timeout=20) as reply:
        next(reply.iter_lines())
    for part in PARTS:
        server.noted(f"{who} {part} ended")


def test_a_client_that_leaves_while_its_agents_are_in_thread_tools_waits_for_none_of_them(server: Server) -> None:
    who = someone("gil")
    with httpx.stream("GET", f"{server.url}/ask/{who}?count=3&block=4", timeout=20) as reply:
        lines = reply.iter_lines()
        read_on(lines, len(PARTS))
        wait_until_running(server, len(PARTS))  # now all four are in a tool that takes four seconds
    for part in PARTS:
        server.noted(f"{who} {part} ended")
    assert f"for {who} looked up" not in server.log.read_text()
    for part in PARTS:  # given up, not ended: nothing can end a thread
        server.noted(f"{part} 1 for {who} looked up")
    asyncio.run(wait_until_nobody_is_alive(server))


def test_a_client_that_leaves_a_long_lived_agent_costs_the_next_one_no_more_than_the_tool_it_is_in(
    server: Server,
) -> None:
    who, after = someone("hal"), someone("ida")
    with httpx.stream("GET", f"{server.url}/lesson/{who}?count=1000&block=0.2", timeout=20) as reply:
        read(reply, 1)
    with httpx.stream("GET", f"{server.url}/lesson/{after}?count=2", timeout=20) as reply:
        assert read(reply, 3) == [
            f"LESSON 0 FOR {after.upper()}",
            f"LESSON 1 FOR {after.upper()}",
            None,
        ]
    assert int(server.noted(f"{who} does not listen to").split()[-1]) < 1000


async def test_a_client_that_does_not_read_slows_its_agents_and_no_others(server: Server) -> None:
    who = someone("dan")
    url = urlsplit(server.url)
    with socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect((url.hostname, url.port))
        idle.sendall(f"GET /ask/{who}?count=1000000&wait=-1 HTTP/1.1\r\nHost: kitchen\r\n\r\n".encode())
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            memory_mb = (await client.get("/memory")).json()
            before, now = -1, 0
            deadline = time.monotonic() + 20
            while now == 0 or now != before:  # until the buffers in between are full
                assert time.monotonic() < deadline
                await asyncio.sleep(0.3)
                before, now = now, (await client.get(f"/made/{who}")).json()
            assert now < 10_000  # of four million
            await asyncio.sleep(0.5)  # and it stays so
            assert (await client.get(f"/made/{who}")).json() == now
            assert (await client.get("/memory")).json() < memory_mb + 50
            assert (await events(client, f"/ask/{someone('eve')}"))[-1] == ("end", None)
    for part in PARTS:
        server.noted(f"{who} {part} ended")


async def test_a_failure_is_told_after_the_pieces_before_it(server: Server) -> None:
    who = someone("spilt")
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        found = await events(client, f"/ask/{who}?count=2")
    assert found[-2:] == [("failed", "spilt"), ("end", None)]
    assert [piece for name, piece in found if name == "wine"] == ["WINE 0", "WINE 1"]


async def test_many_people_at_once_get_all_their_pieces_and_leave_nothing_behind(server: Server) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.url, timeout=30, limits=limits) as client:
        found = await asyncio.gather(*(events(client, f"/ask/{someone('many')}") for _ in range(40)))
    assert [len(each) for each in found] == [3 * len(PARTS) + 1] * 40
    await wait_until_nobody_is_alive(server)


# -- a browser -----------------------------------------------------------------------------------------------------

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_a_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium here (Debian: apt install chromium)"
)


@contextmanager
def browser(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A browser that shows *url* and calls nobody else; gone when the block ends."""
    assert CHROMIUM is not None
    quiet = ("background-networking", "component-update", "sync", "gpu", "quic", "default-apps", "dev-shm-usage")
    with (folder / "browser").open("wb") as log, subprocess.Popen(
        [CHROMIUM, "--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in quiet),
         f"--user-data-dir={folder / 'profile'}", url],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            leave(process)


def leave(process: subprocess.Popen[bytes]) -> None:
    """End the browser, with all its processes, as a crash would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@needs_a_browser
def test_a_browser_reads_every_piece_in_order_and_connects_once(server: Server, tmp_path: Path) -> None:
    who = someone("jon")
    with browser(tmp_path, f"{server.url}/page/{who}?count=20"):
        seen = json.loads(server.noted(f"{who} has seen", patience=40).partition("has seen ")[2])
    assert seen == {part: [f"{part.upper()} {number}" for number in range(20)] for part in PARTS}
    assert server.log.read_text().count(f"{who} soup ended") == 1


@needs_a_browser
def test_a_browser_that_goes_to_another_page_ends_its_agents(server: Server, tmp_path: Path) -> None:
    who = someone("kim")
    with browser(tmp_path, f"{server.url}/page/{who}?count=100000&wait=0.01#leave"):
        for part in PARTS:
            server.noted(f"{who} {part} ended", patience=40)


@needs_a_browser
def test_a_browser_that_is_killed_ends_its_agents_in_the_middle_of_thread_tools(server: Server, tmp_path: Path) -> None:
    who = someone("lea")
    with browser(tmp_path, f"{server.url}/page/{who}?count=3&block=4#stay") as process:
        server.noted(f'{who} has seen "reading"', patience=40)
        leave(process)
    for part in PARTS:
        server.noted(f"{who} {part} ended")
    assert f"for {who} looked up" not in server.log.read_text()


# -- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("how", ["count=100000&wait=0.01", "count=3&block=20"], ids=["between pieces", "in a thread"])
def test_a_server_that_shuts_down_ends_the_agents_of_open_streams(
    loop: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", "1")  # uvicorn's own option, as a variable
    server = Server(loop, tmp_path, APP)
    with httpx.stream("GET", f"{server.url}/ask/fay?{how}", timeout=20) as reply:
        read(reply, len(PARTS))
        took = server.stop()
    assert took < 15
    lines = server.log.read_text().splitlines()
    assert sorted(lines[:-1]) == sorted(f"fay {part} ended" for part in PARTS)
    assert lines[-1] == "runtime closed, 0 agents alive"
