"""Frames: paths don't depend on who ends first, priorities are inherited, parents keep no children."""

from linecook import agent, gather, tool
from linecook._core.context import Frame, inherited_priority
from linecook.testing import VirtualClock


class Named(Frame):
    __slots__ = ("_name", "_own")

    def __init__(self, name: str, priority: str | None = None) -> None:
        super().__init__()
        self._name, self._own = name, priority

    @property
    def name(self) -> str:
        return self._name

    @property
    def own_priority(self):  # type: ignore[no-untyped-def]
        return self._own


def test_a_path_leads_from_the_top_by_order_of_beginning_and_by_index() -> None:
    top, fan, item = Named("briefing"), Named("settle"), Named("reader")
    top.adopt(Named("fetch"))
    top.adopt(fan)
    fan.adopt(item)
    item.index = 3
    assert item.path == "briefing/settle:1/reader[3]"


def test_the_nearest_priority_counts() -> None:
    top, middle, leaf = Named("top", "batch"), Named("middle"), Named("leaf")
    top.adopt(middle)
    middle.adopt(leaf)
    assert inherited_priority(leaf) == "batch"
    urgent = Named("urgent", "interactive")
    middle.adopt(urgent)
    assert inherited_priority(urgent) == "interactive"
    assert inherited_priority(None) == "normal"


async def test_items_of_a_fan_out_are_numbered_by_input_whoever_ends_first(clock: VirtualClock) -> None:
    import asyncio

    from linecook._core.context import current_frame

    @tool
    async def leaf() -> str:
        frame = current_frame.get()
        assert frame is not None
        return frame.path

    @agent
    async def one(delay: float) -> str:
        await asyncio.sleep(delay)
        return await leaf()

    @agent
    async def top() -> list[str]:
        return await gather(one(delay) for delay in (3, 1, 2))

    assert await top() == [f"top/gather:0/one[{index}]/leaf:0" for index in range(3)]
