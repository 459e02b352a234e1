"""A tool in the hands of an MCP server, the official SDK's; its ``Client`` asks, over memory, pipes and a socket."""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

pytest.importorskip("mcp")

import uvicorn
from mcp import Client, MCPError, StdioServerParameters
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent
from pydantic import PydanticSchemaGenerationError

from linecook import tool
from tests.blocks import ROOT
from tests.conftest import SRC

from . import kitchen
from .kitchen import Waiter, broken, hang, look_up, simmer
from .mcp_server import serving
from .promises import Call, Promises, Told


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def heard(client: Client, calls: Sequence[Call]) -> list[Told]:
    results = await asyncio.gather(*(client.call_tool(name, arguments) for name, arguments in calls))
    return [Told(text(result), failed=bool(result.is_error)) for result in results]


class TestMCP(Promises):
    async def turn(self, tools: Sequence[Any], calls: Sequence[Call]) -> list[Told]:
        async with self.client(serving(tools)) as client:
            return await heard(client, calls)

    def client(self, server: MCPServer[Any]) -> Any:
        return Client(server)

    def shown(self, tool: Any) -> dict[str, Any]:
        made = Tool.from_function(tool)
        return {
            "name": made.name,
            "description": made.description,
            "parameters": made.parameters,
            "returns": made.output_schema,
        }


@contextlib.asynccontextmanager
async def over_a_socket(server: MCPServer[Any], **options: Any) -> AsyncIterator[Client]:
    """A client of *server* over HTTP, on a real socket of this machine."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = server.streamable_http_app(transport_security=None)
        web = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
        task = asyncio.create_task(web.serve([listening]))
        try:
            while not web.started:
                await asyncio.sleep(0.005)
            async with Client(f"http://127.0.0.1:{port}/mcp", **options) as client:
                yield client
        finally:
            web.should_exit = True
            await task


class TestMCPOverASocket(TestMCP):
    def client(self, server: MCPServer[Any]) -> Any:
        return over_a_socket(server)


@contextlib.asynccontextmanager
async def over_pipes() -> AsyncIterator[Client]:
    """A client of a server that is a process of its own, reached through its standard input and output."""
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "tests.guests.mcp_server"], cwd=ROOT, env={"PYTHONPATH": f"{SRC}:{ROOT}"}
    )
    async with Client(command) as client:
        yield client


@pytest.mark.slow
async def test_over_pipes_results_errors_and_time_outs_are_the_same() -> None:
    calls = [
        ("look_up", {"city": "Lyon"}),
        ("letters", {"text": "soup"}),
        ("hang", {"city": "Lyon"}),
        ("broken", {"city": "X"}),
    ]
    async with over_pipes() as client:
        names = [one.name for one in (await client.list_tools()).tools]
        assert names == ["look_up", "letters", "hang", "broken", "visit"]
        first, second, late, wrong = await heard(client, calls)
        assert (first, second) == (Told("Lyon: 3 days in C"), Told("4"))
        assert late.failed
        assert "did not end within timeout=0.3 s" in late.text
        assert wrong == Told("broken: no such city: X", failed=True)
        told = await heard(client, [("visit", {"number": number}) for number in range(20)])
        assert [one.text for one in told if not one.failed] == [f"shop {n}" for n in range(20) if n != 7]


async def test_by_default_the_client_hears_only_that_a_tool_failed() -> None:
    async with Client(serving([broken, hang, look_up], MCPServer)) as client:
        told = await heard(client, [("broken", {"city": "X"}), ("hang", {"city": "X"}), ("look_up", {"city": "Lyon"})])
    assert told == [
        Told("Error executing tool broken", failed=True), Told("Error executing tool hang", failed=True),
        Told("Lyon: 3 days in C"),
    ]  # fmt: skip


async def test_the_client_is_shown_schema_and_structure() -> None:
    async with Client(serving([look_up, Waiter("Ana").serve])) as client:
        weather, serve = (await client.list_tools()).tools
        assert weather.input_schema["required"] == ["city"]
        assert weather.output_schema is not None
        assert serve.input_schema["required"] == ["dish", "table"]
        result = await client.call_tool("look_up", {"city": "Lyon"})
    assert result.structured_content == {"result": "Lyon: 3 days in C"}


@tool(timeout=5)
def sign(text: str, context: Context) -> str:
    """Sign a letter."""
    return f"{text}, request {context.request_id}"


@tool(timeout=5)
async def sign_later(text: str, context: "Context[Any, Any]") -> str:
    """Sign a letter on the loop, and say how it goes."""
    await context.report_progress(1, 2, "half")
    return text


class Desk:
    @tool
    def stamp(self, text: str, context: Context) -> str:
        """Stamp a letter."""
        return f"[{text}] {bool(context.request_id)}"


async def test_the_context_comes_to_those_who_annotate_it() -> None:
    steps: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    async with Client(serving([sign, sign_later, Desk().stamp])) as client:
        shown = (await client.list_tools()).tools
        assert [list(one.input_schema["properties"]) for one in shown] == 3 * [["text"]]
        assert text(await client.call_tool("sign", {"text": "Dear"})).startswith("Dear, request ")
        assert text(await client.call_tool("sign_later", {"text": "Dear"}, progress_callback=progress)) == "Dear"
        assert text(await client.call_tool("stamp", {"text": "Dear"})) == "[Dear] True"
    assert steps == [1]


@pytest.mark.parametrize("over", [Client, over_a_socket], ids=["memory", "socket"])
async def test_a_client_that_gives_up_turns_the_fire_off(over: Any) -> None:
    kitchen.STILL.clear()
    async with asyncio.timeout(20), over(serving([simmer, look_up])) as client:
        with pytest.raises(MCPError, match=r"(?i)timed? ?out"):
            await client.call_tool("simmer", {"dish": "soup"}, read_timeout_seconds=1)
        await kitchen.until(lambda: kitchen.STILL == ["soup begun", "soup off the fire"])
        assert text(await client.call_tool("look_up", {"city": "Lyon"})) == "Lyon: 3 days in C"


@tool(lane="process", timeout=30)
def far(text: str, context: Context) -> str:
    """Sign a letter, far away."""
    return text


async def test_their_context_does_not_travel_to_a_process_and_the_error_says_so() -> None:
    (told,) = await TestMCP().turn([far], [("far", {"text": "Dear"})])
    assert told.failed
    assert "argument 'context' of far(...) can't be sent to a process" in told.text


async def test_the_decorator_stands_above_ours() -> None:
    server = MCPServer("kitchen")

    @server.tool(title="Sum")
    @tool(timeout=5)
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    assert await add(1) == 2
    async with Client(server) as client:
        assert await heard(client, [("add", {"a": 1})]) == [Told("2")]


def test_a_stream_is_no_tool_and_is_refused() -> None:
    with pytest.raises(PydanticSchemaGenerationError, match="Iterator"):
        serving([kitchen.pieces])


async def test_what_is_no_string_arrives_as_json() -> None:
    @tool
    def menu() -> dict[str, Any]:
        """Show the menu."""
        return {"soup": 3, "of": ["leek", "carrot"]}

    async with Client(serving([menu])) as client:
        result = await client.call_tool("menu", {})
    assert json.loads(text(result)) == result.structured_content == {"soup": 3, "of": ["leek", "carrot"]}
