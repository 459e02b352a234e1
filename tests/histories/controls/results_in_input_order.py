"""``gather`` keeps the order of its arguments, whatever finishes first."""

import asyncio

from linecook.testing import outside


async def ask(question: str) -> str:
    return await outside(f"{question} 42")


async def main() -> None:
    questions = ["How many?", "How far?", "How old?"]
    answers = await asyncio.gather(*(ask(question) for question in questions))
    assert all(answer.startswith(question) for question, answer in zip(questions, answers, strict=True))
