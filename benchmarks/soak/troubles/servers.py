"""A server that refuses, resets, hangs and talks nonsense, under limits, retries, budgets and tenants."""

from __future__ import annotations

import asyncio
import json
import urllib.request

from benchmarks.soak.kitchen import Kitchen, every
from linecook import Limit, Retry, budget, charge, settle, tenant, tool
from linecook.errors import TimedOutError


class Refusal(Exception):
    """The server answered with a status other than 200."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after = retry_after


provider = Limit("2-8-32", name="provider", per_second=150, tokens_out_per_minute=10**9, estimate=lambda url: (10, 20))
by_account = Limit(4, name="by_account", key="account")


def may_pass(error: BaseException) -> bool:
    return isinstance(error, (Refusal, OSError, TimedOutError))


@tool(limit=provider, effect="read", attempt_timeout=0.5, timeout=5, retry=Retry(on=may_pass, attempts=3, wait=0.02))
async def asks_model(url: str) -> str:
    """Ask by hand over a socket: no client's own pool is the subject."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"POST /chat?tokens_in=10&tokens_out=20 HTTP/1.1\r\nHost: kitchen\r\n")
        writer.write(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    _raise_for(head)
    told = str(json.loads(body)["usage"]["completion_tokens"])
    charge(10, 20, usd=0.0001)
    return told


def _raise_for(head: bytes) -> None:
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 "):
        raise ConnectionError(f"no HTTP: {lines[0]!r:.60}")
    status = int(lines[0].split()[1])
    if status != 200:
        after = [line.partition(":")[2] for line in lines if line.lower().startswith("retry-after:")]
        raise Refusal(status, float(after[0]) if after else None)


@tool(limit=by_account, effect="read", timeout=0.5)
def reads_page(url: str, account: str) -> int:
    """The same with a blocking client on a thread: what hangs there is abandoned."""
    with urllib.request.urlopen(f"{url}?account={account}", timeout=2) as answer:
        return len(answer.read())


@every(0.5)
async def a_server_that_refuses(kitchen: Kitchen) -> None:
    with tenant(kitchen.dice.choice("ABCDEFGH")), budget(usd=1, tokens=10_000) as purse:
        answers = await settle([asks_model(kitchen.url) for _ in range(30)], timeout=5)
    kitchen.expect(set(answers.results) <= {"20"}, f"the server answered {set(answers.results)}")
    kitchen.served += len(answers.results)
    # An attempt that is answered in the moment of its time-out is paid for, and made again.
    paid_for = purse.spent.tokens // 30
    kitchen.expect(len(answers.results) <= paid_for <= 90, f"{purse.spent} for {len(answers.results)} answers")
    accounts = [f"account-{kitchen.dice.randrange(100)}" for _ in range(10)]
    kitchen.served += len((await settle([reads_page(kitchen.url, account) for account in accounts], timeout=3)).results)
    kitchen.calls += 40
