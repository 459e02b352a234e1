"""The desk's page, by a plain socket client: who gets in, and that no visitor holds anybody up or misses anything."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import desk_page
import pytest
from desk_page import Door, page
from desk_plan import Plan
from desk_rules import Finding
from desk_talk import Desk, News

from linecook import Topic, fail_after, team


def a_desk(keep: int = 1000) -> Desk:
    return Desk("", Plan({}, 0, 0), lambda _: None, lambda _: None, news=Topic[News]("news", keep=keep))


def finding(number: int, text: str = "text") -> Finding:
    return Finding("shop", f"shop/{number}.py", number, "dropped-task", text)


async def publish(desk: Desk, *found: Finding) -> None:
    """What the editor does with a finding; nobody may keep it waiting."""
    with fail_after(5):
        for each in found:
            number = desk.ledger.enter(each)
            assert number is not None
            await desk.news.publish(News(number, each))


def end(desk: Desk) -> None:
    desk.ledger.progress.update(lambda now: replace(now, is_over=True))
    desk.news.close()


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[Door]:
    door = Door(0)
    try:
        async with team() as people:
            showing = people.start(page(desk, door))
            yield door
            await showing.stop(grace=0)
    finally:
        door.close()


class Visitor:
    """A browser that does as it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._kept = b""

    async def __aenter__(self) -> Visitor:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        await asyncio.sleep(0)

    async def until(self, mark: bytes) -> str:
        """What comes next, up to *mark*; reads no more than it must."""
        async with asyncio.timeout(20):
            while mark not in self._kept:
                more = await self.reader.read(65536)
                if not more:
                    raise EOFError
                self._kept += more
        told, _, self._kept = self._kept.partition(mark)
        return told.decode()

    async def event(self) -> tuple[str, dict[str, object], int]:
        """The next event: its name, what it says, and its id, or 0."""
        fields = dict(line.split(": ", 1) for line in (await self.until(b"\n\n")).splitlines())
        return fields["event"], json.loads(fields["data"]), int(fields.get("id", "0"))

    async def findings(self, count: int = 0) -> list[int]:
        """The numbers of the findings that come: *count* of them, or until the end or the connection's."""
        found: list[int] = []
        try:
            while not count or len(found) < count:
                name, data, number = await self.event()
                if name == "end":
                    break
                if name == "finding":
                    assert data["line"] == number
                    found.append(number)
        except (EOFError, ConnectionError):
            pass
        return found


async def visitor(door: Door, target: str, *, host: str = "", buffer: int = 0, **headers: str) -> Visitor:
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", door.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=buffer or 2**16)
    lines = {
        "Host": host or f"127.0.0.1:{door.port}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"GET {target.replace('TOKEN', door.token)} HTTP/1.1\r\n{head}\r\n".encode())
    return Visitor(reader, writer)


async def listener(door: Door, **headers: str) -> Visitor:
    """Somebody to whom the news are told."""
    one = await visitor(door, "/events?token=TOKEN", **headers)
    head = await one.until(b"\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    return one


async def answer(door: Door, target: str, **headers: str) -> str:
    async with await visitor(door, target, **headers) as one, asyncio.timeout(20):
        return (await one.reader.read()).decode()


async def test_the_page_and_what_it_needs_are_served_and_come_from_nowhere_else() -> None:
    async with served(a_desk()) as door:
        html, css, script = [await answer(door, target) for target in ("/?token=TOKEN", "/style.css", "/script.js")]
    assert "<h1>The desk</h1>" in html
    assert 'href="style.css"' in html
    assert 'src="script.js"' in html
    assert "prefers-color-scheme: dark" in css
    assert "innerHTML" not in script
    for each in (html, css, script):
        assert each.startswith("HTTP/1.1 200 OK")
        assert "default-src 'none'" in each
        assert "://" not in each


@pytest.mark.parametrize(
    ("target", "headers", "status", "words"),
    [
        ("/", {}, 403, "ends in a token"),
        ("/events?token=guess", {}, 403, "ends in a token"),
        ("/events?token=%C3%A9", {}, 403, "ends in a token"),
        ("/?token=TOKEN", {"host": "evil.example"}, 403, "you asked for 'evil.example'"),
        ("/events?token=TOKEN", {"Origin": "http://evil.example"}, 403, "Another site"),
        ("/../desk.py?token=TOKEN", {}, 404, "no such page"),
    ],
)
async def test_nobody_gets_in(target: str, headers: dict[str, str], status: int, words: str) -> None:
    async with served(a_desk()) as door:
        told = await answer(door, target, **headers)
    assert told.startswith(f"HTTP/1.1 {status} ")
    assert words in told


@pytest.mark.parametrize(
    "rubbish", [b"\r\n\r\n", b"\xff" * 200_000, b"GET\r\n\r\n", b"GET http://[ x\r\n\r\n", b"GET / HT"]
)
async def test_rubbish_ends_its_own_connection_only(rubbish: bytes) -> None:
    async with served(a_desk()) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(rubbish)
        if b"\r\n\r\n" not in rubbish and len(rubbish) < 100:
            writer.write_eof()  # it says no more
        try:
            async with asyncio.timeout(20):
                assert await reader.read() == b""
        except ConnectionError:
            pass
        writer.transport.abort()
        assert "200 OK" in await answer(door, "/?token=TOKEN")


async def test_a_visitor_hears_what_was_found_then_what_is_found_then_the_end() -> None:
    desk = a_desk()
    await publish(desk, finding(1), finding(2))
    async with served(desk) as door, await listener(door) as one:
        assert await one.findings(2) == [1, 2]
        await publish(desk, finding(3, "<b>told as it is</b>\n"))
        name, data, number = await one.event()
        while name == "progress":
            name, data, number = await one.event()
        assert (name, data["text"], number) == ("finding", "<b>told as it is</b>\n", 3)
        end(desk)
        assert await one.findings() == []
        assert await one.reader.read() == b""


async def test_who_comes_when_all_is_over_hears_all_of_it() -> None:
    desk = a_desk()
    await publish(desk, finding(1), finding(2))
    end(desk)
    async with served(desk) as door, await listener(door) as one:
        assert [await one.event() for _ in range(3)][-1][0] == "end"


async def test_who_comes_back_hears_the_rest() -> None:
    desk = a_desk()
    await publish(desk, *map(finding, range(1, 6)))
    async with served(desk) as door:
        async with await listener(door, Last_Event_ID="3") as one:
            assert await one.findings(2) == [4, 5]
            await publish(desk, finding(6))
            assert await one.findings(1) == [6]
        for odd in ("-1", "three", "9" * 30, "²"):
            async with await listener(door, Last_Event_ID=odd) as one:
                assert (await one.event())[0] in ("finding", "progress")


@pytest.mark.slow
async def test_a_page_that_does_not_read_holds_nobody_up_and_misses_nothing_when_it_comes_back() -> None:
    desk, large = a_desk(keep=10), "x" * 50_000
    async with served(desk) as door:
        async with await visitor(door, "/events?token=TOKEN", buffer=4096) as idle, await listener(door) as lively:
            while desk.news.statistics()["subscribers"] < 2:
                await asyncio.sleep(0.001)
            for number in range(1, 201):  # 10 MB: more than the sockets between us take
                await publish(desk, finding(number, large))
                assert await lively.findings(1) == [number]
            assert desk.news.statistics()["subscribers"] == 2
            await idle.until(b"\r\n\r\n")  # it wakes up, and reads what there is
            before = await idle.findings()
        assert before == list(range(1, len(before) + 1))
        assert 0 < len(before) < 200
        async with await listener(door, Last_Event_ID=str(before[-1])) as again:
            assert before + await again.findings(200 - len(before)) == list(range(1, 201))


async def test_a_page_that_leaves_ends_its_subscription() -> None:
    desk = a_desk()
    async with served(desk) as door:
        async with await listener(door), await listener(door):
            while desk.news.statistics()["subscribers"] < 2:
                await asyncio.sleep(0.001)
        async with asyncio.timeout(20):
            while desk.news.statistics()["subscribers"]:
                await asyncio.sleep(0.001)


async def test_one_visitor_too_many_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_page, "MOST_VISITORS", 1)
    async with served(a_desk()) as door, await listener(door):
        assert (await answer(door, "/?token=TOKEN")).startswith("HTTP/1.1 503 Too many pages are open")


async def test_a_page_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_page, "_STALLED", 0.05)
    desk = a_desk()
    await publish(desk, *(finding(number, "x" * 50_000) for number in range(1, 201)))
    async with served(desk) as door, await visitor(door, "/events?token=TOKEN", buffer=4096):
        async with asyncio.timeout(20):
            while not desk.news.statistics()["subscribers"]:
                await asyncio.sleep(0.001)
            while desk.news.statistics()["subscribers"]:
                await asyncio.sleep(0.001)


async def test_to_stop_the_page_waits_for_no_visitor() -> None:
    desk = a_desk()
    await publish(desk, *(finding(number, "x" * 50_000) for number in range(1, 201)))
    async with asyncio.timeout(20):
        async with served(desk) as door:
            idle = await visitor(door, "/events?token=TOKEN", buffer=4096)
            while not desk.news.statistics()["subscribers"]:
                await asyncio.sleep(0.001)
    assert desk.news.statistics()["subscribers"] == 0
    idle.writer.transport.abort()


def test_a_port_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    door = Door(0)
    try:
        with pytest.raises(OSError, match=rf"--serve {door.port}: Address already in use; take another port"):
            Door(door.port)
    finally:
        door.close()
