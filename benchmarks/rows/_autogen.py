"""autogen-core's side of ask_reply: its handlers are found by annotations, which it reads at import."""

import asyncio
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler

from benchmarks.harness.meter import Meter


@dataclass
class Number:
    """A question, and an answer."""

    value: int


class Adder(RoutedAgent):
    """Adds one."""

    def __init__(self) -> None:
        super().__init__("adds one")

    @message_handler
    async def add(self, message: Number, ctx: MessageContext) -> Number:
        return Number(message.value + 1)


async def main(meter: Meter, pairs: int, rounds: int) -> None:
    """Ask one agent for each pair."""
    runtime = SingleThreadedAgentRuntime()
    await Adder.register(runtime, "adder", Adder)
    runtime.start()

    async def client(place: int) -> int:
        total = 0
        for number in range(rounds):
            total += (await runtime.send_message(Number(number), AgentId("adder", str(place)))).value
        return total

    async with meter.watching():
        answers = await asyncio.gather(*map(client, range(pairs)))
    await runtime.stop()
    meter.answer(answers)
