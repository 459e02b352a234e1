"""Agents in a ``settle`` share a list of seats: each looks for a free one, confirms it, and then takes it."""

from linecook import agent, settle, tool
from linecook.testing import outside


@tool(effect="read")
async def confirm(seat: str) -> bool:
    return await outside(seat != "")


@agent
async def seat_guest(free: list[str], taken: list[str], thinks: int) -> None:
    for _ in range(thinks):
        await confirm("any")
    seat = free[0]
    if await confirm(seat):
        if seat in free:
            free.remove(seat)
        taken.append(seat)


async def main() -> None:
    free, taken = ["1A", "1B", "1C"], list[str]()
    await settle(seat_guest(free, taken, thinks) for thinks in (0, 2, 4))
    assert len(set(taken)) == len(taken)
