"""linecook in a web app: FastAPI's lifespan opens the runtime, a real uvicorn serves, clients come and go."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.blocks import ROOT, pages, programs
from tests.conftest import SRC

pytestmark = pytest.mark.slow


class Server:
    """uvicorn in a process of its own, serving ``kitchen.py``."""

    def __init__(self, loop: str, folder: Path, app: str = "tests.places.kitchen:app", cwd: Path = ROOT) -> None:
        self.log = folder / "log"
        self.log.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", app, "--port", "0", "--loop", loop, "--no-access-log"],
            cwd=cwd, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": f"{SRC}{os.pathsep}{cwd}", "KITCHEN_LOG": str(self.log)},
        )  # fmt: skip
        self.said = ""
        self.url = self._wait_for_url()

    def _wait_for_url(self) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"running on (http://\S+)", line):
                return found[1]
        raise AssertionError(f"uvicorn did not start:\n{self.said}")

    def noted(self, line: str, patience: float = 10.0) -> str:
        """The first line of the log that holds *line*; waits for it."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if found := [each for each in self.log.read_text().splitlines() if line in each]:
                return found[0]
            time.sleep(0.01)
        raise AssertionError(f"{line!r} was never noted; the log says\n{self.log.read_text()}")

    def stop(self) -> float:
        """Ask it to end, as a service manager would; return the seconds that took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.said += self.process.communicate(timeout=25)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return time.monotonic() - began


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(request.param, tmp_path_factory.mktemp("kitchen"))
    yield server
    server.stop()


async def get(server: Server, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        return await client.get(path)


async def test_handlers_find_the_runtime_of_the_lifespan(server: Server) -> None:
    reply = await get(server, "/city/Lyon")
    assert reply.json() == {"text": "Lyon: 21", "loud": "LYON", "letters": 8}
    statistics = (await get(server, "/statistics")).json()
    assert statistics["thread"]["max_threads"] == 200
    assert "process" in statistics


async def test_many_requests_at_once_share_one_client(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        replies = await asyncio.gather(*(client.get(f"/city/{number}") for number in range(60)))
    assert [reply.json()["text"] for reply in replies] == [f"{number}: 21" for number in range(60)]
    assert server.log.read_text().count("client opened") == 1


async def test_a_request_gets_what_succeeded_and_what_did_not(server: Server) -> None:
    assert (await get(server, "/settled")).json() == {"ok": 1, "failed": 1, "timed_out": 1, "cancelled": 0}


async def test_a_hung_tool_answers_504_and_costs_the_others_nothing(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        replies = await asyncio.gather(*(client.get("/hang") for _ in range(12)), client.get("/city/Rome"))
    assert [reply.status_code for reply in replies] == [504] * 12 + [200]
    assert "timeout=0.1 s" in replies[0].json()["detail"]


@pytest.mark.parametrize("path", ["stream", "block"])
def test_a_client_that_leaves_a_stream_ends_the_agent_and_its_clean_up_is_left_in_peace(
    server: Server, path: str
) -> None:
    name = f"{path}-{time.monotonic_ns()}"
    with httpx.stream("GET", f"{server.url}/{path}/{name}", timeout=20) as reply:
        pieces = reply.iter_lines()
        assert [next(pieces) for _ in range(3)] == [f"data: 0 {name}: 21", "", f"data: 1 {name}: 21"]
    # The scope that Starlette cancels asks on every turn of the loop: thousands of times in this clean-up of 0.2 s.
    assert int(server.noted(f"{name} told").split()[-2]) <= 3


def test_a_client_that_leaves_cancels_the_fan_out_that_answers_it(server: Server) -> None:
    name = f"menu-{time.monotonic_ns()}"
    with httpx.stream("GET", f"{server.url}/fanned/{name}", timeout=20) as reply:
        assert next(reply.iter_lines()) == "begun"
        server.noted(f"{name} salad begun")
    for dish in ("soup", "salad"):
        assert int(server.noted(f"{name} {dish} told").split()[-2]) <= 3


async def test_a_handler_answers_through_a_pipeline_in_the_runtime_of_the_lifespan(server: Server) -> None:
    replies = await asyncio.gather(*(get(server, "/menu?cities=Rome,Lyon,Oslo") for _ in range(8)))
    assert [reply.json() for reply in replies] == [["8", "8", "8"]] * 8


def test_a_client_that_leaves_a_streamed_pipeline_closes_all_of_it(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=20) as client, client.stream("GET", "/orders") as reply:
        assert next(reply.iter_lines()) == "data: 0"
    server.noted("orders closed")


async def test_nothing_is_left_when_the_clients_are_gone(server: Server) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        statistics = (await get(server, "/statistics")).json()
        held = (
            statistics["thread"]["running"],
            statistics["thread"]["waiting"],
            statistics["fanouts"],
            statistics["resisting"],
        )
        if held == (0, 0, 0, 0):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(statistics)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_background_work_is_drained_and_resources_are_closed_when_the_server_stops(loop: str, tmp_path: Path) -> None:
    server = Server(loop, tmp_path)
    try:
        assert httpx.get(f"{server.url}/city/Lyon", timeout=20).status_code == 200
        assert httpx.post(f"{server.url}/remember/tea").json() == {"status": "accepted"}
    finally:
        server.stop()
    assert server.log.read_text().splitlines() == [
        "client opened",
        "remembered tea: 21",
        "client closed",
        "runtime closed",
    ]
    assert server.process.returncode in (0, -signal.SIGTERM)  # uvicorn ends itself by the signal that it was given
    assert "Traceback" not in server.said, server.said


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_server_with_hung_tools_stops_promptly(loop: str, tmp_path: Path) -> None:
    server = Server(loop, tmp_path)
    try:
        for _ in range(3):
            assert httpx.get(f"{server.url}/hang", timeout=20).status_code == 504
    finally:
        took = server.stop()
    assert took < 5
    assert "Traceback" not in server.said, server.said


def test_background_work_without_an_end_is_given_up_after_drain(tmp_path: Path) -> None:
    server = Server("asyncio", tmp_path)
    try:
        assert httpx.post(f"{server.url}/remember-for-ever/tea").json() == {"status": "accepted"}
    finally:
        took = server.stop()
    assert took < 15
    assert server.log.read_text().splitlines() == ["gave up tea", "runtime closed"]


async def test_the_chat_backend_of_the_page_serves_five_and_tells_the_others_to_come_back(tmp_path: Path) -> None:
    """docs/how-to/provider-limits.md, as a newcomer runs it: saved as chat.py, served by uvicorn."""
    (page,) = [page for page in pages() if page.name == "provider-limits.md"]
    (recipe,) = [program.source for program in programs([page]) if "FastAPI" in program.source]
    (tmp_path / "chat.py").write_text(recipe)
    server = Server("asyncio", tmp_path, "chat:app", tmp_path)
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as visitor:

            async def knock(guest: int) -> httpx.Response:
                return await visitor.get("/chat", params={"user": f"guest {guest}", "question": "tea?"})

            answers = await asyncio.gather(*(knock(guest) for guest in range(20)))
            turned_away = [answer for answer in answers if answer.status_code == 503]
            assert {answer.headers["Retry-After"] for answer in turned_away} == {"1"}
            served = [answer.json() for answer in answers if answer.status_code == 200]
            assert served == [{"answer": "TEA?"}] * len(served)
            assert len(served) + len(turned_away) == 20
            assert 5 <= len(served) < 20
            assert (await knock(99)).status_code == 200  # when it is quiet again there is room
    finally:
        server.stop()
