"""The program of the misbehaving server; see ``server``. Runs alone: nothing but the standard library, quickly there.

Reads orders from stdin and answers them on stdout, a line of JSON each; ends when stdin does: its parent is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from .connection import Connection
    from .kitchen import Kitchen
else:  # isolated: Python has not put our folder on the path
    sys.path.append(str(Path(__file__).parent))
    from connection import Connection
    from kitchen import Kitchen


class Orders:
    """What the parent asks, on stdin."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buffer = b""
        self.first: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.kitchen: Kitchen | None = None
        os.set_blocking(0, False)
        loop.add_reader(0, self._read)

    def _read(self) -> None:
        try:
            data = os.read(0, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            os._exit(0)  # the parent is gone, or doesn't need us any more
        self._buffer += data
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            self._follow(json.loads(line))

    def _follow(self, order: dict[str, Any]) -> None:
        kitchen = self.kitchen
        if kitchen is None:
            self.first.set_result(order)
        elif order["do"] == "statistics":
            tell(kitchen.statistics())
        else:
            if order["do"] == "change":
                kitchen.change(order)
            else:
                kitchen.reset()
            tell({})


def tell(answer: dict[str, Any]) -> None:
    """Send one line to the parent."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Serve until stdin ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop = asyncio.get_running_loop()
    orders = Orders(loop)
    kitchen = orders.kitchen = Kitchen(await orders.first)
    listening = await loop.create_server(lambda: Connection(kitchen), "127.0.0.1", 0, backlog=4096)
    tell({"port": listening.sockets[0].getsockname()[1]})
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
