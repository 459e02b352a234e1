"""Outcomes of ``as_completed`` come as they finish; zipped with the inputs they are given to the wrong ones."""

from linecook import Ok, as_completed, tool
from linecook.testing import outside


@tool(effect="read")
async def ask(question: str) -> str:
    return await outside(f"{question} 42")


async def main() -> None:
    questions = ["How many?", "How far?"]
    answers = list[str]()
    async with as_completed(ask(question) for question in questions) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, Ok)
            answers.append(outcome.value)
    assert all(answer.startswith(question) for question, answer in zip(questions, answers, strict=True))
