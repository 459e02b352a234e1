"""A source server for the desk: real Python files over HTTP on loopback, with the bad luck of a real network.

    python examples/source_server.py [FOLDER ...]

Prints its port as the first line, and serves until its standard input ends (its parent is gone) or SIGTERM arrives.

    GET /index        JSON: {"roots": [...], "left_out": {reason: count}, "files": [an `Entry` each]}
    GET /file/<id>    the bytes of one file

Every answer to `/file/` takes 30 to 150 ms. 1 % of the requests are never answered, 2 % get ``429`` with
``Retry-After``, 1 % a connection reset. Which ones is decided by the path and by how often this crew (header
``X-Crew``) has asked for it: the same on every run, and a later attempt can succeed. `/index` is exempt.

One asyncio process: a request that is never answered costs a socket, not a thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from desk_rules import digest_of, traps

__all__ = ["Entry", "Luck", "index", "luck", "main", "serve"]

LATENCY = (0.030, 0.150)
HANG, BUSY, RESET = 0.01, 0.02, 0.01
PLANTED = {"planted/crash.py": traps.CRASH, "planted/endless.py": traps.LOOP}
_SKIP = {"site-packages", "dist-packages", "__pycache__", "node_modules", "lib2to3"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the index.

    Attributes:
      id: position in the index, and the last part of its address.
      file: path relative to its root.
      module: dotted name, as imports within its package use it.
      digest: of the bytes, so that a crew can be held to what it read.
      is_async: the text holds an ``async def``.
    """

    id: int
    package: str
    file: str
    module: str
    size: int
    digest: str
    is_async: bool


@dataclass(frozen=True, slots=True)
class Luck:
    """What happens to one request: ``serve``, ``hang``, ``busy`` or ``reset``, after *delay* seconds."""

    fate: str
    delay: float


def luck(path: str, attempt: int) -> Luck:
    """Return the fate of the *attempt*-th request (from 1) for *path*: always the same."""
    digest = hashlib.sha256(f"{path} {attempt}".encode()).digest()
    chance, share = (int.from_bytes(part, "big") / 2**64 for part in (digest[:8], digest[8:16]))
    fates = (("hang", HANG), ("busy", BUSY), ("reset", RESET))
    delay = LATENCY[0] + share * (LATENCY[1] - LATENCY[0])
    for fate, part in fates:
        if chance < part:
            return Luck(fate, delay)
        chance -= part
    return Luck("serve", delay)


def default_roots() -> list[Path]:
    """Return the running interpreter's library and its installed packages."""
    paths = sysconfig.get_paths()
    return list(dict.fromkeys(Path(paths[name]) for name in ("stdlib", "purelib", "platlib")))


class NothingToRead(ValueError):
    """A folder doesn't exist, or holds no Python file."""


def index(roots: list[Path]) -> tuple[list[Entry], list[Path], Counter[str]]:
    """Return the entries, the path behind each, and how many files were left out for which reason.

    Files come in a fixed order: by root, then by path. The two planted files are the last two entries, without a path.

    Raises:
      NothingToRead: names the root that doesn't exist or holds no Python file.
    """
    entries: list[Entry] = []
    paths: list[Path] = []
    left_out: Counter[str] = Counter()
    for root in roots:
        before = len(entries)
        for path in _python_files(root):
            try:
                text = path.read_bytes()
            except OSError as error:
                left_out[f"can't be read ({error.strerror})"] += 1
                continue
            package, module = _place(path, root)
            shown = str(path.relative_to(root)) if path != root else path.name
            entries.append(
                Entry(len(entries), package, shown, module, len(text), digest_of(text), b"async def" in text)
            )
            paths.append(path)
        if len(entries) == before:
            raise NothingToRead(f"{root} holds no Python file that can be read; give a folder with .py files below it")
    planted = [
        Entry(len(entries) + n, "planted", file, Path(file).stem, len(mark), digest_of(mark), False)
        for n, (file, mark) in enumerate(PLANTED.items())
    ]
    return entries + planted, paths, left_out


def _python_files(root: Path) -> Iterator[Path]:
    if not root.exists():
        raise NothingToRead(f"{root} does not exist; check the spelling of PATHS")
    if root.is_file():
        yield from [root] if root.suffix == ".py" else []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in _SKIP and not f.startswith("."))
        yield from (Path(folder, file) for file in sorted(files) if file.endswith(".py"))


def _place(path: Path, root: Path) -> tuple[str, str]:
    """Return package and dotted module: as far up as ``__init__.py`` files go; a loose script is its own package."""
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    if len(parts) == 1 and path.name != "__init__.py":
        return str(path.relative_to(root)) if path != root else path.name, parts[0]
    # CPython's own tests are many suites in one folder, which share nothing but the name.
    depth = 2 if parts[0] == "test" else 1
    package = ".".join(parts[:depth])
    prefix = folder.relative_to(root) if folder != root and folder.is_relative_to(root) else None
    return f"{prefix}/{package}" if prefix and str(prefix) != "." else package, ".".join(parts)


class _Server:
    def __init__(self, roots: list[Path]) -> None:
        self.entries, self.paths, left_out = index(roots)
        body = {"roots": [str(r) for r in roots], "left_out": left_out, "files": [asdict(e) for e in self.entries]}
        self.index = json.dumps(body).encode()
        self.asked: Counter[tuple[str, str]] = Counter()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on one connection, then close it; a client that leaves early is nobody's error."""
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, rest = head[0].partition(" ")
        path = rest.partition(" ")[0]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if method != "GET":
            _send(writer, 405, b"only GET\n")
        elif path == "/index":
            _send(writer, 200, self.index, "application/json")
        elif (body := self._read(path)) is None:
            _send(writer, 404, b"no such file\n")
        else:
            await self._with_luck(reader, writer, path, headers.get("x-crew", ""), body)

    async def _with_luck(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, crew: str, body: bytes
    ) -> None:
        self.asked[crew, path] += 1
        fate = luck(path, self.asked[crew, path])
        await asyncio.sleep(fate.delay)
        if fate.fate == "hang":
            await reader.read()  # until the client hangs up: hours, if it likes
        elif fate.fate == "busy":
            _send(writer, 429, b"busy\n", extra="Retry-After: 1\r\n")
        elif fate.fate == "reset":
            _reset(writer)
        else:
            _send(writer, 200, body)

    def _read(self, path: str) -> bytes | None:
        """Return the bytes behind *path*; None when there is no such file, or no longer."""
        number = path.removeprefix("/file/")
        if number == path or not number.isdecimal() or int(number) >= len(self.entries):
            return None
        entry = self.entries[int(number)]
        if entry.id >= len(self.paths):
            return PLANTED[entry.file]
        try:
            return self.paths[entry.id].read_bytes()
        except OSError:
            return None


def _send(
    writer: asyncio.StreamWriter, status: int, body: bytes, kind: str = "text/x-python; charset=utf-8", extra: str = ""
) -> None:
    reasons = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests"}
    head = f"HTTP/1.1 {status} {reasons[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}{extra}Connection: close\r\n\r\n".encode() + body)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN: lingering for zero seconds makes the kernel do so."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve(roots: list[Path]) -> None:
    """Serve *roots* until standard input ends or SIGTERM arrives; print the port first."""
    ours = _Server(roots)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    # Ctrl-C reaches the whole process group; the parent decides when we end, so that its crew isn't cut off.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    await _watch_parent(loop, ended)
    server = await asyncio.start_server(ours.answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close()


async def _watch_parent(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    class Parent(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            ended.set()

    await loop.connect_read_pipe(Parent, sys.stdin)


def main(arguments: list[str]) -> int:
    roots = [Path(a).expanduser().resolve() for a in arguments] or default_roots()
    try:
        asyncio.run(serve(roots))
    except NothingToRead as error:
        print(f"source_server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
