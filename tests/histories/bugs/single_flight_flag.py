"""One refreshes the token, the others see the flag and go on with what is there: the expired one."""

import asyncio

from linecook.testing import outside


class Session:
    token = "expired"
    refreshing = False

    async def current(self) -> str:
        if self.token == "expired" and not self.refreshing:
            self.refreshing = True
            self.token = await outside("fresh")
            self.refreshing = False
        return self.token


async def agent(session: Session, name: str, thinks: int) -> None:
    for _ in range(thinks):
        await outside(name)
    if await session.current() == "expired":
        raise PermissionError(f"401 for {name}")


async def main() -> None:
    session = Session()
    await asyncio.gather(agent(session, "planner", 0), agent(session, "critic", 2))
