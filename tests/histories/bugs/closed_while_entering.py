"""The last user closes the session, which takes a while; a newcomer who enters meanwhile finds it shut."""

import asyncio

from linecook.testing import outside


class Session:
    users = 0
    is_open = False

    async def __aenter__(self) -> "Session":
        self.users += 1
        if not self.is_open:
            await outside("connected")
            self.is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.users -= 1
        if self.users == 0:
            await outside("goodbye")
            self.is_open = False

    async def ask(self, question: str) -> str:
        answer = await outside(f"answer to {question}")
        if not self.is_open:
            raise ConnectionError("the session is closed")
        return answer


async def agent(session: Session, question: str, thinks: int) -> None:
    for _ in range(thinks):
        await outside("thought")
    async with session:
        await session.ask(question)


async def main() -> None:
    session = Session()
    await asyncio.gather(agent(session, "who?", 0), agent(session, "when?", 4))
