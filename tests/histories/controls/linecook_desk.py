"""A desk of agents: tools on the loop and on threads, a limit, a deadline, outcomes; all of them come back."""

from linecook import Ok, TimedOut, agent, gather, settle, tool
from linecook.testing import outside


@tool(limit=1, timeout=5, effect="read")
async def ask(question: str) -> str:
    return await outside(f"answer to {question}")


@tool(effect="read")
def count(text: str) -> int:
    return len(text.split())


@agent
async def reader(question: str) -> int:
    answer = await ask(question)
    return (await gather(count(answer), count(question)))[0]


async def main() -> None:
    outcomes = await settle(reader(question) for question in ("who?", "when?"))
    for outcome in outcomes:
        assert isinstance(outcome, TimedOut) or outcome == Ok(3), outcome
