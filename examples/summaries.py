"""Real files through four stages: read, take apart, ask a server that misbehaves about each part, put together again.

    python examples/summaries.py [DIRECTORY] [--calm]

Every Python file below DIRECTORY (that of asyncio unless you name one) is parsed in a process; each of its top-level
functions and classes becomes a question to a server of our own, which refuses, resets, hangs and answers nonsense as
real ones do (--calm: it doesn't); the answers of one file come out together. What could not be done is told at the end.
"""

from __future__ import annotations

import ast
import asyncio
import http.client
import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linecook import Limit, Pipeline, Retry, pipeline, run, tool
from linecook.testing.server import Phase, server

WILD = Phase(
    parallel=8, latency=(0.01, 0.05), retry_after=0.2,
    faults={"500": 0.03, "reset": 0.03, "hang": 0.005, "garbage": 0.01, "nonsense": 0.01},
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A function or class of a file."""

    file: str
    name: str
    source: str


@dataclass(frozen=True)
class Answer:
    """What the model says of a part."""

    part: Part
    text: str


class Unclear(Exception):
    """The model answered with something that is no answer."""


@tool(lane="process", effect="read")
def parts_of(path: Path) -> list[Part]:
    """Parse a file, which computes; one that can't be parsed raises ``SyntaxError``."""
    source = path.read_text(encoding="utf-8")
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [Part(path.name, node.name, ast.get_source_segment(source, node) or "") for node in found]


class Model:
    """A client as simple as they come: urllib, which blocks, and so runs on threads."""

    def __init__(self, url: str) -> None:
        self._url = url

    @tool(
        effect="read", attempt_timeout=2, limit=Limit("2-8-32", name="model"),
        retry=Retry(on=(OSError, http.client.HTTPException, Unclear, TimeoutError), attempts=8),
    )  # fmt: skip
    def ask(self, part: Part) -> Answer:
        question = {"messages": [{"role": "user", "content": part.source}], "max_tokens": 20}
        request = urllib.request.Request(self._url, json.dumps(question).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answered:
            try:
                text = json.load(answered)["choices"][0]["message"]["content"]
            except (ValueError, KeyError) as error:
                raise Unclear(f"no answer about {part.name}") from error
        return Answer(part, text)


def files_below(directory: Path) -> Iterator[Path]:
    """Yield the Python files, as the file system gives them: a lazy source, read on a thread."""
    yield from directory.rglob("*.py")


def summaries(directory: Path, model: Model) -> Pipeline[list[Answer]]:
    """Return the pipeline: nothing runs yet."""
    return (
        pipeline(files_below(directory))
        .flat_map(parts_of, workers=2, on_error="skip")
        .map(model.ask, workers=32, on_error="skip")
        .group()
    )


async def main(directory: Path, phase: Phase) -> None:
    async with server(phase, seed=7) as running:
        made = summaries(directory, Model(running.url))
        files = asked = 0
        async with made as results:
            async for answers in results:
                files, asked = files + 1, asked + len(answers)
                if answers:
                    print(f"{answers[0].part.file:<24} {len(answers):>3} parts")
        print(f"{files} files, {asked} parts answered; {len(made.dead_letters)} set aside")
        for letter in made.dead_letters:
            print(f"  {letter.stage}, file {letter.origin}: {type(letter.error).__name__}: {letter.error}"[:110])
        print(results.statistics().in_words())
        seen = running.statistics()
        print(f"the server: {seen.requests} requests, {seen.answered} answered, faults {dict(seen.faults)}")


if __name__ == "__main__":
    names = [word for word in sys.argv[1:] if not word.startswith("-")]
    place = Path(names[0]) if names else Path(asyncio.__file__).parent
    run(main(place, Phase() if "--calm" in sys.argv else WILD))
