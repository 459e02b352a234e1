"""A model server in a process of its own: ``POST /`` answers after 50 ms. Prints its port, ends when stdin closes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

THINKING = 0.05  # seconds


async def _answer(request):  # type: ignore[no-untyped-def]
    from aiohttp import web

    asked = await request.json()
    await asyncio.sleep(THINKING)
    return web.json_response({"look_up": asked["agent"] * 10 + asked["turn"]})


async def serve() -> None:
    """Serve until stdin closes."""
    from aiohttp import web

    app = web.Application()
    app.router.add_post("/", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    closed = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), closed.set)
    await closed.wait()
    await runner.cleanup()


@contextmanager
def model_server() -> Iterator[str]:
    """Start the server and give its address; it's gone when the block ends, however it ends."""
    command = [sys.executable, "-m", "benchmarks.harness.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the model server did not start; run `python -m benchmarks.harness.server` to see why")
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve())
