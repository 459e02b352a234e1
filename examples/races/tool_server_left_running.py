"""An agent's run is cancelled, and its tool server is left running: pydantic-ai 2.68.0.

Reported as https://github.com/pydantic/pydantic-ai/issues/8548, closed, and it still shows. Leaving an
``MCPToolset`` takes a lock before it counts down who uses the server. Under an anyio scope that has been cancelled
every await ends at once, that of the lock as well: nothing is counted down, and the connection, its tasks and, with
a server started by stdio, its process stay. The server is a real one, in memory; the model is a stand-in.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("2.68.0",)
try:
    import anyio
    from fastmcp import FastMCP
    from pydantic_ai.mcp import MCPToolset

    FOUND = version("pydantic-ai-slim")
    SKIPPED = "" if FOUND in SEEN_IN else f"pydantic-ai-slim {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "pydantic-ai is not installed: pip install 'pydantic-ai-slim[mcp]==2.68.0'"


async def main() -> None:
    kitchen = MCPToolset(FastMCP("kitchen"))
    with anyio.move_on_after(60):
        async with kitchen:
            await outside("the model's answer")
    await asyncio.sleep(60)  # time enough to end
    assert not kitchen.is_running, "nobody uses the server any more, and it is still connected"


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
