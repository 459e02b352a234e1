"""The desk asks a model for a line about each file, at a provider that takes so many at once and says 429 beyond.

The provider is a stand-in (`linecook.testing.server`): real HTTP from a process of its own, which counts, delays and
refuses as providers do, changes its mind twice, and answers with one word. What is compared is how callers fare: a pool
of a fixed size, each caller of which obeys `Retry-After` for himself; and a `Limit` that finds out by trying, obeys
`Retry-After` for everybody, and charges a budget.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from desk_plan import ATTEMPTS, Plan, retry_after, worth_another_attempt

from linecook import Limit, Retry, Runtime, Shared, agent, budget, charge, run, settle, tool
from linecook.observe import Event
from linecook.testing.server import Phase

__all__ = ["PHASES", "Asked", "ask_all", "questions_of"]

LATENCY = (0.15, 0.4)  # seconds: median, and 99th percentile
PHASES = (
    Phase(seconds=2.0, parallel=60, latency=LATENCY),
    Phase(seconds=2.0, parallel=12, latency=LATENCY),
    Phase(parallel=60, latency=LATENCY),
)
MOST_QUESTIONS = 300
POOL = 16
BOUNDS = "4-16-64"
BUDGET = 1.0
"""Dollars, for all questions."""
_PRICE_IN, _PRICE_OUT = 2e-6, 8e-6  # dollars a token
_PATIENCE = 5.0  # seconds for one answer

# Loopback never goes through a proxy, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(slots=True)
class Asked:
    """How one way of asking did.

    Attributes:
      wall: seconds for all questions.
      answered, lost: questions.
      usd: dollars that the answers cost.
      budget: dollars that they were allowed to; None: nobody held them to any.
      bounds: how many an adaptive limit let in at once, and why, from the first on.
    """

    wall: float = 0.0
    answered: int = 0
    lost: int = 0
    usd: float = 0.0
    budget: float | None = None
    bounds: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def questions_of(plan: Plan) -> list[str]:
    """Return one question for each file, at most 300."""
    return [f"In one line: what is {e.module} of {e.package} for?" for e in plan.entries][:MOST_QUESTIONS]


def _ask(url: str, question: str) -> tuple[int, int]:
    """Put *question* to the model; return the tokens in and out that it used.

    Raises:
      urllib.error.HTTPError: the provider refused.
      OSError: the connection failed, or nothing came in 5 s.
    """
    body = json.dumps({"messages": [{"role": "user", "content": question}], "max_tokens": 200}).encode()
    try:
        with _OPENER.open(urllib.request.Request(url, body), timeout=_PATIENCE) as answer:
            usage = json.load(answer)["usage"]
    except urllib.error.HTTPError as error:
        error.close()  # its status and headers are all that is asked of it
        raise
    return usage["prompt_tokens"], usage["completion_tokens"]


def _cost(tokens_in: int, tokens_out: int) -> float:
    return tokens_in * _PRICE_IN + tokens_out * _PRICE_OUT


# -- with a Limit ------------------------------------------------------------------------------------------------------

provider = Limit(BOUNDS, name="provider")


@dataclass(frozen=True, slots=True)
class Account:
    """What was answered, and what it cost in dollars."""

    answered: int = 0
    usd: float = 0.0


@tool(limit=provider, effect="read", retry=Retry(on=worth_another_attempt, attempts=ATTEMPTS))
def ask_model(url: str, question: str, account: Shared[Account]) -> None:
    """Ask, and say what it cost: to the budget, which bounds it, and to the desk's account, from whichever thread."""
    used = _ask(url, question)
    charge(*used, usd=_cost(*used))
    account.update(lambda now: Account(now.answered + 1, now.usd + _cost(*used)))


@agent
async def editor(url: str, questions: list[str]) -> Asked:
    """Ask all questions within one budget."""
    began, account = time.monotonic(), Shared(Account())
    with budget(usd=BUDGET):
        await settle(ask_model(url, question, account) for question in questions)
    now = account.value
    return Asked(time.monotonic() - began, now.answered, len(questions) - now.answered, now.usd, BUDGET)


def a_limit(url: str, questions: list[str]) -> Asked:
    """Ask through the limit, and note how its bound moved."""
    moves: list[tuple[int, str]] = [(int(BOUNDS.split("-")[1]), "")]

    def note(event: Event) -> None:
        if event.kind == "limit.changed":
            moves.append((event.data["after"], event.data["reason"]))

    runtime = Runtime()
    runtime.subscribe(note)
    asked = run(editor(url, questions), runtime=runtime)
    asked.bounds = moves
    return asked


# -- with a pool -------------------------------------------------------------------------------------------------------


def a_pool(url: str, questions: list[str]) -> Asked:
    """Ask from a pool of threads; whoever is refused waits as long as he is told, and asks again."""
    asked = Asked()

    async def put(pool: ThreadPoolExecutor, question: str) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                used = await asyncio.get_running_loop().run_in_executor(pool, _ask, url, question)
            except OSError as error:
                if attempt == ATTEMPTS or not worth_another_attempt(error):
                    asked.lost += 1
                    return
                await asyncio.sleep(retry_after(error, attempt))
            else:
                asked.answered += 1
                asked.usd += _cost(*used)
                return

    async def put_all() -> None:
        with ThreadPoolExecutor(POOL) as pool:
            await asyncio.gather(*(put(pool, question) for question in questions))

    began = time.monotonic()
    asyncio.run(put_all())
    asked.wall = time.monotonic() - began
    return asked


def ask_all(name: str, url: str, questions: list[str]) -> Asked:
    """Ask all *questions* the way *name* says: from a pool, or through a ``Limit``."""
    return (a_limit if name.startswith("Limit") else a_pool)(url, questions)
