"""Each of two agents may go off duty while the other is on: both look, both ask, both go. Nothing is written twice."""

import asyncio

from linecook.testing import outside


async def go_off_duty(on_duty: dict[str, bool], name: str, busy: int) -> None:
    for _ in range(busy):
        await outside("finishes a job")
    if sum(on_duty.values()) >= 2:
        await outside("allowed by the supervisor")
        on_duty[name] = False


async def main() -> None:
    on_duty = {"planner": True, "critic": True}
    await asyncio.gather(go_off_duty(on_duty, "planner", 1), go_off_duty(on_duty, "critic", 3))
    assert any(on_duty.values())
