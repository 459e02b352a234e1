"""An MCP server for the tests; ``python -m tests.guests.mcp_server`` speaks on standard input and output."""

from collections.abc import Sequence
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from .kitchen import broken, hang, letters, look_up, visit


class Telling(MCPServer[Any]):
    """A server that says what went wrong; theirs keeps the words of an unexpected error to itself."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            raise ToolError(f"{name}: {error.__cause__ or error}") from error


def serving(tools: Sequence[Any], kind: type[MCPServer[Any]] = Telling) -> MCPServer[Any]:
    """A server that offers *tools*, each as it is."""
    server = kind("kitchen")
    for made in tools:
        server.add_tool(made)
    return server


if __name__ == "__main__":
    serving([look_up, letters, hang, broken, visit]).run("stdio")
