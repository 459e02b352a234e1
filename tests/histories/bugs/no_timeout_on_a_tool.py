"""One call has a deadline, the other, to the same provider, has none: it needs only to hang once."""

import asyncio

from linecook.testing import outside


async def main() -> None:
    try:
        async with asyncio.timeout(30):
            plan = await outside("plan")
    except TimeoutError:
        plan = "the usual"
    await outside(f"{plan}, carried out")
