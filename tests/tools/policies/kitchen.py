"""What the tests of limits share: a tool to serve tables, a server's 429, and a look behind a limit."""

import asyncio
from typing import Any

from linecook import Limit, Runtime, tool
from linecook._runtime import current
from linecook.tools.policies.door import Door
from linecook.tools.policies.places import Places
from linecook.tools.policies.states import state_of

order: list[int] = []


@tool(limit=2)
async def serve(table: int = 0, seconds: float = 1.0) -> int:
    order.append(table)
    await asyncio.sleep(seconds)
    return table


def places(made: Any, runtime: Runtime) -> Places:
    state = state_of(made.limit, runtime)
    assert isinstance(state, Places)
    return state


def door(limit: Limit) -> Door:
    state = state_of(limit, current())
    assert isinstance(state, Door)
    return state


class Busy(Exception):
    """What a server says that wants less; perhaps when to come back."""

    status = 429

    def __init__(self, retry_after: Any = None) -> None:
        super().__init__("429")
        self.retry_after = retry_after
