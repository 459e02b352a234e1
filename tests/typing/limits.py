"""What a ``Limit`` takes, and tools under one and several."""

from urllib.parse import urlsplit

from linecook import Limit, tool


def host(url: str) -> str | None:
    return urlsplit(url).hostname


def tokens(prompt: str, most: int = 100) -> tuple[int, int]:
    return len(prompt) // 4, most


def is_quota(error: BaseException) -> bool:
    return "quota" in str(error)


account = Limit(
    "8-64-512",
    name="account",
    per_second=10,
    per_minute=500,
    tokens_in_per_minute=1_000_000,
    tokens_out_per_minute=200_000,
    estimate=tokens,
    overloaded=is_quota,
    breaker=20,
    retries=0.05,
)
polite = Limit(2, key=host, per_second=0.5, waiting=100, when_full="shed_oldest")
models = Limit(64, key="model", when_full="refuse")


@tool(limit=[account, models])
async def ask(prompt: str, model: str = "small") -> str:
    return prompt


@tool(limit=polite)
def fetch(url: str) -> bytes:
    return b""


async def use() -> None:
    answer: str = await ask("p")
    page: bytes = await fetch.options(limit=(polite, account))("https://a.example")
    account.retune(in_flight="4-32-256", per_minute=600)
    account.retune(in_flight=10)
    Limit(when_full="drop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tool(limit="20")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    print(answer, page)
