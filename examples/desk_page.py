"""The desk's page: a small HTTP server on the crew's own loop. Each visitor is an agent, and holds up nobody.

    GET /?token=...         the page: `desk_site`
    GET /events?token=...   what the desk finds, as Server-Sent Events: `finding`, each with an id; `progress`; `end`

A page that doesn't read falls behind the news, and is cut off when it is a whole log behind. Its browser comes back by
itself, says the id of the last finding it has seen, and gets the rest from the ledger: nothing is missed.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
import socket
from collections.abc import AsyncIterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from desk_ledger import Progress
from desk_talk import Desk, News

from linecook import agent, fail_after, first, merge, team
from linecook.errors import TimedOutError, TooSlow

__all__ = ["Door", "page"]

MOST_VISITORS = 100
_HEAD = 5.0  # seconds in which a request must have come
_STALLED = 30.0  # seconds for which a page may take nothing
_SITE = {"/": "index.html", "/style.css": "style.css", "/script.js": "script.js"}
_KINDS = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_SAFETY = (  # the token is in the address, so that must not travel; and nothing on the page comes from elsewhere
    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
)


class Door:
    """A socket on loopback, and the token without which nobody gets in.

    Args:
      port: 0 for any that is free.

    Raises:
      OSError: the port is taken.
    """

    def __init__(self, port: int) -> None:
        try:
            self.socket = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise OSError(
                f"--serve {port}: {os.strerror(error.errno or 0)}; take another port, or none for any that is free"
            ) from None
        self.port: int = self.socket.getsockname()[1]
        self.token = secrets.token_urlsafe(16)

    def close(self) -> None:
        """Let nobody in any more."""
        self.socket.close()

    @property
    def address(self) -> str:
        """What to open in the browser."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def refusal(self, path: str, token: str, headers: dict[str, str]) -> str:
        """Return why a visitor isn't let in, empty if he is: other sites must not read this one through a browser."""
        hosts = (f"127.0.0.1:{self.port}", f"localhost:{self.port}")
        if headers.get("host") not in hosts:
            return f"403 This is {hosts[0]}, and you asked for {headers.get('host')!r}"
        if headers.get("origin") not in (None, *(f"http://{host}" for host in hosts)):
            return "403 Another site has asked for this"
        if path in ("/", "/events") and not hmac.compare_digest(token.encode(), self.token.encode()):
            return "403 Open the address that the desk has printed: it ends in a token"
        return "" if path in (*_SITE, "/events") else "404 There is no such page"


@agent
async def page(desk: Desk, door: Door) -> None:
    """Serve visitors until it is stopped. One that fails is nobody else's affair."""
    async with team(name="visitors", grace=0) as visitors:

        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if visitors.statistics()["agents"] < MOST_VISITORS:
                visitors.start(visit(desk, door, reader, writer), restart="temporary")
            else:
                writer.write(_text("503 Too many pages are open"))
                writer.close()

        server = await asyncio.start_server(welcome, sock=door.socket.dup())
        try:
            await asyncio.get_running_loop().create_future()  # for as long as it may
        finally:
            server.close()


@agent
async def visit(desk: Desk, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request on one connection."""
    try:
        with fail_after(_HEAD):
            method, target, headers = _parse(await reader.readuntil(b"\r\n\r\n"))
        address = urlsplit(target)
        token = parse_qs(address.query).get("token", [""])[0]
        if refusal := door.refusal(address.path, token, headers):
            writer.write(_text(refusal))
        elif method != "GET":
            writer.write(_text("405 Only GET is answered", "Allow: GET\r\n"))
        elif address.path != "/events":
            writer.write(_file(_SITE[address.path]))
        else:
            last = headers.get("last-event-id", "")
            # Whichever comes first: the end of the news, or that of the visitor's patience.
            await first(tell(desk, writer, int(last) if last.isdecimal() else 0), wait_gone(reader))
        with fail_after(_STALLED):
            await writer.drain()
        writer.close()
    except (OSError, ValueError, EOFError, TimedOutError, asyncio.LimitOverrunError):
        writer.transport.abort()  # it has left, speaks no HTTP, or takes nothing
    except BaseException:
        writer.transport.abort()  # else what it doesn't take would keep the connection
        raise


@agent
async def wait_gone(reader: asyncio.StreamReader) -> None:
    """Wait until the visitor closes the connection."""
    with suppress(OSError):
        while await reader.read(1024):
            pass


@agent
async def tell(desk: Desk, writer: asyncio.StreamWriter, seen: int) -> None:
    """Tell the visitor what was found after number *seen*, then what is being found, and how far the desk is."""
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{_SAFETY}Connection: close\r\n\r\n".encode())
    try:
        if desk.ledger.progress.peek().is_over:
            await _catch_up(desk, writer, seen)
        else:
            async with desk.news.subscribe(when_slow="disconnect") as news:
                seen = await _catch_up(desk, writer, seen)  # what comes meanwhile, the subscription keeps
                streams: dict[str, AsyncIterable[News | Progress]] = {"news": news, "progress": desk.ledger.follow()}
                async with merge(streams) as pieces:
                    async for _, piece in pieces:
                        if isinstance(piece, Progress):
                            await _send(writer, "progress", asdict(piece))
                        elif piece.number > seen:
                            await _send(writer, "finding", asdict(piece.finding), piece.number)
        await _send(writer, "end", asdict(desk.ledger.progress.peek()))
    except (OSError, TimedOutError, TooSlow):
        writer.transport.abort()  # its browser will come back for the rest


async def _catch_up(desk: Desk, writer: asyncio.StreamWriter, seen: int) -> int:
    """Send what the ledger has after number *seen*; return the number of the last."""
    found = desk.ledger.findings.snapshot()
    for finding, number in found.items():
        if number > seen:
            await _send(writer, "finding", asdict(finding), number)
    return max(seen, len(found))


async def _send(writer: asyncio.StreamWriter, event: str, data: object, number: int = 0) -> None:
    mark = f"id: {number}\n" if number else ""
    writer.write(f"{mark}event: {event}\ndata: {json.dumps(data)}\n\n".encode())
    with fail_after(_STALLED):
        await writer.drain()  # a page that reads slowly is waited for here, and by nobody else


def _parse(head: bytes) -> tuple[str, str, dict[str, str]]:
    request, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = request.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _text(status: str, extra: str = "") -> bytes:
    return _answer(status, "text/plain; charset=utf-8", f"{status[4:]}.\n".encode(), extra)


def _file(name: str) -> bytes:
    return _answer("200 OK", _KINDS[name.partition(".")[2]], (Path(__file__).parent / "desk_site" / name).read_bytes())


def _answer(status: str, kind: str, body: bytes, extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{_SAFETY}{extra}"
    return f"{head}Connection: close\r\n\r\n".encode() + body
