"""``as_completed`` yields in order of completion; zipped with the questions it gives each the answer of another."""

import asyncio

from linecook.testing import outside


async def ask(question: str) -> str:
    return await outside(f"{question} 42")


async def main() -> None:
    questions = ["How many?", "How far?"]
    answers = asyncio.as_completed([ask(question) for question in questions])
    for question, answer in zip(questions, answers, strict=True):
        assert (await answer).startswith(question)
